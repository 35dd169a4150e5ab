"""Conformance tests that every recommender and planner must pass, in tree or in another package.

Subclass in a test module, say how to make the component, and run pytest::

    from influpath.testing import RecommenderConformance

    class TestMine(RecommenderConformance):
        recommender = MyRecommender
        settings = {"embedding_size": 8}

This package needs pytest; nothing else of influpath imports it.
"""

import pytest

pytest.register_assert_rewrite(
    "influpath.testing.recommender_conformance",
    "influpath.testing.planner_case",
    "influpath.testing.planner_paths",
    "influpath.testing.planner_responses",
    "influpath.testing.planner_steps",
)

from influpath.testing.planner_conformance import PlannerConformance  # noqa: E402
from influpath.testing.recommender_conformance import RecommenderConformance  # noqa: E402
from influpath.testing.tiny import tiny_dataset, tiny_feasibility, tiny_pairs  # noqa: E402

__all__ = [
    "PlannerConformance",
    "RecommenderConformance",
    "tiny_dataset",
    "tiny_feasibility",
    "tiny_pairs",
]
