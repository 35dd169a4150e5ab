"""Where marks stand in the small drawings that the server makes, such as intervals."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

# Probabilities below this are drawn at the left end.
LEAST = 1e-6


def log_share(probability: float | None) -> float:
    """Return where a probability stands between 1 in a million and 1, in percent of the width.

    >>> log_share(1.0), log_share(1e-3), log_share(0.0)
    (100.0, 50.0, 0.0)
    """
    if probability is None or probability <= LEAST:
        return 0.0
    return round(100 * (1 - math.log10(min(probability, 1.0)) / math.log10(LEAST)), 2)


@dataclass(frozen=True)
class Scale:
    """A scale from ``low`` to ``high`` drawn over a width of 100."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Return where a value stands, from 0 to 100."""
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(max(share, 0.0), 1.0), 2)


def scale_of(values: Iterable[float | None], zero_inside: bool = False) -> Scale:
    """Return a scale that holds all values and 0, with some room at the ends.

    Args:
        values: What is drawn; None is passed over.
        zero_inside: Whether 0 stands in the middle, as for differences.
    """
    known = [value for value in values if value is not None]
    high, low = max([*known, 0.0]), min([*known, 0.0])
    if zero_inside:
        high = max(high, -low)
        low = -high
    if high == low:
        high, low = 1.0, -1.0 if zero_inside else 0.0
    room = 0.08 * (high - low)
    return Scale(low - room if low < 0 else 0.0, high + room)
