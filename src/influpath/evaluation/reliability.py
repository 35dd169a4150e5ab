"""Whether predicted probabilities come true: calibration, discrimination, sharpness.

Shape suffixes: P predictions.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from influpath.evaluation.intervals import Interval, bootstrap_mean

FloatArray = npt.NDArray[np.float64]

BINS = 10


@dataclass(frozen=True)
class Bin:
    """Predictions of about the same size.

    Attributes:
        predicted: Their mean.
        happened: The share that came true, with its interval.
    """

    predicted: float
    happened: Interval


@dataclass(frozen=True)
class Reliability:
    """How far predicted probabilities can be trusted.

    Attributes:
        count: Predictions.
        predicted: Their mean.
        happened: The share that came true.
        ece: Expected calibration error: the mean over the bins of |predicted - happened|.
        ece_by_chance: What it would be on average if every prediction were exactly right, since
            bins of finite size never agree to the last digit.
        brier: Mean squared error of the predictions; lower is better.
        brier_of_the_mean: The same where everybody is given the share that came true.
        auc: How often a prediction that came true is above one that did not; NaN where all or
            none came true.
        bins: Parts of equal size, the lowest predictions first.
    """

    count: int
    predicted: float
    happened: Interval
    ece: float
    ece_by_chance: float
    brier: Interval
    brier_of_the_mean: float
    auc: float
    bins: tuple[Bin, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return {
            "n": self.count,
            "predicted": self.predicted,
            "happened": self.happened.to_dict(),
            "ece": self.ece,
            "ece_by_chance": self.ece_by_chance,
            "brier": self.brier.to_dict(),
            "brier_of_the_mean": self.brier_of_the_mean,
            "auc": None if np.isnan(self.auc) else self.auc,
            "bins": [
                {"predicted": each.predicted, "happened": each.happened.to_dict()}
                for each in self.bins
            ],
        }


def reliability(
    predicted_P: npt.ArrayLike, happened_P: npt.ArrayLike, seed: int, bins: int = BINS
) -> Reliability:
    """Compare probabilities with what happened, one user each.

    Args:
        predicted_P: Probabilities.
        happened_P: 1 where it came true, else 0.
        seed: Decides the bootstrap, and the chance level of the error.
        bins: Parts of equal size (Nixon et al., Measuring Calibration in Deep Learning, 2019).

    Raises:
        ValueError: There are no predictions, or they are no probabilities.
    """
    p_P, y_P = np.asarray(predicted_P, dtype=float), np.asarray(happened_P, dtype=float)
    if not len(p_P) or p_P.shape != y_P.shape or not ((p_P >= 0) & (p_P <= 1)).all():
        raise ValueError("give one probability per outcome, at least one")
    parts = equal_bins(p_P, bins)
    rng = np.random.default_rng([seed, 0xCA11])
    drawn = rng.random((200, len(p_P))) < p_P
    chance = [error_over_bins(p_P, each.astype(float), parts) for each in drawn]
    return Reliability(
        count=len(p_P),
        predicted=float(p_P.mean()),
        happened=bootstrap_mean(y_P, seed),
        ece=error_over_bins(p_P, y_P, parts),
        ece_by_chance=float(np.mean(chance)),
        brier=bootstrap_mean((p_P - y_P) ** 2, seed),
        brier_of_the_mean=float(y_P.var()),
        auc=area_under_curve(p_P, y_P),
        bins=tuple(Bin(float(p_P[part].mean()), bootstrap_mean(y_P[part], seed)) for part in parts),
    )


def equal_bins(p_P: FloatArray, bins: int) -> list[npt.NDArray[np.int64]]:
    """Return the places of the predictions in parts of equal size, the lowest first."""
    order = np.argsort(p_P, kind="stable")
    edges = np.linspace(0, len(order), min(bins, len(order)) + 1).astype(int)
    return np.split(order, edges[1:-1])


def error_over_bins(p_P: FloatArray, y_P: FloatArray, parts: list[npt.NDArray[np.int64]]) -> float:
    """Return the mean over the parts of |mean prediction - share that came true|, by size."""
    gaps = [abs(p_P[part].mean() - y_P[part].mean()) * len(part) for part in parts]
    return float(sum(gaps) / len(p_P))


def area_under_curve(p_P: FloatArray, y_P: FloatArray) -> float:
    """Return the area under the ROC curve; ties count half.  NaN where all or none came true."""
    true = int(y_P.sum())
    false = len(y_P) - true
    if not true or not false:
        return float("nan")
    ranks_P = rankdata(p_P)
    return float((ranks_P[y_P > 0].sum() - true * (true + 1) / 2) / (true * false))
