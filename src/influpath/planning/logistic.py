"""A small logistic regression with a ridge: on features, their squares and products.

Shape suffixes: P pairs, F features, T terms (features and products), N values of each feature.
"""

from collections.abc import Sequence
from functools import cached_property
from itertools import combinations_with_replacement

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import minimize
from scipy.special import expit
from torch import Tensor

from influpath.config import FrozenConfig
from influpath.errors import ConfigError

FloatArray = npt.NDArray[np.float64]

# Chosen for feasibility, as the products were, by cross-validation over the dial users of
# MovieLens-1M.
RIDGE = 20.0


class Logistic(FrozenConfig):
    """A logistic regression on standardised features, their squares and products.

    What lies outside the range that it was fitted on counts as the end of that range.

    Attributes:
        features: Their names.
        lows: Least value of each where it was fitted.
        highs: Greatest value there.
        means: Mean there.
        scales: Standard deviation there.
        weights: One per term, in the order of ``terms``.
        intercept: The logit where every feature has its mean.
    """

    features: tuple[str, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float

    @property
    def terms(self) -> list[tuple[int, ...]]:
        """The features, each alone and with each that does not come before it."""
        return terms_of(len(self.features))

    @cached_property
    def _tables(self) -> tuple[Tensor, Tensor]:
        """Lows, highs, means, scales and weights of the features, [5, F, 1]; of products, [F, F].

        The weight of a product stands in the row of its first feature.
        """
        count = len(self.features)
        alone = (self.lows, self.highs, self.means, self.scales, self.weights[:count])
        product_FF = torch.zeros(count, count, dtype=torch.float64)
        for weight, term in zip(self.weights[count:], self.terms[count:], strict=True):
            product_FF[term] = weight
        return torch.tensor(alone, dtype=torch.float64)[..., None], product_FF

    def logits(self, features: Sequence[Tensor]) -> Tensor:
        """Return logits, of the shape that each feature has.

        Args:
            features: One tensor per feature, in order.
        """
        value_F = torch.stack(tuple(features))
        alone_5F1, product_FF = (table.to(value_F.dtype) for table in self._tables)
        low_F1, high_F1, mean_F1, scale_F1, weight_F1 = alone_5F1
        inside_FN = value_F.flatten(1).clamp(low_F1, high_F1)
        standard_FN = (inside_FN - mean_F1) / scale_F1
        # Each product once: few operations, since they take longer than what they compute.
        slope_FN = torch.addmm(weight_F1, product_FF, standard_FN)
        logit_N: Tensor = (slope_FN * standard_FN).sum(0) + self.intercept
        return logit_N.view(value_F.shape[1:])

    def predict(self, features_PF: FloatArray) -> FloatArray:
        """Return the probability of each pair, float64 [P]."""
        found: FloatArray = self.logits(list(torch.from_numpy(features_PF).T)).sigmoid().numpy()
        return found


def terms_of(features: int) -> list[tuple[int, ...]]:
    """Return each feature alone, then each product of two, as places."""
    alone: list[tuple[int, ...]] = [(place,) for place in range(features)]
    return alone + list(combinations_with_replacement(range(features), 2))


def fit_logistic(
    features_PF: FloatArray,
    outcomes_P: npt.ArrayLike,
    names: Sequence[str],
    ridge: float = RIDGE,
) -> Logistic:
    """Fit a logistic regression with a ridge on its weights, the intercept left free.

    Args:
        features_PF: Features of pairs.
        outcomes_P: 1 where the user accepted the objective, else 0.
        names: Of the features.
        ridge: Strength of the penalty ``ridge / 2 * sum of squared weights``.

    Raises:
        ConfigError: There are too few pairs, or all have the same outcome.
    """
    outcome_P = np.asarray(outcomes_P, dtype=np.float64)
    accepted = int(outcome_P.sum())
    if not 0 < accepted < len(outcome_P):
        raise ConfigError(
            f"feasibility cannot be fitted: {accepted} of {len(outcome_P)} pairs were accepted; "
            "give pairs with both outcomes."
        )
    mean_F, scale_F = features_PF.mean(0), features_PF.std(0)
    # A feature that never changes says nothing.
    scale_F = np.where(scale_F > 1e-9 * (1 + np.abs(mean_F)), scale_F, 1.0)
    standard_PF = (features_PF - mean_F) / scale_F
    columns = [standard_PF[:, term].prod(1) for term in terms_of(len(mean_F))]
    design_PT = np.column_stack([np.ones(len(outcome_P)), *columns])
    penalty_T = np.full(design_PT.shape[1], ridge)
    penalty_T[0] = 0

    def loss(weights_T: FloatArray) -> tuple[float, FloatArray]:
        logit_P = design_PT @ weights_T
        value = np.logaddexp(0, logit_P).sum() - outcome_P @ logit_P
        gradient_T = design_PT.T @ (expit(logit_P) - outcome_P) + penalty_T * weights_T
        return float(value + penalty_T @ weights_T**2 / 2), gradient_T

    start = np.zeros(design_PT.shape[1])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"gtol": 1e-8}).x
    return Logistic(
        features=tuple(names),
        lows=tuple(map(float, features_PF.min(0))),
        highs=tuple(map(float, features_PF.max(0))),
        means=tuple(map(float, mean_F)),
        scales=tuple(map(float, scale_F)),
        weights=tuple(map(float, found[1:])),
        intercept=float(found[0]),
    )
