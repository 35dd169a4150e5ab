"""How much influence a planner has at equal smoothness, whatever its dials are called.

A planner with a dial is a set of points: the mean cost x of its paths (log(PPL), or the worst
step) and their mean influence y (IoI).  Giving some users one dial and the others another reaches
every place between two points, and nobody has to spend all the cost that is allowed.  So a
planner's curve is the upper concave envelope of its points up to the highest, and flat from there
on; left of its leftmost point it is undefined.

Curves are read at the same distances above the cost of a reference (the plain recommender).  For
intervals the users are resampled, the same for all planners: in every resample the means of all
points, the reference's cost and the envelopes are made anew.  Two planners are compared at places
where both have a value in the sample and in nearly every resample: a place that comes and goes
would leave just those resamples in which a curve begins late, where it is at its lowest.

An envelope is made of the points that did best on the very pairs it is measured on, which flatters
it, the more so the more points there are; ``optimism`` says by how much.

Shape suffixes: P pairs, T points of one planner, K columns, G places of the grid, R rows: the
sample itself in row 0, then the resamples.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from influpath.evaluation.intervals import RESAMPLES, Interval, resampled_means
from influpath.evaluation.judging import FloatArray

# Places of the grid: nats above the reference's mean cost.
OFFSETS = tuple(round(0.1 * n, 1) for n in range(11))
# A place that more of the resamples leave undefined is not compared at.
UNSURE = 0.025
# No interval where more of the resamples are undefined.
MOST_UNDEFINED = 0.05
# Means of the same values, summed in another order, differ by less.
ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Points:
    """The points of one planner, one column per setting of its dials.

    Attributes:
        x_PT: Cost of each pair; NaN where undefined, as log(PPL) is where there is no path.
        y_PT: Influence on each pair.
    """

    x_PT: FloatArray
    y_PT: FloatArray

    @classmethod
    def of(cls, points: Sequence[tuple[FloatArray, FloatArray]]) -> "Points":
        """Return the points given as ``(x_P, y_P)`` each."""
        return cls(np.stack([x for x, _ in points], 1), np.stack([y for _, y in points], 1))


@dataclass(frozen=True, eq=False)
class Frontier:
    """The curves of several planners on one grid.

    Attributes:
        offsets_G: Nats above the reference's mean cost.
        grid_RG: The same as cost; resamples of the reference move the grid.
        curves: Planner -> its influence at each place [R, G], NaN where undefined.
        pairs: Number of pairs behind every mean.
    """

    offsets_G: FloatArray
    grid_RG: FloatArray
    curves: dict[str, FloatArray]
    pairs: int

    def at(self, planner: str) -> list[Interval]:
        """Return a planner's influence at each place, with its interval."""
        return [interval(values_R, self.pairs) for values_R in self.curves[planner].T]

    def difference(self, a: str, b: str) -> list[Interval]:
        """Return what planner ``a`` has more than ``b`` at each place, paired by user."""
        difference_RG = self.curves[a] - self.curves[b]
        return [interval(values_R, self.pairs) for values_R in difference_RG.T]

    def mean_difference(self, a: str, b: str) -> Interval:
        """Return what ``a`` has more than ``b``, on average over the places they share.

        Its count is the number of these places.
        """
        one_RG, other_RG = self.shared(a, b)
        return interval(averages(one_RG - other_RG), one_RG.shape[1])

    def share(self, planner: str, of: str) -> Interval:
        """Return a planner's mean influence divided by another's, over the places they share.

        Undefined unless the other's mean is above 0 with all of its interval: a share of what may
        be nothing says nothing.  Its count is the number of places.
        """
        own_RG, other_RG = self.shared(planner, of)
        own_R, other_R = averages(own_RG), averages(other_RG)
        share_R = np.full(len(own_R), np.nan)
        if interval(other_R, 0).ci95[0] > 0:
            np.divide(own_R, other_R, out=share_R, where=other_R > 0)
        return interval(share_R, own_RG.shape[1])

    def shared(self, a: str, b: str) -> tuple[FloatArray, FloatArray]:
        """Return two curves at the places where both have a value, the few gaps as NaN."""
        a_RG, b_RG = self.curves[a], self.curves[b]
        undefined_RG = np.isnan(a_RG + b_RG)
        both_G = ~undefined_RG[0] & (undefined_RG[1:].mean(axis=0) <= UNSURE)
        return a_RG[:, both_G], b_RG[:, both_G]

    def optimism(self, planner: str) -> float:
        """Return how far the choice of points flatters a planner's curve, on average over places.

        The bootstrap's estimate: how far the curves of the resamples lie above the sample's, as
        that lies above the curve over all users there are (Efron and Tibshirani, An Introduction
        to the Bootstrap, chapter 10).  NaN where the curve has no place.
        """
        own_RG, _ = self.shared(planner, planner)
        own_R = averages(own_RG)
        return float(np.nanmean(own_R[1:]) - own_R[0]) if own_RG.shape[1] else math.nan


def frontier(
    points: Mapping[str, Points],
    reference: str,
    seed: int,
    users: npt.NDArray[Any] | None = None,
    resamples: int = RESAMPLES,
    offsets: Sequence[float] = OFFSETS,
) -> Frontier:
    """Return the curves of planners on one grid, with their resamples.

    Args:
        points: Planner -> points, all on the same pairs in the same order.
        reference: The planner whose mean cost (its lowest, if it has several points) the grid
            begins at.
        seed: Decides the resamples.
        users: User of each pair, [P]; by default every pair is a user of its own.
        resamples: Number of resamples.
        offsets: Places of the grid above the reference's cost.

    Raises:
        ValueError: The reference has no point with a cost.
    """
    sides = [side_PT for own in points.values() for side_PT in (own.x_PT, own.y_PT)]
    columns_PK = np.concatenate(sides, axis=1)
    # Equal columns get the same means to the last bit, wherever they stand.
    place_of: dict[bytes, int] = {}
    number_K = [place_of.setdefault(column.tobytes(), len(place_of)) for column in columns_PK.T]
    distinct_PK = np.stack([np.frombuffer(values) for values in place_of], axis=1)
    means_RK = np.concatenate(
        [means(distinct_PK, axis=0)[None], resampled_means(distinct_PK, seed, resamples, users)]
    )
    ends = np.cumsum([side_PT.shape[1] for side_PT in sides])
    means_RT = iter(np.split(means_RK[:, number_K], ends[:-1], axis=1))
    averaged = {name: (next(means_RT), next(means_RT)) for name in points}
    start_R = np.fmin.reduce(averaged[reference][0], axis=1)
    if math.isnan(start_R[0]):
        raise ValueError(f"{reference} has no point with a cost, so that there is no grid")
    offsets_G = np.asarray(offsets, dtype=np.float64)
    grid_RG = start_R[:, None] + offsets_G
    curves = {name: envelope(x_RT, y_RT, grid_RG) for name, (x_RT, y_RT) in averaged.items()}
    return Frontier(offsets_G, grid_RG, curves, len(columns_PK))


def envelope(x_RT: FloatArray, y_RT: FloatArray, grid_RG: FloatArray) -> FloatArray:
    """Return the highest y that mixing two points reaches at a cost of at most the grid's.

    Args:
        x_RT: Cost of each point; a point whose cost is NaN plays no part.
        y_RT: Its influence.
        grid_RG: Where the envelope is wanted.

    Returns:
        float64 [R, G]; NaN left of the leftmost point.
    """
    best_RG = np.full(grid_RG.shape, np.nan)
    for left in range(x_RT.shape[1]):
        x_R1, y_R1 = x_RT[:, left, None], y_RT[:, left, None]
        # Comparing with NaN is False, so that such points drop out.
        best_RG = np.fmax(best_RG, np.where(x_R1 <= grid_RG + ROUNDING, y_R1, np.nan))
        for right in range(x_RT.shape[1]):
            to_x_R1, to_y_R1 = x_RT[:, right, None], y_RT[:, right, None]
            between_RG = (x_R1 < grid_RG) & (grid_RG < to_x_R1)
            width_R1 = np.where(to_x_R1 > x_R1, to_x_R1 - x_R1, 1.0)
            mixed_RG = y_R1 + (to_y_R1 - y_R1) * ((grid_RG - x_R1) / width_R1)
            best_RG = np.fmax(best_RG, np.where(between_RG, mixed_RG, np.nan))
    return best_RG


def means(values: FloatArray, axis: int) -> FloatArray:
    """Return means over the defined values along an axis; NaN where there is none."""
    defined = ~np.isnan(values)
    counts = defined.sum(axis=axis)
    result = np.full(counts.shape, np.nan)
    np.divide(np.where(defined, values, 0.0).sum(axis=axis), counts, out=result, where=counts > 0)
    return result


def averages(values_RG: FloatArray) -> FloatArray:
    """Return every row's mean; NaN for a row that lacks a place, or where there is none."""
    if not values_RG.shape[1]:
        return np.full(len(values_RG), np.nan)
    found: FloatArray = values_RG.mean(axis=1)
    return found


def interval(values_R: FloatArray, count: int) -> Interval:
    """Return the sample's value with its 95% interval, if nearly all resamples have a value."""
    value, resampled = float(values_R[0]), values_R[1:][~np.isnan(values_R[1:])]
    if math.isnan(value) or len(resampled) < (1 - MOST_UNDEFINED) * (len(values_R) - 1):
        return Interval(value, (math.nan, math.nan), count)
    low, high = (float(end) for end in np.percentile(resampled, (2.5, 97.5)))
    return Interval(value, (min(low, value), max(high, value)), count)
