"""``oracle``: looks through the judge itself; the yardstick at equal k, no honest planner.

It is the look-ahead whose recommender is the judge: among the judge's top k it shows the item after
which P(objective) is highest, and the objective as soon as that is among the top k.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from influpath.config import FrozenConfig
from influpath.errors import ConfigError
from influpath.planning.lookahead import LookaheadConfig, LookaheadPlanner
from influpath.planning.parts import PlannerParts


class OracleConfig(LookaheadConfig):
    """The dial of the oracle; see ``LookaheadConfig``."""


class OraclePlanner(LookaheadPlanner):
    """Greedy one-step look-ahead through the judge, which is given as ``model``."""

    name: ClassVar[str] = "oracle"
    config_class: ClassVar[type[FrozenConfig]] = OracleConfig

    @classmethod
    def build(cls, parts: PlannerParts, model_name: str | None, dials: Mapping[str, Any]) -> Self:
        """See ``Planner.build``: the judge stands where others have a model of their own."""
        if parts.judge is None:
            raise ConfigError(f"planner {cls.name!r} looks through a judge; give one.")
        return cls(parts.judge, cls.parse_dials(dials))

    @property
    def label(self) -> str:
        """See ``Planner.label``: the judge is understood."""
        return self.name
