"""What a long training says while it runs: loss, validation and the time left."""

import logging
import sys
import time
from collections.abc import Mapping

logger = logging.getLogger("influpath.training")

EVERY_SECONDS = 0.5


class Progress:
    """Reports epochs through logging, and batches on a terminal line.

    Args:
        label: Names the model in every line.
        epochs: Planned number of epochs.
    """

    def __init__(self, label: str, epochs: int) -> None:
        self.label = label
        self.epochs = epochs
        self._terminal = sys.stderr.isatty()
        self._seconds: list[float] = []
        self._started = time.monotonic()
        self._shown = 0.0

    def start_epoch(self) -> None:
        """Mark the beginning of an epoch."""
        self._started = time.monotonic()

    def batch(self, epoch: int, done: int, total: int, loss: float) -> None:
        """Redraw the terminal line, at most twice a second; silent elsewhere."""
        now = time.monotonic()
        if not self._terminal or now - self._shown < EVERY_SECONDS:
            return
        self._shown = now
        rate = (now - self._started) / max(done, 1)
        left = rate * (total - done) + rate * total * (self.epochs - epoch)
        sys.stderr.write(
            f"\r\x1b[2K{self.label}: epoch {epoch}/{self.epochs}, batch {done}/{total}, "
            f"loss {loss:.4f}, at most {clock(left)} left"
        )
        sys.stderr.flush()

    def end_epoch(self, epoch: int, values: Mapping[str, float], note: str) -> None:
        """Log one finished epoch."""
        if self._terminal:
            sys.stderr.write("\r\x1b[2K")
        self._seconds.append(time.monotonic() - self._started)
        recent = self._seconds[-5:]
        left = sum(recent) / len(recent) * (self.epochs - epoch)
        shown = ", ".join(f"{name} {value:.4f}" for name, value in values.items())
        logger.info(
            "%s: epoch %d/%d, %s, %s, %s each, at most %s left",
            self.label,
            epoch,
            self.epochs,
            shown,
            note,
            clock(recent[-1]),
            clock(left),
        )


def clock(seconds: float) -> str:
    """Return a duration for people: "48 s", "12 min", "2.5 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
