"""Tables and figures in words: Markdown that every recipe's section is written with."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

# Digits of each metric, in tables of this project and of the paper.
DIGITS = {
    "sr": 3,
    "ioi": 2,
    "ior": 0,
    "log_ppl": 2,
    "accepted_sr@20": 3,
    "accepted_sr@100": 3,
    "worst_step": 2,
    "acceptance@20": 3,
    "arrival@20": 3,
    "repeat_rate": 3,
    "length": 1,
    "hr@20": 3,
    "mrr": 3,
}
NAMES = {
    "sr": "SR@M",
    "ioi": "IoI",
    "ior": "IoR",
    "log_ppl": "log(PPL)",
    "accepted_sr@20": "accepted SR@20",
    "accepted_sr@100": "accepted SR@100",
    "worst_step": "worst step",
    "acceptance@20": "acceptance@20",
    "arrival@20": "arrival@20",
    "repeat_rate": "repeat rate",
    "length": "length",
    "hr@20": "HR@20",
    "mrr": "MRR",
}


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], text: int = 1) -> str:
    """Return a Markdown table; the first ``text`` columns are text, the others are numbers."""
    lines = [
        "| " + " | ".join(columns) + " |",
        "|" + "---|" * text + "---:|" * (len(columns) - text),
        *("| " + " | ".join(row) + " |" for row in rows),
    ]
    return "\n".join(lines)


def literal(text: str) -> str:
    """Return text that is shown as it is, such as a title, in a sentence or a table's cell."""
    return re.sub(r"([\\`*_\[\]<>|~$&#])", r"\\\1", " ".join(text.split()))


def number(value: float | None, metric: str = "sr") -> str:
    """Return a number with the metric's digits; "" where it is undefined."""
    if value is None:
        return ""
    digits = DIGITS.get(metric, 3)
    # Rounded first and added to 0, so that there is no -0.
    return f"{round(value, digits) + 0.0:,.{digits}f}"


def cell(interval: Mapping[str, Any] | None, metric: str) -> str:
    """Return ``mean [low, high]``; "" where it is undefined."""
    if interval is None or interval["mean"] is None:
        return ""
    mean = number(interval["mean"], metric)
    low, high = interval["ci95"]
    if low is None or high is None:
        return mean
    return f"{mean} [{number(low, metric)}, {number(high, metric)}]"


def flat_cell(row: Mapping[str, Any], metric: str) -> str:
    """Return ``mean [low, high]`` of next-item scores, whose interval lies beside the mean."""
    low, high = row[f"{metric}_ci95"]
    return f"{number(row[metric], metric)} [{number(low, metric)}, {number(high, metric)}]"


def listed(names: Sequence[str]) -> str:
    """Return ``a, b and c``."""
    names = list(names)
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
