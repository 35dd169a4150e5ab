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
from influpath.planning.base import Proposal, State
from influpath.planning.model_planner import ModelPlanner
from influpath.planning.schedule import PositiveIntSchedule, at_step


class OracleConfig(FrozenConfig):
    """The dial of the oracle.

    Attributes:
        k: Size of the candidate set.
    """

    k: PositiveIntSchedule = Field(default=20)


class OraclePlanner(ModelPlanner[OracleConfig]):
    """Greedy one-step look-ahead through the judge, which is given as ``model``."""

    name: ClassVar[str] = "oracle"
    built_from = "judge"
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
        gain_BK = self.model.log_prob_after(
            state.known, item_BK.numpy() + 1, state.objectives_B, state.users_B
        )
        gain_BK[item_BK == objective_B[:, None]] = torch.inf
        gain_BK = gain_BK.masked_fill(score_BK == -torch.inf, -torch.inf)
        best_B, pick_B = gain_BK.max(dim=1)
        picked_B = item_BK.gather(1, pick_B[:, None])[:, 0]
        items_B = torch.where(best_B > -torch.inf, picked_B + 1, 0)
        return Proposal(items_B.numpy(), best_B.clamp(max=0).numpy().astype(np.float32))
