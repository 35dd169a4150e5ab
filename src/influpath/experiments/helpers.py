"""Processes that work for this one, and end with it."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Self, TypeVar

Part = TypeVar("Part")
Result = TypeVar("Result")


class Helpers:
    """Some processes, each started when there is work for it; used as a context, it ends them.

    Args:
        count: How many at most.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        # Whoever gives up does not wait for what is left to do.
        if error is None:
            self.close()
        else:
            self.kill()

    def each(
        self, function: Callable[[Part], Result], parts: Sequence[Part]
    ) -> Generator[Result, None, None]:
        """Yield what a function of a module makes of each part, in their order.

        The first error of any ends all helpers; so does an iteration that is not finished.

        Raises:
            Exception: What the function raised.
        """
        if self._pool is None:
            # Fresh interpreters: forked ones would inherit the threads of torch and polars.
            self._pool = ProcessPoolExecutor(
                self.count,
                mp_context=get_context("spawn"),
                initializer=watch_parent,
                initargs=(os.getpid(),),
            )
        try:
            with interrupts_held():
                futures = [self._pool.submit(function, part) for part in parts]
            left: set[Future[Result]] = set(futures)
            for future in futures:
                while not future.done():
                    # In short waits: polars makes the system restart one that Ctrl-C interrupts.
                    finished, left = wait(left, timeout=0.5, return_when=FIRST_COMPLETED)
                    for one in finished:
                        one.result()
                yield future.result()
        except GeneratorExit:
            # Whoever took the last result may not have asked whether there is another.
            if any(not future.done() for future in futures):
                self.kill()
            raise
        except BaseException:
            self.kill()
            raise

    @property
    def ready(self) -> bool:
        """Whether there are any yet."""
        return self._pool is not None

    def close(self) -> None:
        """Let the processes finish and end them."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def kill(self) -> None:
        """End the processes whatever they do."""
        if self._pool is not None:
            for process in list((self._pool._processes or {}).values()):
                process.terminate()
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Start processes that never see Ctrl-C; this one gets it after the block, and ends them."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def watch_parent(parent: int) -> None:
    """Start the watch that ends this process with its parent.

    Args:
        parent: The process that started this one, said by itself: it may be gone by now, and then
            this one already has another parent.
    """
    threading.Thread(target=end_with_parent, args=(parent,), daemon=True).start()


def end_with_parent(parent: int) -> None:
    """End this process when its parent is gone, so that a killed run leaves nothing at work."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)
