"""Measuring: rounds in which everything is measured once, beside the machine's peak.

On a machine that others use too, figures taken minutes apart cannot be compared.  So all of a part
are measured one after the other, in every round, and ratios are taken within a round; what is
reported is the median over the rounds.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import torch

from influpath.training.progress import clock

logger = logging.getLogger("influpath.bench")

PEAK_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
PEAK_TRIES = 3


@dataclass(frozen=True)
class Measure:
    """One thing that is measured in every round.

    Attributes:
        name: Its name, distinct within a part.
        unit: "targets/s" or the like where ``run`` returns a rate; "s" where it returns seconds.
        run: Returns the figure of this round.
        flops: Floating-point operations that one counted thing needs; None where unknown.
        reference: Name of the measure that it is compared with.
        note: What a reader has to know of it.
    """

    name: str
    unit: str
    run: Callable[[], float]
    flops: float | None = None
    reference: str | None = None
    note: str = ""


@dataclass
class Rounds:
    """What was measured: one figure per round and name, and the peaks of the same rounds."""

    figures: dict[str, list[float]] = field(default_factory=dict)
    peaks: list[dict[str, float]] = field(default_factory=list)

    def rows(self, measures: Sequence[Measure]) -> list[dict[str, Any]]:
        """Return one row per measure for JSON; see ``row``."""
        return [self.row(measure) for measure in measures]

    def row(self, measure: Measure) -> dict[str, Any]:
        """Return ``name, unit, value, samples, reference, ratio, share_of_peak, note``.

        ``value``, ``ratio`` and the shares are medians over the rounds.  The ratio of two rates
        says how many times faster one is, that of two durations how many times as long it takes.
        """
        own = self.figures[measure.name]
        reference = measure.reference if measure.reference in self.figures else None
        shares = {}
        if measure.flops is not None:
            for kind in PEAK_TYPES:
                shares[kind] = median(
                    rate * measure.flops / peak[kind]
                    for rate, peak in zip(own, self.peaks, strict=True)
                )
        return {
            "name": measure.name,
            "unit": measure.unit,
            "value": rounded(median(own)),
            "samples": [rounded(rate) for rate in own],
            "reference": reference,
            "ratio": None if reference is None else self.ratio(measure.name, reference),
            "share_of_peak": {kind: rounded(share) for kind, share in shares.items()} or None,
            "note": measure.note,
        }

    def ratio(self, own: str, other: str) -> float | None:
        """Return the median of one over the other; None where one was not measured."""
        if own not in self.figures or other not in self.figures:
            return None
        pairs = zip(self.figures[own], self.figures[other], strict=True)
        return rounded(median(rate / against for rate, against in pairs))

    def peak(self) -> dict[str, float]:
        """Return the median of the peaks, in GFLOP/s."""
        return {kind: round(median(at[kind] for at in self.peaks) / 1e9, 1) for kind in PEAK_TYPES}


def measure_rounds(
    label: str, measures: Sequence[Measure], repeats: int, matrix_size: int
) -> Rounds:
    """Measure everything once per round.

    Args:
        label: The part, for the log.
        measures: What to measure, in this order.
        repeats: Rounds.
        matrix_size: See ``matrix_peaks``.
    """
    rounds = Rounds({measure.name: [] for measure in measures})
    for number in range(1, repeats + 1):
        rounds.peaks.append(matrix_peaks(matrix_size))
        for measure in measures:
            taken = stopwatch()
            rate = measure.run()
            rounds.figures[measure.name].append(rate)
            logger.info(
                "%s, round %d/%d: %s, %s %s (took %s)",
                label,
                number,
                repeats,
                measure.name,
                f"{rate:,.4g}",
                measure.unit,
                clock(taken()),
            )
    return rounds


def stopwatch() -> Callable[[], float]:
    """Start a stopwatch; the result says the seconds since."""
    began = time.perf_counter()
    return lambda: time.perf_counter() - began


def matrix_peaks(size: int) -> dict[str, float]:
    """Return the rate of an [N, N] matrix product in FLOP/s, by number type: best of three.

    Args:
        size: N.
    """
    peaks = {}
    for name, kind in PEAK_TYPES.items():
        left, right = torch.ones(size, size, dtype=kind), torch.ones(size, size, dtype=kind)
        out = left @ right
        seconds = []
        for _ in range(PEAK_TRIES):
            clock = stopwatch()
            torch.mm(left, right, out=out)
            seconds.append(clock())
        peaks[name] = 2 * size**3 / min(seconds)
    return peaks


def value_of(rows: Sequence[Mapping[str, Any]], name: str, key: str = "value") -> float | None:
    """Return a figure of the row of a name, or None where there is no such row."""
    return next((row[key] for row in rows if row["name"] == name), None)


def rounded(value: float | None) -> float | None:
    """Return four significant digits."""
    return None if value is None else float(f"{value:.4g}")
