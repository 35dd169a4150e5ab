"""Re-ranking a recommender's top k: what rec2inf, ipg, lookahead and the oracle have in common.

They differ in one thing, the value of a candidate.  Choosing is the same and fair: the best value
first, and among equal values the item that the recommender finds more probable.

Shape suffixes: B rows, K candidates, I catalogue items.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from influpath.config import FrozenConfig
from influpath.planning.base import Proposal, State
from influpath.planning.model_planner import ModelPlanner
from influpath.planning.schedule import PositiveIntSchedule, at_step


class RerankConfig(FrozenConfig):
    """What every re-ranking planner has.

    Attributes:
        k: Size of the candidate set, one number or one per step: how hard the planner pushes.  One
            candidate is the plain recommender; the whole catalogue shows the objective at once
            wherever that comes first.  ``State.push_B`` multiplies it.
    """

    k: PositiveIntSchedule = Field(default=50)


Config = TypeVar("Config", bound=RerankConfig)


@dataclass(frozen=True, eq=False)
class Candidates:
    """The k most probable items of each row that may be shown, the most probable first.

    Attributes:
        column_BK: Catalogue columns (item number - 1).
        log_prob_BK: log P(i | s); -inf where a row has fewer than k items left.
        objective_B1: The objectives' catalogue columns.
    """

    column_BK: Tensor
    log_prob_BK: Tensor
    objective_B1: Tensor

    @classmethod
    def top(cls, scores_BI: Tensor, k: int, state: State) -> "Candidates":
        """Take the k best columns, times what each row is pushed, at least one, of scores.

        Args:
            scores_BI: Scores in which barred items are -inf.
            k: Size of the candidate set of a row that is pushed by 1.
            state: Says by how much each row is.
        """
        size_B = np.clip(np.rint(k * state.push_B), 1, scores_BI.shape[1])
        most = int(size_B.max(initial=1))
        log_prob_BK, column_BK = scores_BI.topk(most, dim=1)
        beyond_BK = torch.arange(most) >= torch.from_numpy(size_B)[:, None]
        log_prob_BK = log_prob_BK.masked_fill(beyond_BK, -torch.inf)
        return cls(column_BK, log_prob_BK, torch.from_numpy(state.objectives_B)[:, None] - 1)

    @property
    def allowed_BK(self) -> Tensor:
        """True where there is an item to show."""
        return self.log_prob_BK > -torch.inf

    @property
    def is_objective_BK(self) -> Tensor:
        """True where the candidate is the objective."""
        return self.column_BK == self.objective_B1


class RerankPlanner(ModelPlanner[Config]):
    """Shows the candidate of the highest value; a subclass says what the value is.

    Attributes:
        objective_first: Whether the objective is shown as soon as it is a candidate.
        tolerance: Values that differ by no more than this are equal.
    """

    objective_first: ClassVar[bool] = True
    tolerance: ClassVar[float] = 0.0

    @property
    def parallel(self) -> bool:
        """See ``Planner.parallel``."""
        return self.model.parallel

    @abstractmethod
    def values(self, state: State, candidates: Candidates) -> Tensor:
        """Return the value of each candidate, [B, K]; what barred ones get is ignored."""

    def step(self, state: State) -> Proposal:
        """Propose the candidate of the highest value; its value is the score."""
        candidates, value_BK, order_BK = self.ranked(state, self.allowed_log_probs(state))
        first_B1 = order_BK[:, :1]
        column_B1, value_B1 = candidates.column_BK.gather(1, first_B1), value_BK.gather(1, first_B1)
        items_B1 = torch.where(value_B1 > -torch.inf, column_B1 + 1, 0)
        return Proposal(items_B1[:, 0].numpy(), value_B1[:, 0].numpy().astype(np.float32))

    def next_item_scores(self, state: State) -> Tensor:
        """Rank the re-ranked candidates first, then the rest by the recommender's score.

        The best of K candidates has K, the last one 1; the rest have log P(i | s), at most 0.
        """
        scores_BI = self.allowed_log_probs(state)
        candidates, _, order_BK = self.ranked(state, scores_BI)
        points_BK = (order_BK.shape[1] - order_BK.argsort(dim=1)).to(scores_BI.dtype)
        others_BK = scores_BI.gather(1, candidates.column_BK)
        points_BK = torch.where(candidates.allowed_BK, points_BK, others_BK)
        return scores_BI.scatter(1, candidates.column_BK, points_BK)

    def ranked(self, state: State, scores_BI: Tensor) -> tuple[Candidates, Tensor, Tensor]:
        """Return candidates, their values (-inf where barred) and their order, best first."""
        candidates = Candidates.top(scores_BI, at_step(self.config.k, state.step), state)
        value_BK = self.values(state, candidates)
        value_BK = value_BK.masked_fill(~candidates.allowed_BK, -torch.inf)
        first_BK = candidates.is_objective_BK & candidates.allowed_BK & self.objective_first
        key_BK = value_BK.masked_fill(first_BK, torch.inf)
        return candidates, value_BK, order_by_value(key_BK, self.tolerance)


def order_by_value(value_BK: Tensor, tolerance: float = 0.0) -> Tensor:
    """Return the places of the values from the highest to the lowest, int64 [B, K].

    Args:
        value_BK: Values, the candidates in the order that decides among equal ones.
        tolerance: Neighbours in the order that differ by no more than this are equal.
    """
    sorted_BK, place_BK = value_BK.sort(dim=1, descending=True, stable=True)
    # inf minus inf is no number, and so no drop: barred candidates are equal.
    drop_BK = sorted_BK[:, :-1] - sorted_BK[:, 1:] > tolerance
    level_BK = torch.nn.functional.pad(drop_BK.cumsum(dim=1), (1, 0))
    level_of_place_BK = torch.empty_like(level_BK).scatter(1, place_BK, level_BK)
    return level_of_place_BK.argsort(dim=1, stable=True)
