"""``lookahead``: show the candidate after which the objective is most probable, one step ahead.

Among its own top k the recommender is asked how probable the objective would be after each
candidate, and the highest wins; the objective itself is shown as soon as it is a candidate.  It is
blind: the recommender stands in for the user, and no judge is asked.

A schedule of k turns late, which costs less smoothness: ``k = (1,) * 15 + (200,)`` follows the
recommender for 15 steps and then looks among 200.

Shape suffixes: B rows, K candidates.
"""

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from influpath.config import FrozenConfig
from influpath.planning.base import State
from influpath.planning.candidates import Candidates, RerankConfig, RerankPlanner
from influpath.planning.schedule import PositiveIntSchedule


class LookaheadConfig(RerankConfig):
    """The dial of the look-ahead.

    Attributes:
        k: Size of the candidate set, one number or one per step; 20, as the oracle's.
    """

    k: PositiveIntSchedule = Field(default=20)


class LookaheadPlanner(RerankPlanner[LookaheadConfig]):
    """Greedy one-step look-ahead through the recommender's own eyes.

    The score of a proposal is log P(objective | s + item), and 0 for the objective.
    """

    name: ClassVar[str] = "lookahead"
    config_class: ClassVar[type[FrozenConfig]] = LookaheadConfig

    def values(self, state: State, candidates: Candidates) -> Tensor:
        """Return log P(objective | s + candidate), [B, K]; 0 for the objective itself."""
        after_BK = self.reading(state).log_prob_after(
            candidates.column_BK.numpy() + 1, state.objectives_B
        )
        return after_BK.masked_fill(candidates.is_objective_BK, 0.0)
