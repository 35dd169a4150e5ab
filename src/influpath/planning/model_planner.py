"""What planners built on one recommender share.

Shape suffixes: B rows, I catalogue items.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Self, TypeVar

import torch
from torch import Tensor

from influpath.config import FrozenConfig
from influpath.data.ids import IdMap
from influpath.data.sequences import IntArray
from influpath.planning.base import PlanBatch, Planner, State
from influpath.planning.parts import PlannerParts
from influpath.recommenders.base import Recommender
from influpath.recommenders.reader import Reader

Config = TypeVar("Config", bound=FrozenConfig)


@dataclass(eq=False)
class ReadingState(State):
    """A state whose rows a recommender reads along.

    Attributes:
        reader: What the planner's recommender has read of each row.
    """

    reader: Reader = field(kw_only=True)

    def append(self, items_B: IntArray, shown: bool = True) -> None:
        """See ``State.append``; the recommender reads the items too."""
        super().append(items_B, shown)
        if items_B.any():
            self.reader.append(items_B)

    def keep(self, rows: IntArray) -> None:
        """See ``State.keep``; the reader follows."""
        super().keep(rows)
        self.reader.keep(rows)


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

    def start(self, batch: PlanBatch) -> State:
        """See ``Planner.start``: the recommender reads the histories, once."""
        reader = self.model.reader(batch.histories, batch.users_B)
        return ReadingState(**vars(State.begin(batch)), reader=reader)

    def reading(self, state: State) -> Reader:
        """Return what reads along with the state, or a new reader of what is known in it."""
        if isinstance(state, ReadingState):
            return state.reader
        return self.model.reader(state.known, state.users_B)

    def allowed_log_probs(self, state: State) -> Tensor:
        """Return log P(i | s_h + s_p) with barred items at -inf, [B, I]."""
        log_probs_BI = self.reading(state).log_probs()
        return log_probs_BI.masked_fill(state.barred_BI, -torch.inf)
