"""Means with 95% bootstrap intervals over users.

Shape suffixes: P values (pairs), K columns (metrics, steps), G users, B resamples of a block.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

RESAMPLES = 2000
# Draws held at once: 32 MiB.
BLOCK_DRAWS = 4 << 20


@dataclass(frozen=True)
class Interval:
    """A mean, its 95% interval, and the count of values behind it.

    Attributes:
        mean: NaN where no value is defined.
        ci95: Lower and upper end.
        count: Values that are defined.
    """

    mean: float
    ci95: tuple[float, float]
    count: int

    def to_dict(self) -> dict[str, Any]:
        """Return ``mean, ci95, n`` for JSON; undefined numbers are None."""
        low, high = self.ci95
        return {
            "mean": _or_none(self.mean),
            "ci95": [_or_none(low), _or_none(high)],
            "n": self.count,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Interval":
        """Read back what ``to_dict`` returned."""
        low, high = values["ci95"]
        return cls(_or_nan(values["mean"]), (_or_nan(low), _or_nan(high)), int(values["n"]))


def bootstrap_mean(
    values: npt.ArrayLike,
    seed: int,
    resamples: int = RESAMPLES,
    users: npt.NDArray[Any] | None = None,
) -> Interval:
    """Return a mean with its percentile bootstrap interval.

    Args:
        values: Numbers [P]; NaN where undefined, left out of mean and count.
        seed: Decides the resamples.
        resamples: Number of resamples.
        users: User of each value, [P]; the values of one user are drawn together.  By default
            every value is a user of its own.
    """
    return bootstrap_means(np.asarray(values, dtype=np.float64)[:, None], seed, resamples, users)[0]


def bootstrap_means(
    values_PK: FloatArray,
    seed: int,
    resamples: int = RESAMPLES,
    users: npt.NDArray[Any] | None = None,
) -> list[Interval]:
    """Return ``bootstrap_mean`` of each column, all on the same resamples of the users.

    Raises:
        ValueError: A value is infinite.
    """
    values_PK = np.asarray(values_PK, dtype=np.float64)
    resampled = resampled_means(values_PK, seed, resamples, users)
    defined_PK = ~np.isnan(values_PK)
    filled_PK = np.where(defined_PK, values_PK, 0.0)
    result = []
    for column, (total, count) in enumerate(zip(filled_PK.sum(0), defined_PK.sum(0), strict=True)):
        means = resampled[:, column]
        means = means[~np.isnan(means)]
        if not count or not len(means):
            result.append(Interval(math.nan, (math.nan, math.nan), int(count)))
            continue
        mean = float(total / count)
        low, high = (float(end) for end in np.percentile(means, (2.5, 97.5)))
        # Sums in another order round differently, which equal values would otherwise show.
        result.append(Interval(mean, (min(low, mean), max(high, mean)), int(count)))
    return result


def resampled_means(
    values_PK: FloatArray,
    seed: int,
    resamples: int = RESAMPLES,
    users: npt.NDArray[Any] | None = None,
) -> FloatArray:
    """Return the mean of each column in each resample of the users: [resamples, K].

    The resamples are those of ``bootstrap_means`` with the same seed and users.  A mean is NaN in
    a resample without a defined value.

    Raises:
        ValueError: A value is infinite.
    """
    values_PK = np.asarray(values_PK, dtype=np.float64)
    if np.isinf(values_PK).any():
        raise ValueError("values must be finite, or NaN where undefined")
    defined_PK = ~np.isnan(values_PK)
    filled_PK = np.where(defined_PK, values_PK, 0.0)
    if users is None:
        sums_GK, counts_GK = filled_PK, defined_PK.astype(np.float64)
    else:
        group_P = np.unique(users, return_inverse=True)[1]
        sums_GK = np.zeros((int(group_P.max(initial=-1)) + 1, values_PK.shape[1]))
        counts_GK = np.zeros_like(sums_GK)
        np.add.at(sums_GK, group_P, filled_PK)
        np.add.at(counts_GK, group_P, defined_PK)
    return _resampled_means(sums_GK, counts_GK, seed, resamples)


def paired_difference(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    seed: int,
    resamples: int = RESAMPLES,
    users: npt.NDArray[Any] | None = None,
) -> Interval:
    """Return the mean of ``a - b`` over the same pairs, with its interval.

    Args:
        a: Numbers [P].
        b: Numbers [P], of the same pairs in the same order.  A pair where either is NaN is left
            out of mean and count.
        seed: Decides the resamples.
        resamples: Number of resamples.
        users: As in ``bootstrap_mean``.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.shape != b.shape:
        raise ValueError("a and b must be of the same pairs")
    return bootstrap_mean(a - b, seed, resamples, users)


def _resampled_means(
    sums_GK: FloatArray, counts_GK: FloatArray, seed: int, resamples: int
) -> FloatArray:
    """Return the mean of each column in each resample of the G users, [resamples, K]."""
    users = len(sums_GK)
    result = np.full((resamples, sums_GK.shape[1]), np.nan)
    if not users:
        return result
    rng = np.random.default_rng([seed, 0xB007])
    block = max(1, BLOCK_DRAWS // users)
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        drawn = rng.integers(users, size=(size, users))
        drawn += np.arange(size)[:, None] * users
        times_BG = np.bincount(drawn.ravel(), minlength=size * users).reshape(size, users)
        times_BG = times_BG.astype(np.float64)
        counts_BK = times_BG @ counts_GK
        np.divide(
            times_BG @ sums_GK, counts_BK, out=result[start : start + size], where=counts_BK > 0
        )
    return result


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else float(value)
