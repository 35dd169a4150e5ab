"""What must hold for every planner."""

from influpath.testing.planner_case import assert_same_paths, make_batch, renumbered
from influpath.testing.planner_paths import PathConformance
from influpath.testing.planner_responses import ResponseConformance
from influpath.testing.planner_steps import StepConformance

__all__ = ["PlannerConformance", "assert_same_paths", "make_batch", "renumbered"]


class PlannerConformance(PathConformance, StepConformance, ResponseConformance):
    """Subclass it as ``Test...`` and override the fixture ``planner``.

    Attributes:
        max_length: M in these tests.
    """
