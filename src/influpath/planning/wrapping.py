"""What planners that stand around another planner share: all but what they do differently."""

from typing import Any, ClassVar

from influpath.data.ids import IdMap
from influpath.planning.base import PlanBatch, Planner, Proposal, State


class WrappingPlanner(Planner):
    """Is as the planner it wraps in everything that a subclass does not say otherwise.

    Args:
        planner: The planner to wrap.

    Attributes:
        mode: What the label adds to that of the other planner.
    """

    mode: ClassVar[str]

    def __init__(self, planner: Planner) -> None:
        self.planner = planner
        self.config = planner.config

    @property
    def items(self) -> IdMap:
        """See ``Planner.items``."""
        return self.planner.items

    @property
    def users(self) -> IdMap | None:
        """See ``Planner.users``."""
        return self.planner.users

    @property
    def label(self) -> str:
        """See ``Planner.label``."""
        return f"{self.planner.label}, {self.mode}"

    @property
    def parallel(self) -> bool:
        """See ``Planner.parallel``."""
        return self.planner.parallel

    def rows_at_once(self, threads: int = 1) -> int:
        """See ``Planner.rows_at_once``."""
        return self.planner.rows_at_once(threads)

    def start(self, batch: PlanBatch) -> State:
        """See ``Planner.start``."""
        return self.planner.start(batch)

    def step(self, state: Any) -> Proposal:
        """See ``Planner.step``."""
        return self.planner.step(state)
