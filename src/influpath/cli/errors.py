"""Errors as a user meets them: one sentence and an exit status, never a traceback.

0 done; 1 a result that does not hold, or a fault of the program; 2 something the user can put
right; 130 interrupted; 141 whoever read the output stopped reading.
"""

import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from functools import wraps
from pathlib import Path
from typing import NoReturn, ParamSpec

import typer

from influpath.errors import InfluPathError

Parameters = ParamSpec("Parameters")

INTERRUPTED = "interrupted; run the same command again to go on where it stopped."


def guarded(command: Callable[Parameters, None]) -> Callable[Parameters, None]:
    """Let a command end every error in one sentence on standard error."""

    @wraps(command)
    def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except InfluPathError as cause:
            fail(str(cause), 2)
        except KeyboardInterrupt:
            fail(INTERRUPTED, 130)
        except BrokenPipeError:
            drop_output()
            raise typer.Exit(141) from None
        except BrokenProcessPool:
            fail(
                "a training process ended without a word, most often for want of memory; what it "
                "had done is kept: run the same command again, with fewer workers or smaller "
                "batches.",
                1,
            )
        except OSError as cause:
            place = f"{cause.filename}: " if cause.filename else ""
            fail(f"{place}{cause.strerror or cause}.", 2)
        except Exception as cause:
            path = keep_traceback(cause)
            fail(
                f"an unexpected {type(cause).__name__} occurred; please report it with {path}, "
                "where the details are, and with what `influpath doctor` prints.",
                1,
            )

    return run


def fail(message: str, status: int) -> NoReturn:
    """Print one sentence on standard error and end with a status."""
    # What a progress line left on the terminal goes first.
    clear = "\r\x1b[2K" if sys.stderr.isatty() else ""
    typer.echo(f"{clear}influpath: {message}", err=True)
    raise typer.Exit(status) from None


def keep_traceback(cause: Exception) -> Path:
    """Write a traceback to the run's log (see ``logs.log_to_file``) or a new file; return which."""
    text = "".join(traceback.format_exception(cause))
    log_file = getattr(cause, "log_file", None)
    if isinstance(log_file, Path):
        with log_file.open("a", encoding="utf-8") as handle:
            handle.write(text)
        return log_file
    number, name = tempfile.mkstemp(prefix="influpath-error-", suffix=".log")
    with os.fdopen(number, "w", encoding="utf-8") as handle:
        handle.write(text)
    return Path(name)


def drop_output() -> None:
    """Point standard output at nothing, so that closing it cannot fail again."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        return
