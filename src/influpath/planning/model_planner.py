"""What planners built on one recommender share.

Shape suffixes: B rows, I catalogue items.
"""

from collections.abc import Mapping
from typing import Any, Generic, Self, TypeVar

import torch
from torch import Tensor

from influpath.config import FrozenConfig
from influpath.data.ids import IdMap
from influpath.planning.base import Planner, State
from influpath.planning.parts import PlannerParts
from influpath.recommenders.base import Recommender

Config = TypeVar("Config", bound=FrozenConfig)


class ModelPlanner(Planner, Generic[Config]):
    """A planner on a recommender; labelled ``<planner>/<recommender>``.

    Args:
        model: A fitted recommender.
        config: The dials; or
        dials: the same as keywords.
    """

    config: Config

    def __init__(self, model: Recommender, config: Config | None = None, **dials: object) -> None:
        self.model = model
        chosen = config or self.config_class.parse(dict(dials), f"dials of {self.name}")
        self.config = chosen  # type: ignore[assignment]

    @classmethod
    def build(cls, parts: PlannerParts, model_name: str | None, dials: Mapping[str, Any]) -> Self:
        """See ``Planner.build``: ``cls(model, config)`` with the model that the label names."""
        return cls(cls.pick_model(parts, model_name), cls.parse_dials(dials))

    @classmethod
    def pick_model(cls, parts: PlannerParts, model_name: str | None) -> Recommender:
        """Return the model named after the slash, or else the one of the planner's own name.

        Raises:
            ConfigError: There is no such model.
        """
        label = cls.name if model_name is None else f"{cls.name}/{model_name}"
        return parts.model(model_name or cls.name, label)

    @property
    def items(self) -> IdMap:
        """See ``Planner.items``."""
        return self.model.items

    @property
    def users(self) -> IdMap:
        """See ``Planner.users``."""
        return self.model.users

    @property
    def label(self) -> str:
        """See ``Planner.label``."""
        return f"{self.name}/{self.model.name}"

    def allowed_log_probs(self, state: State) -> Tensor:
        """Return log P(i | s_h + s_p) with barred items at -inf, [B, I]."""
        log_probs_BI = self.model.log_probs(state.known, state.users_B)
        return log_probs_BI.masked_fill(state.barred_BI, -torch.inf)
