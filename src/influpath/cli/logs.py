"""Logging of the command line: to standard error, and to a file while a run is at work."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

FORMAT = logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S")
FILE_FORMAT = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")


class ErrorStreamHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to standard error; told apart from handlers that others may have added.

    To what is standard error when something is said: a command that is called from Python may have
    been given one that was closed since.
    """

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:
        """Standard error."""
        return sys.stderr


def log_to_stderr(quiet: bool = False) -> None:
    """Show the package's log on standard error; warnings only where ``quiet``."""
    package = logging.getLogger("influpath")
    package.setLevel(logging.INFO)
    for handler in list(package.handlers):
        if isinstance(handler, ErrorStreamHandler):
            package.removeHandler(handler)
    shown = ErrorStreamHandler()
    shown.setFormatter(FORMAT)
    shown.setLevel(logging.WARNING if quiet else logging.INFO)
    package.addHandler(shown)


@contextmanager
def log_to_file(path: Path) -> Iterator[None]:
    """Append the package's log to a file as well, for the length of the block."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(FILE_FORMAT)
    package = logging.getLogger("influpath")
    package.addHandler(handler)
    try:
        yield
    except Exception as cause:
        # Whoever reports the error writes its traceback there and names the file.
        cause.log_file = path  # type: ignore[attr-defined]
        raise
    finally:
        package.removeHandler(handler)
        handler.close()


@contextmanager
def only_warnings(name: str) -> Iterator[None]:
    """Keep what a part of the package has to say, warnings apart, to itself for a block."""
    part = logging.getLogger(name)
    before = part.level
    part.setLevel(logging.WARNING)
    try:
        yield
    finally:
        part.setLevel(before)
