"""How the report writes names, numbers and units."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LEAD, FLOOR, ORACLE = "irn", "direct", "oracle"


# How metrics are called, and their units.
LABELS = {
    "sr": ("SR", "%"),
    "accepted_sr@20": ("accepted SR@20", "%"),
    "accepted_sr@100": ("accepted SR@100", "%"),
    "ioi": ("IoI", "nats"),
    "ior": ("IoR", "places"),
    "log_ppl": ("log(PPL)", "nats"),
    "worst_step": ("worst step", "nats"),
    "acceptance@20": ("acceptance@20", "%"),
    "arrival@20": ("arrival@20", "%"),
    "length": ("length", "items"),
    "repeat_rate": ("repeat rate", "%"),
    "hr@20": ("HR@20", "%"),
    "mrr": ("MRR", ""),
}


def choices(nats: float) -> str:
    """Return a surprise as the even choice that would be as surprising."""
    return f"{math.exp(nats):,.0f} equally likely items ({nats:.2f} nats)"


def number(name: str, value: float | None) -> str:
    """Return a metric's value as text."""
    if value is None or not math.isfinite(value):
        return "–"
    if unit(name) == "%":
        return f"{100 * value:.1f}%"
    if unit(name) in ("places", "items"):
        return f"{value:,.{0 if abs(value) >= 100 else 1}f}"
    return f"{value:.3f}" if name == "mrr" else f"{value:.2f}"


def label_of(name: str) -> str:
    """Return what a metric is called."""
    return LABELS.get(name, (name, ""))[0]


def unit(name: str) -> str:
    """Return a metric's unit."""
    return LABELS.get(name, (name, ""))[1]


def duration(seconds: float) -> str:
    """Return seconds as people say them."""
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def kind(label: str) -> str:
    """Return what a planner's label starts with: "rec2inf" of "rec2inf/sasrec"."""
    return label.partition("/")[0]


def is_oracle(label: str) -> bool:
    """Return whether a row looks through the judge."""
    return kind(label) == ORACLE


def lead_of(planners: Mapping[str, Any]) -> str | None:
    """Return the planner that the report is about: IRN, or else the first honest one."""
    honest = [label for label in planners if not is_oracle(label)]
    return LEAD if LEAD in planners else next(iter(honest), None)


def mean(row: Mapping[str, Any] | None, name: str) -> float | None:
    """Return a metric's mean, None where it is undefined."""
    at = (row or {}).get(name)
    return None if at is None else at["mean"]


def row_size(row: Mapping[str, Any]) -> int:
    """Return the number of pairs behind a planner's row."""
    return max((at["n"] for at in row.values()), default=0)


def source_name(document: Mapping[str, Any]) -> str:
    """Return what the data is called; of a file, its name without the folder."""
    return Path(str(document["data"].get("source", "the data"))).name
