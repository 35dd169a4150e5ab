"""Whether a judge's probabilities mean what they say, and the temperature that makes them.

One temperature T rescales every prediction, P_T(i | s) proportional to P(i | s)^(1/T).  It is
fitted on the validation items, which no recommender trains on, and its effect is measured on the
held-out items (Guo et al., On Calibration of Modern Neural Networks, ICML 2017).  Ranks, and with
them every metric of ranks, do not change.

Shape suffixes: R predictions, I catalogue items, K items of a short list.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor

from influpath.data.sequences import IntArray, Sequences
from influpath.data.splits import Split
from influpath.evaluation.reliability import BINS, equal_bins, error_over_bins
from influpath.recommenders.base import Recommender
from influpath.recommenders.validation import Validation

# The temperatures tried.
LOWEST, HIGHEST = 0.2, 5.0


@dataclass(frozen=True)
class Calibration:
    """A judge's temperature and what it does.

    Attributes:
        temperature: T, fitted on the validation items; over 1 if the judge is too sure of itself.
        fitted_on: Number of validation items.
        measured_on: Number of held-out items that the figures below are of.
        loss: Mean -log P of the held-out items, in nats.
        loss_calibrated: The same at temperature T.
        error: Expected calibration error of the top 20; see ``calibration_error``.
        error_calibrated: The same at temperature T.
    """

    temperature: float
    fitted_on: int
    measured_on: int
    loss: float
    loss_calibrated: float
    error: float
    error_calibrated: float

    def to_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return {
            key: value if isinstance(value, int) else round(value, 6)
            for key, value in asdict(self).items()
        }


def calibrate(model: Recommender, split: Split) -> Calibration:
    """Fit a recommender's temperature and measure its calibration.

    Args:
        model: Trained on ``split.train`` with the validation items left out, as every recommender
            of this package is.
        split: Histories, and the held-out items that measure.
    """
    validation = Validation.of(split.train.sequences)
    known = model.users.encode(split.train.users.ids, unknown="mark")
    fitted_RI = predict(model, validation.histories, known[validation.users_R])
    temperature = fit_temperature(fitted_RI, validation.targets_R)
    rows = np.flatnonzero(split.held_out)
    targets_R = split.held_out[rows]
    log_probs_RI = predict(model, split.train.sequences.take(rows), known[rows])
    calibrated_RI = at_temperature(log_probs_RI, temperature)
    return Calibration(
        temperature=temperature,
        fitted_on=len(validation.targets_R),
        measured_on=len(rows),
        loss=mean_loss(log_probs_RI, targets_R),
        loss_calibrated=mean_loss(calibrated_RI, targets_R),
        error=calibration_error(log_probs_RI, targets_R),
        error_calibrated=calibration_error(calibrated_RI, targets_R),
    )


def predict(model: Recommender, histories: Sequences, users: IntArray) -> Tensor:
    """Return log P(i | s) of every history in parts that fit the memory bound, [R, I]."""
    size = model.chunk_rows()
    parts = [
        model.log_probs(
            histories.take(np.arange(start, min(start + size, len(histories)))),
            users[start : start + size],
        )
        for start in range(0, len(histories), size)
    ]
    return torch.cat(parts)


def at_temperature(log_probs_RI: Tensor, temperature: float) -> Tensor:
    """Return log-probabilities at another temperature; at 1 they stay as they are."""
    if temperature == 1:
        return log_probs_RI
    return torch.log_softmax(log_probs_RI / temperature, dim=-1)


def fit_temperature(log_probs_RI: Tensor, targets_R: IntArray) -> float:
    """Return the temperature between 0.2 and 5 at which the targets are most probable."""

    def loss(log_temperature: float) -> float:
        return mean_loss(at_temperature(log_probs_RI, float(np.exp(log_temperature))), targets_R)

    bounds = (np.log(LOWEST), np.log(HIGHEST))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-3})
    return float(np.exp(found.x))


def mean_loss(log_probs_RI: Tensor, targets_R: IntArray) -> float:
    """Return the mean of -log P(target)."""
    picked_R1 = log_probs_RI.gather(1, torch.from_numpy(targets_R)[:, None] - 1)
    return float(-picked_R1.double().mean())


def calibration_error(
    log_probs_RI: Tensor, targets_R: IntArray, k: int = 20, bins: int = BINS
) -> float:
    """Return the expected calibration error of the top ``k`` of every prediction.

    The R x K items that head the predictions are sorted by probability and cut into ``bins`` parts
    of equal size.  The error is the mean over the parts of |mean probability - share that came
    next|.
    """
    log_prob_RK, item_RK = log_probs_RI.topk(min(k, log_probs_RI.shape[1]), dim=1)
    hit_RK = item_RK == torch.from_numpy(targets_R)[:, None] - 1
    probability = log_prob_RK.flatten().exp().double().numpy()
    hit = hit_RK.flatten().double().numpy()
    return error_over_bins(probability, hit, equal_bins(probability, bins))
