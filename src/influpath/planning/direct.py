"""``direct``: show the objective at step 1; the floor that SR alone cannot tell from success."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

from influpath.config import FrozenConfig
from influpath.data.ids import IdMap
from influpath.planning.base import Planner, Proposal, State
from influpath.planning.parts import PlannerParts


class DirectConfig(FrozenConfig):
    """``direct`` has no settings."""


class DirectPlanner(Planner):
    """Shows the objective at once.

    Args:
        items: The catalogue, such as ``dataset.items``.
        config: No settings.
    """

    name: ClassVar[str] = "direct"
    config_class: ClassVar[type[FrozenConfig]] = DirectConfig

    def __init__(self, items: IdMap, config: DirectConfig | None = None) -> None:
        self.config = config or DirectConfig()
        self._items = items

    @classmethod
    def build(cls, parts: PlannerParts, model_name: str | None, dials: Mapping[str, Any]) -> Self:
        """See ``Planner.build``."""
        cls.refuse_model(model_name)
        return cls(parts.dataset.items, cls.parse_dials(dials))

    @property
    def items(self) -> IdMap:
        """See ``Planner.items``."""
        return self._items

    def step(self, state: State) -> Proposal:
        """Propose the objective, unless it was rejected."""
        rows = np.arange(len(state))
        barred = state.barred_BI.numpy()[rows, state.objectives_B - 1]
        items_B = np.where(barred, 0, state.objectives_B)
        return Proposal(items_B, np.zeros(len(state), dtype=np.float32))
