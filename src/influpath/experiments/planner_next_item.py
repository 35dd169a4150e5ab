"""How every planner ranks the users' held-out items, with the pair's objective (Table IV).

Shape suffixes: R users with a held-out item, B those of them at once, I catalogue items.
"""

from typing import Any

import numpy as np
import torch

from influpath.data.sequences import IntArray, Sequences
from influpath.evaluation import next_item_ranks
from influpath.experiments.run import NEUTRAL, ORACLE, Run
from influpath.planning.base import PlanBatch, Planner
from influpath.planning.parts import PlannerParts
from influpath.registry import make_planner, planner_class


def next_item(run: Run) -> dict[str, IntArray]:
    """Rank every user's held-out item under each planner with the pair's objective (Table IV).

    IRN stands twice: at neutral dials ("irn") and at the chosen ones ("irn at its dials").
    """
    rows = np.flatnonzero(run.split.held_out)
    named: list[tuple[str, str, dict[str, Any]]] = [
        ("irn", "irn", NEUTRAL),
        ("irn at its dials", "irn", run.dials_of("irn")),
    ]
    named += [
        (label, label, run.dials_of(label))
        for label in run.config.planners
        if label not in ("irn", ORACLE) and ranks_next_items(label)
    ]
    return {
        "evaluator": next_item_ranks(run.judge, run.split, rows),
        **{name: ranks_under(run, label, dials) for name, label, dials in named},
    }


def ranks_under(run: Run, label: str, dials: dict[str, Any]) -> IntArray:
    """Rank every user's held-out item under one planner with the pair's objective: int64 [R].

    Args:
        run: The run.
        label: A planner that ranks next items.
        dials: Its settings.
    """
    planner = make_planner(label, PlannerParts(run.models, run.split.train, run.judge), dials)
    objectives = run.dataset.items.encode(run.pairs["objective_id"].to_list())
    users = np.full(len(run.dataset.users), -1)
    if planner.users is not None:
        users = planner.users.encode(run.dataset.users.ids, unknown="mark")

    def score(histories: Sequences, at: IntArray) -> torch.Tensor:
        batch = PlanBatch(
            users[at], histories, objectives[at], run.config.max_length, len(planner.items)
        )
        with torch.inference_mode():
            scores_BI = planner.next_item_scores(planner.start(batch))
        assert scores_BI is not None, f"{label} ranks no next items"
        return scores_BI

    return next_item_ranks(score, run.split, np.flatnonzero(run.split.held_out))


def ranks_next_items(label: str) -> bool:
    """Return whether a planner ranks more than the one item it shows."""
    found = planner_class(label.partition("/")[0])
    return found.next_item_scores is not Planner.next_item_scores
