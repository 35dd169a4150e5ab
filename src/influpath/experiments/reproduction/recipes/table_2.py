"""Table II: the evaluators as next-item recommenders, by full ranking."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from influpath.evaluation import calibrate, next_item_ranks
from influpath.experiments import reported
from influpath.experiments.reproduction.bench import Bench
from influpath.experiments.reproduction.config import ReproductionConfig
from influpath.experiments.reproduction.markdown import flat_cell, listed, table
from influpath.experiments.reproduction.planner_rows import as_printed
from influpath.experiments.reproduction.recipe import (
    Recipe,
    evaluator_jobs,
    model_settings,
    pair_settings,
)
from influpath.experiments.result import about_model, next_item_scores
from influpath.experiments.training_jobs import TrainingJob


class Table2(Recipe):
    """HR@20 and MRR of every evaluator; the best on validation is the headline judge."""

    name: ClassVar[str] = "table-2"
    title: ClassVar[str] = "Table II: the evaluators as next-item recommenders"

    def settings(self, config: ReproductionConfig) -> dict[str, Any]:
        """See ``Recipe.settings``."""
        data = {key: pair_settings(config)[key] for key in ("data", "seed")}
        evaluators = {name: model_settings(name, own) for name, own in config.evaluators.items()}
        return {**data, "evaluators": evaluators, "half": config.half}

    def jobs(self, bench: Bench) -> list[TrainingJob]:
        """See ``Recipe.jobs``."""
        return evaluator_jobs(bench)

    def compute(self, bench: Bench) -> dict[str, Any]:
        """Rank every user's held-out item under each evaluator."""
        rows = np.flatnonzero(bench.split.held_out)
        return {
            "judge": bench.judge.name,
            "dials_chosen_by": bench.evaluators[1].name,
            "evaluators": {
                model.name: {
                    **next_item_scores(
                        next_item_ranks(model, bench.split, rows), bench.config.seed
                    ),
                    "calibration": calibrate(model, bench.split).to_dict(),
                    "training": about_model(model.history),
                }
                for model in bench.evaluators
            },
        }

    def words(self, document: Mapping[str, Any]) -> str:
        """Return the scores beside the paper's."""
        result = document["result"]
        printed = reported.evaluators(document["dataset"])
        rows = []
        for name, row in result["evaluators"].items():
            paper = printed.get(name, {})
            rows.append(
                [
                    f"**{name}** (judge)" if name == result["judge"] else name,
                    flat_cell(row, "hr@20"),
                    as_printed(paper.get("hr@20")),
                    flat_cell(row, "mrr"),
                    as_printed(paper.get("mrr")),
                    f"{row['training']['epochs']}",
                ]
            )
        columns = ["evaluator", "HR@20", "paper", "MRR", "paper", "epochs"]
        users = next(iter(result["evaluators"].values()))["n"]
        return (
            f"{table(columns, rows)}\n\nFull ranking of the held-out item of {users:,} users, seen "
            f"items left out; 95% intervals over users. The best on validation, "
            f"{result['judge']}, is the headline judge; {result['dials_chosen_by']} chooses dials."
            + order(result["evaluators"], printed)
        )


def order(evaluators: Mapping[str, Any], printed: Mapping[str, reported.Row]) -> str:
    """Say how the evaluators' order by HR@20 compares with the paper's; "" where it has none."""
    common = [name for name in evaluators if name in printed]
    if len(common) < 2:
        return ""
    theirs = sorted(common, key=lambda name: -(printed[name]["hr@20"] or 0.0))
    ours = sorted(common, key=lambda name: -evaluators[name]["hr@20"])
    if ours == theirs:
        return f" The order by HR@20 is the paper's: {listed(ours)}."
    return (
        f" By HR@20 the paper's order is {listed(theirs)}, here it is {listed(ours)}: the paper's "
        f"best, {theirs[0]}, is number {ours.index(theirs[0]) + 1} of {len(ours)}."
    )
