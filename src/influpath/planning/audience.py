"""The reverse question: which users can be led to an objective, the most feasible first."""

from collections.abc import Iterable
from typing import Any

import polars as pl

from influpath.data.dataset import Dataset
from influpath.planning.aims import aim
from influpath.planning.feasibility import MINIMUM, Feasibility
from influpath.planning.objectives import Objective
from influpath.recommenders.base import Recommender


def audience(
    model: Recommender,
    objective: Objective,
    histories: Dataset,
    feasibility: Feasibility,
    users: Iterable[Any] | None = None,
    minimum: float = MINIMUM,
) -> pl.DataFrame:
    """Rank users by how feasible it is to lead them to an objective.

    Args:
        model: The planner's model.
        objective: An item, a set of items or a category.
        histories: The users' histories.
        feasibility: Calibrated for the model.
        users: Outside user ids; by default everyone in ``histories``.
        minimum: Users below it count as not reachable.

    Returns:
        Frame ``user_id, item_id, feasibility, reachable, rank, note``, the most feasible user
        first.  ``item_id`` is the member that the user can reach best, missing where the user has
        had them all.

    Raises:
        As ``aim``.
    """
    return (
        aim(model, objective, histories, feasibility, users, minimum)
        .sort("feasibility", descending=True, nulls_last=True, maintain_order=True)
        .select(
            "user_id",
            pl.col("objective_id").alias("item_id"),
            "feasibility",
            "reachable",
            pl.int_range(1, pl.len() + 1).alias("rank"),
            "note",
        )
    )
