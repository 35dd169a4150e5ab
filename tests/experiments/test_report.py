import json
import re
from pathlib import Path
from typing import Any

import pytest

from influpath.evaluation.metrics import METRICS
from influpath.experiments.examples import Example, Item, Step
from influpath.experiments.report import (
    WORDS,
    best_planner,
    paired_difference,
    render_report,
    stages,
    summary,
    table,
    write_report,
)

HOSTILE = "<script>alert('x')</script> & \"Co\" {{ 7 * 7 }}"


def interval(mean: float | None, half: float = 0.02, n: int = 90) -> dict[str, Any]:
    if mean is None:
        return {"mean": None, "ci95": [None, None], "n": 0}
    return {"mean": mean, "ci95": [mean - half, mean + half], "n": n}


def planner(level: float, **given: float | None) -> dict[str, Any]:
    means = {name: level for name in METRICS} | given
    return {name: interval(value) for name, value in means.items()}


def make_document(**changes: Any) -> dict[str, Any]:
    planners = {
        "irn": planner(0.5, log_ppl=4.5, ioi=2.0),
        "vanilla/sasrec": planner(0.1, log_ppl=4.0, ioi=-0.3),
        "direct": planner(0.05, sr=1.0, log_ppl=9.0, worst_step=9.0),
        "oracle": planner(0.8, log_ppl=4.4),
    }
    frontier = [
        {"planner": label, "point": point, "dials": {}} | row
        for label, point, row in (
            ("irn", "g 1", planner(0.2, log_ppl=4.1, ioi=0.5)),
            ("irn", "g 4", planners["irn"]),
            ("oracle", "k 20", planner(0.8, log_ppl=4.4, ioi=3.0)),
            ("vanilla/sasrec", "", planners["vanilla/sasrec"]),
        )
    ]
    stepwise = [
        {"planner": label, "align": align, "quantity": quantity, "step": step}
        | {"mean": -5.0 + 0.1 * step, "low": -5.2, "high": -4.8, "n": 40 - abs(step)}
        for label in ("irn", "vanilla/sasrec")
        for align, steps in (("start", range(1, 4)), ("arrival", range(-2, 1)))
        for quantity in ("objective_log_prob", "item_log_prob")
        for step in steps
    ]
    about = {"epochs": 3, "best_epoch": 2, "seconds": 12.5, "validation": {"hr@20": 0.3}}
    document: dict[str, Any] = {
        "name": "toy",
        "config": {"name": "toy", "result": "/somewhere/main.json", "max_length": 20, "x": None}
        | {"data": {"source": "/home/someone/log.csv"}},
        "seed": 3,
        "data": {"source": "/home/someone/log.csv", "preset": "clean", "fingerprint": "f00d"}
        | {"users": 100, "items": 60, "interactions": 1200, "density": 0.2}
        | {"report": {"duplicate_rows": 7}},
        "judge": "bert4rec",
        "evaluator": {"name": "bert4rec", "hr@20": 0.3, "hr@20_ci95": [0.2, 0.4]}
        | {"mrr": 0.1, "mrr_ci95": [0.05, 0.15], "n": 100},
        "pairs": 90,
        "planners": planners,
        "coverage": {label: 0.25 for label in planners},
        "subset": {"judge": "bert4rec", "pairs": 90, "planners": planners, "coverage": {}},
        "differences": {
            f"irn - {other}": {"accepted_sr@20": interval(0.4, 0.05)}
            for other in ("vanilla/sasrec", "direct")
        },
        "subset_differences": {},
        "second_judge": {"name": "sasrec", "judge": "sasrec", "pairs": 90}
        | {"planners": planners, "coverage": {}},
        "next_item": {"irn": {"hr@20": 0.2, "hr@20_ci95": [0.1, 0.3], "mrr": None, "n": 100}},
        "stepwise": stepwise,
        "frontier": frontier,
        "dial_choice": {
            "judge": "sasrec",
            "pairs": 10,
            "chosen": {"guidance": 4.0, "pace": 1},
            "reason": "highest accepted SR@20 of 2 candidate(s)",
            "candidates": [
                {
                    "dials": {"guidance": 4.0, "pace": 1},
                    "means": {"accepted_sr@20": 0.5, "ioi": 2.0, "log_ppl": None}
                    | {"worst_step": 5.0},
                }
            ],
        },
        "dials": {"irn": {"guidance": 4.0}, "direct": {}},
        "evaluators": {"bert4rec": about, "sasrec": about},
        "models": {"irn": about},
        "paper_irn": {"sr": 0.259, "ioi": 2.61, "ior": 804.7, "log_ppl": 4.94},
        "versions": {"python": "3.11.1"},
        "hardware": {"processor": "A Processor", "memory_gib": 8.0},
        "seconds": {"train model irn": 130.0, "plan irn 0123456789": 2.0},
    }
    return document | changes


def make_example(title: str = "The Last Rider", **changes: Any) -> Example:
    steps = (
        Step(number=1, item=Item(title="Bridge"), log_prob=-3.0, rank=4, candidates=55)
        | {}
        if False
        else Step(
            number=1,
            item=Item(title="Bridge", genres=("Crime", "Western")),
            log_prob=-3.0,
            rank=4,
            candidates=55,
            objective_log_prob=-7.0,
        ),
        Step(
            number=2,
            item=Item(title=title),
            log_prob=-2.5,
            rank=2,
            candidates=54,
            objective_log_prob=-2.5,
            is_objective=True,
        ),
    )
    given: dict[str, Any] = {
        "kind": "best",
        "planner": "irn",
        "judge": "bert4rec",
        "user_id": 7,
        "history": (Item(title="First Heist", genres=("Crime",)),),
        "history_length": 12,
        "objective": Item(title=title, genres=("Western",)),
        "steps": steps,
        "start_log_prob": -7.0,
        "end_log_prob": -2.5,
        "reached": True,
        "accepted": True,
    }
    return Example(**(given | changes))
