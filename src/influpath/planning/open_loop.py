"""A planner without re-planning: the path made at the start is shown, whatever users say.

What a user rejected or ignored, or took already, is skipped.  It is the yardstick that shows what
re-planning is worth: the same planner, deaf.

Shape suffixes: B rows, M path items, I catalogue items.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from influpath.data.sequences import IntArray
from influpath.planning.base import PlanBatch, Proposal, State
from influpath.planning.wrapping import WrappingPlanner


@dataclass(eq=False)
class OpenLoopState(State):
    """The state of showing finished paths.

    Attributes:
        path_BM: The path of each row, 0 after its end.
        scores_BM: The score of each of its items.
    """

    path_BM: IntArray = field(kw_only=True)
    scores_BM: npt.NDArray[np.float32] = field(kw_only=True)

    def keep(self, rows: npt.NDArray[np.int64]) -> None:
        """See ``State.keep``; the paths follow."""
        super().keep(rows)
        self.path_BM, self.scores_BM = self.path_BM[rows], self.scores_BM[rows]


class OpenLoopPlanner(WrappingPlanner):
    """Shows the path that another planner makes at the start.

    Args:
        planner: Makes the path, as if everything were accepted.
    """

    name = "open-loop"
    mode = "open loop"

    def start(self, batch: PlanBatch) -> OpenLoopState:
        """See ``Planner.start``: the whole path is made here.

        Rows go on after their objective, so that all stay in step; what comes then is cut off.
        """
        state, rows = self.planner.start(batch), len(batch.objectives_B)
        path_BM = np.zeros((rows, batch.max_length), dtype=np.int64)
        scores_BM = np.zeros(path_BM.shape, dtype=np.float32)
        for slot in range(batch.max_length):
            proposal = self.planner.step(state)
            path_BM[:, slot], scores_BM[:, slot] = proposal.items_B, proposal.scores_B
            state.append(proposal.items_B)
        over_BM = np.cumsum(path_BM == batch.objectives_B[:, None], axis=1) > 0
        over_BM[:, 1:], over_BM[:, 0] = over_BM[:, :-1].copy(), False
        return OpenLoopState(
            **vars(State.begin(batch)),
            path_BM=np.where(over_BM, 0, path_BM),
            scores_BM=scores_BM,
        )

    def step(self, state: OpenLoopState) -> Proposal:
        """Propose the first item of each path that may be shown."""
        column_BM = torch.from_numpy(np.maximum(state.path_BM, 1) - 1)
        barred_BM = state.barred_BI.gather(1, column_BM).numpy() | (state.path_BM == 0)
        first_B1 = (~barred_BM).argmax(axis=1)[:, None]
        none_B = barred_BM.all(axis=1)
        items_B = np.take_along_axis(state.path_BM, first_B1, axis=1)[:, 0]
        scores_B = np.take_along_axis(state.scores_BM, first_B1, axis=1)[:, 0]
        return Proposal(np.where(none_B, 0, items_B), scores_B)
