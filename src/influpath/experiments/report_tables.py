"""The tables of the report: rows, cells and which planner is clearly best."""

import re
from collections.abc import Mapping
from typing import Any

from influpath.evaluation.metrics import METRICS
from influpath.experiments.report_numbers import (
    FLOOR,
    is_oracle,
    kind,
    label_of,
    number,
    row_size,
    unit,
)


def document_table(
    part: Mapping[str, Any] | None, differences: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """Return the table of a further evaluation in the document, None where it has none."""
    if not part or not part.get("planners"):
        return None
    return table(part["planners"], differences or {}, part.get("coverage") or {}, None)


def table(
    planners: Mapping[str, Any],
    differences: Mapping[str, Any],
    coverage: Mapping[str, float],
    paper: Mapping[str, float] | None,
) -> dict[str, Any]:
    """Return columns (planners) and rows (metrics) of a comparison, ready to print."""
    sizes = {label: row_size(row) for label, row in planners.items()}
    names = [name for name in METRICS if any(name in row for row in planners.values())]
    names += sorted({name for row in planners.values() for name in row} - set(names))
    rows = []
    for name in names:
        best = best_planner(name, planners, differences)
        known = METRICS.get(name)
        rows.append(
            {
                "label": label_of(name),
                "unit": unit(name),
                "better": None if known is None else known.higher_is_better,
                "cells": [
                    cell(name, row.get(name), sizes[label]) | {"best": label == best}
                    for label, row in planners.items()
                ],
                "paper": number(name, (paper or {}).get(name)),
            }
        )
    if coverage:
        shares = [coverage.get(label) for label in planners]
        rows.append(
            {
                "label": "coverage",
                "unit": "% of the catalogue",
                "better": None,
                "cells": [
                    {"text": number("sr", share), "interval": "", "n": None, "best": False}
                    for share in shares
                ],
                "paper": "–",
            }
        )
    return {
        "planners": [
            {"label": label, "kind": kind(label), "n": sizes[label], "oracle": is_oracle(label)}
            for label in planners
        ],
        "rows": rows,
        "paper": bool(paper),
    }


def cell(name: str, at: Mapping[str, Any] | None, usual: int | None = None) -> dict[str, Any]:
    """Return a mean and its interval as text; n where it is not the usual one of the column."""
    if at is None or at["mean"] is None:
        return {"text": "–", "interval": "", "n": 0 if at is not None else None}
    low, high = at["ci95"]
    known = low is not None and high is not None
    return {
        "text": number(name, at["mean"]),
        "interval": f"{number(name, low)} to {number(name, high)}" if known else "",
        "n": at["n"] if at["n"] != usual else None,
    }


def best_planner(
    name: str, planners: Mapping[str, Any], differences: Mapping[str, Any]
) -> str | None:
    """Return the best honest planner in a metric if it stands clear of every other, else None."""
    metric = METRICS.get(name)
    if metric is None or metric.higher_is_better is None:
        return None
    honest = [
        label
        for label, row in planners.items()
        if not is_oracle(label)
        # SR is 1 for whoever shows the objective at once.
        and not (name == "sr" and kind(label) == FLOOR)
        and row.get(name)
        and row[name]["mean"] is not None
    ]
    if len(honest) < 2:
        return None
    sign = 1 if metric.higher_is_better else -1
    best = max(honest, key=lambda label: sign * planners[label][name]["mean"])
    others = [label for label in honest if label != best]
    clear = all(separated(name, best, other, planners, differences) for other in others)
    return best if clear else None


def separated(
    name: str, a: str, b: str, planners: Mapping[str, Any], differences: Mapping[str, Any]
) -> bool:
    """Return whether two planners differ by more than chance: paired where that is known.

    Otherwise their two intervals must not overlap, which asks for more.
    """
    paired = paired_difference(name, a, b, differences)
    if paired is not None:
        return bool(paired[1] > 0 or paired[2] < 0)
    (low_a, high_a), (low_b, high_b) = planners[a][name]["ci95"], planners[b][name]["ci95"]
    if None in (low_a, high_a, low_b, high_b):
        return False
    return bool(low_a > high_b or low_b > high_a)


def paired_difference(
    name: str, a: str, b: str, differences: Mapping[str, Any]
) -> tuple[float, float, float] | None:
    """Return mean, low and high of ``a`` minus ``b`` on the same pairs, if the document has it."""
    for first, other, sign in ((a, b, 1), (b, a, -1)):
        found = (differences.get(f"{first} - {other}") or {}).get(name)
        if found and None not in (found["mean"], *found["ci95"]):
            low, high = sorted(sign * end for end in found["ci95"])
            return sign * found["mean"], low, high
    return None


def next_item(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the next-item scores, the judge's first."""
    scored = dict(document.get("next_item") or {})
    judge = document.get("evaluator")
    if judge:
        scored = {f"the judge, {judge['name']}": judge} | scored
    return [
        {
            "label": label,
            "n": at.get("n"),
            **{
                key.partition("@")[0]: cell(
                    key,
                    {"mean": at.get(key), "ci95": at.get(f"{key}_ci95") or (None, None), "n": 0},
                )
                for key in ("hr@20", "mrr")
            },
        }
        for label, at in scored.items()
    ]


# What the worst case and the mean over all judges are shown of.
ACROSS = ("accepted_sr@20", "ioi", "log_ppl", "worst_step")


def judges(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return every judge with its calibration, and its table unless it is the headline judge."""
    found = []
    for name, part in (document.get("judges") or {}).items():
        headline = name == document.get("judge")
        own = None if headline else document_table(part, None)
        found.append({"name": name, "table": own, **part["calibration"]})
    return found


def across_judges(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return planner and, for each metric of ``ACROSS``, the worst case, whose, and the mean."""
    return [
        {
            "label": label,
            "cells": [
                {
                    "worst": number(name, row[name]["worst"]),
                    "judge": row[name]["worst_judge"] or "",
                    "mean": number(name, row[name]["mean"]),
                }
                for name in ACROSS
            ],
        }
        for label, row in (document.get("across_judges") or {}).items()
    ]


def models(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what was trained, the judges first."""
    roles = (("judge", document.get("evaluators")), ("planner's model", document.get("models")))
    return [
        {"role": role, "name": name, **about}
        for role, group in roles
        for name, about in (group or {}).items()
    ]


def stages(seconds: Mapping[str, float]) -> dict[str, float]:
    """Add up the times of stages that were done many times with other inputs."""
    total: dict[str, float] = {}
    for stage, duration_ in seconds.items():
        name = re.sub(r"[ -][0-9a-f]{10}$", "", stage)
        total[name] = total.get(name, 0.0) + duration_
    return total
