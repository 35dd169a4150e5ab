"""One thread at a time does the work of a call; while it waits for something else, others do.

SQLite lets go of Python's lock in every statement, and whoever let go of it queues behind all other
threads that want it: with a dozen at work each statement waits for a dozen others, and nearly half
of the processor goes into changing between them.  Here they queue before they begin.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """Lets threads take turns."""

    def __init__(self) -> None:
        self._free = threading.Semaphore()
        self._mine = threading.local()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Work while nobody else does.  Nobody takes a turn within a turn."""
        with self._free:
            self._mine.now = True
            try:
                yield
            finally:
                self._mine.now = False

    @contextmanager
    def left(self) -> Iterator[None]:
        """Let others work while this thread waits, if it is its turn; it is again afterwards."""
        if not getattr(self._mine, "now", False):
            yield
            return
        self._mine.now = False
        self._free.release()
        try:
            yield
        finally:
            self._free.acquire()
            self._mine.now = True
