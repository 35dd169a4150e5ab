"""``vanilla``: the recommender alone, which ignores the objective (Table III, "Vanilla")."""

from typing import ClassVar

from torch import Tensor

from influpath.config import FrozenConfig
from influpath.planning.base import Proposal, State, best_allowed
from influpath.planning.model_planner import ModelPlanner


class VanillaConfig(FrozenConfig):
    """``vanilla`` has no dials."""


class VanillaPlanner(ModelPlanner[VanillaConfig]):
    """Shows the most probable next item, step by step."""

    name: ClassVar[str] = "vanilla"
    config_class: ClassVar[type[FrozenConfig]] = VanillaConfig

    @property
    def parallel(self) -> bool:
        """See ``Planner.parallel``."""
        return self.model.parallel

    def step(self, state: State) -> Proposal:
        """Propose the most probable item."""
        return best_allowed(self.next_item_scores(state))

    def next_item_scores(self, state: State) -> Tensor:
        """See ``Planner.next_item_scores``."""
        return self.allowed_log_probs(state)
