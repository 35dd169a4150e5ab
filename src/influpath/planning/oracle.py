"""``oracle``: looks through the judge itself; the yardstick at equal k, no honest planner.

Among the judge's top k it shows the item after which P(objective) is highest, and the objective as
soon as that is among the top k.

Shape suffixes: B rows, K candidates, I catalogue items.
"""

from typing import ClassVar

import numpy as np
import torch
from pydantic import Field

from influpath.config import FrozenConfig
from influpath.data.sequences import IntArray, Sequences
from influpath.planning.base import Proposal, State
from influpath.planning.model_planner import ModelPlanner
from influpath.planning.schedule import IntSchedule, at_step


class OracleConfig(FrozenConfig):
    """The dial of the oracle.

    Attributes:
        k: Size of the candidate set.
    """

    k: IntSchedule = Field(default=20)


class OraclePlanner(ModelPlanner[OracleConfig]):
    """Greedy one-step look-ahead through the judge, which is given as ``model``."""

    name: ClassVar[str] = "oracle"
    config_class: ClassVar[type[FrozenConfig]] = OracleConfig

    @property
    def label(self) -> str:
        """See ``Planner.label``: the judge is understood."""
        return self.name

    def step(self, state: State) -> Proposal:
        """Propose the item of the top k that raises the objective's probability most."""
        scores_BI = self.allowed_log_probs(state)
        k = min(at_step(self.config.k, state.step), scores_BI.shape[1])
        score_BK, item_BK = scores_BI.topk(k, dim=1)
        objective_B = torch.from_numpy(state.objectives_B) - 1
        gain_BK = self.objective_after(state, item_BK.numpy() + 1)
        gain_BK[item_BK == objective_B[:, None]] = torch.inf
        gain_BK = gain_BK.masked_fill(score_BK == -torch.inf, -torch.inf)
        best_B, pick_B = gain_BK.max(dim=1)
        picked_B = item_BK.gather(1, pick_B[:, None])[:, 0]
        items_B = torch.where(best_B > -torch.inf, picked_B + 1, 0)
        return Proposal(items_B.numpy(), best_B.clamp(max=0).numpy().astype(np.float32))

    def objective_after(self, state: State, items_BK: IntArray) -> torch.Tensor:
        """Return log P(objective | s_h + s_p + candidate) for every candidate, [B, K]."""
        batch, k = items_BK.shape
        flat = np.arange(batch * k)
        columns = torch.from_numpy(np.repeat(state.objectives_B, k) - 1)
        users = np.repeat(state.users_B, k)
        result = torch.empty(batch * k)
        size = self.model.chunk_rows()
        for start in range(0, batch * k, size):
            rows = flat[start : start + size]
            one = np.ones(len(rows), dtype=np.int64)
            candidate = Sequences.from_lengths(items_BK.reshape(-1)[rows], one)
            extended = state.known.take(rows // k).extend(candidate)
            log_probs = self.model.log_probs(extended, users[rows])
            result[rows] = log_probs.gather(1, columns[rows][:, None])[:, 0]
        return result.view(batch, k)
