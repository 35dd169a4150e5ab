"""Rank correlations between planners' means, with intervals from resampling users.

Shape suffixes: P pairs (users), N points (planners with dials), C couples of points,
R resamples.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from influpath.evaluation.intervals import RESAMPLES, resampled_means

FloatArray = npt.NDArray[np.float64]


def rank_correlations(
    metrics: Sequence[FloatArray], true_PN: FloatArray, seed: int, resamples: int = RESAMPLES
) -> list[dict[str, Any]]:
    """Return Spearman's rho and Kendall's tau-b of each metric's means with the true means.

    Both are recomputed on the means of every resample of the users; the same users are drawn for
    metric and truth, and the points stay.

    Args:
        metrics: Per metric one value per pair and point, float64 [P, N]; NaN where undefined.
        true_PN: What is to be ranked by.
        seed: Decides the resamples.
        resamples: How many.

    Returns:
        Per metric ``rho`` and ``tau``, each ``value, ci95``; None where a mean is undefined or all
        means are equal.
    """
    true_N, true_RN = means(true_PN), resampled_means(true_PN, seed, resamples)
    found = []
    for values_PN in metrics:
        own_N, own_RN = means(values_PN), resampled_means(values_PN, seed, resamples)
        found.append(
            {
                name: interval(function(own_N[None], true_N[None]), function(own_RN, true_RN))
                for name, function in (("rho", spearman), ("tau", kendall))
            }
        )
    return found


def means(values_PN: FloatArray) -> FloatArray:
    """Return the mean of every point over the pairs where it is defined, [N]."""
    defined_PN = ~np.isnan(values_PN)
    result = np.full(values_PN.shape[1], np.nan)
    total_N, count_N = np.where(defined_PN, values_PN, 0.0).sum(0), defined_PN.sum(0)
    np.divide(total_N, count_N, out=result, where=count_N > 0)
    return result


def spearman(a_RN: FloatArray, b_RN: FloatArray) -> FloatArray:
    """Return Spearman's rho of every row, float64 [R]; NaN where it is undefined."""
    return correlation(ranks(a_RN), ranks(b_RN))


def kendall(a_RN: FloatArray, b_RN: FloatArray) -> FloatArray:
    """Return Kendall's tau-b of every row, float64 [R]; NaN where it is undefined."""
    upper = np.triu_indices(a_RN.shape[1], 1)
    # Of two points, which is the better one: -1, 0 or 1.
    a_RC, b_RC = (np.sign(x[:, upper[0]] - x[:, upper[1]]) for x in (a_RN, b_RN))
    norm_R = np.sqrt((a_RC**2).sum(1) * (b_RC**2).sum(1))
    result = np.full(len(a_RN), np.nan)
    np.divide((a_RC * b_RC).sum(1), norm_R, out=result, where=norm_R > 0)
    return result


def ranks(values_RN: FloatArray) -> FloatArray:
    """Return the ranks in every row, equal values sharing theirs; NaN in a row with any."""
    return np.asarray(rankdata(values_RN, axis=1, nan_policy="propagate"), dtype=np.float64)


def correlation(a_RN: FloatArray, b_RN: FloatArray) -> FloatArray:
    """Return Pearson's correlation of every row; NaN where it is undefined."""
    a_RN = a_RN - a_RN.mean(1, keepdims=True)
    b_RN = b_RN - b_RN.mean(1, keepdims=True)
    norm_R = np.sqrt((a_RN**2).sum(1) * (b_RN**2).sum(1))
    result = np.full(len(a_RN), np.nan)
    np.divide((a_RN * b_RN).sum(1), norm_R, out=result, where=norm_R > 0)
    return result


def interval(value: FloatArray, resampled_R: FloatArray) -> dict[str, Any]:
    """Return a value with the percentiles of its resamples."""
    defined = resampled_R[~np.isnan(resampled_R)]
    if np.isnan(value[0]) or not len(defined):
        return {"value": None, "ci95": [None, None]}
    ends = np.percentile(defined, (2.5, 97.5))
    return {"value": float(value[0]), "ci95": [float(end) for end in ends]}
