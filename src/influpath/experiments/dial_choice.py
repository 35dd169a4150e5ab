"""Trying a grid of dials for IRN on the dial pairs, under the evaluator that does not judge."""

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from influpath.evaluation import choose_dial, evaluate, summarise
from influpath.experiments.config import RunConfig
from influpath.experiments.judging_jobs import Asked
from influpath.planning.schedule import schedule_text
from influpath.recommenders.base import Recommender

if TYPE_CHECKING:
    from influpath.experiments.run import Run

logger = logging.getLogger("influpath")

# The rule measures smoothness against these.
VANILLA, REC2INF = "vanilla/sasrec", "rec2inf/sasrec"


def yardsticks(config: RunConfig) -> list[tuple[str, dict[str, Any]]]:
    """Return what the rule measures smoothness against: labels and their settings."""
    return [(label, config.planner_dials.get(label, {})) for label in (VANILLA, REC2INF)]


def try_dials(run: "Run", judge: Recommender, pairs: pl.DataFrame) -> dict[str, Any]:
    """Try every candidate of the run's grid; return all their means and the choice.

    Args:
        run: The run.
        judge: The evaluator that does not judge.
        pairs: The dial pairs.
    """
    grid, config = run.config.dials, run.config
    measured = {
        label: evaluate(
            judge,
            pairs,
            {label: run.paths(label, pairs, dials, judge)},
            run.split.train,
            config.seed,
        ).means(label)
        for label, dials in yardsticks(config)
    }
    candidates = grid.candidates()
    means = []
    asked = [Asked("irn", dials, pairs, judge.name) for dials in candidates]
    for number, (dials, judgement) in enumerate(zip(candidates, run.judge_all(asked), strict=True)):
        means.append(summarise({"irn": judgement}, config.seed).means("irn"))
        logger.info(
            "dials %d/%d: %s -> accepted SR@20 %.3f, IoI %.2f, log(PPL) %.2f, worst step %.2f",
            number + 1,
            len(candidates),
            ", ".join(f"{key} {schedule_text(value)}" for key, value in dials.items()),
            *(means[-1][key] for key in ("accepted_sr@20", "ioi", "log_ppl", "worst_step")),
        )
    choice = choose_dial(
        dict(enumerate(means)),
        measured[VANILLA]["log_ppl"],
        grid.margin,
        measured[REC2INF]["worst_step"] if grid.cap_worst_step else None,
    )
    return {
        "judge": judge.name,
        "pairs": pairs.height,
        "chosen": candidates[choice.dial],
        "reason": choice.reason,
        "yardsticks": {label: rounded(row) for label, row in measured.items()},
        "candidates": [
            {"dials": dials, "means": rounded(row)}
            for dials, row in zip(candidates, means, strict=True)
        ],
    }


def rounded(values: dict[str, float]) -> dict[str, float | None]:
    """Return numbers for JSON: six digits, None for NaN."""
    return {key: None if np.isnan(v) else round(float(v), 6) for key, v in values.items()}
