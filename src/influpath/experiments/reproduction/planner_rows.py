"""Planners as rows of tables and in sentences: what the words of several recipes have in common."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import rankdata

from influpath.evaluation import METRICS
from influpath.experiments import reported
from influpath.experiments.reproduction.markdown import NAMES, cell, listed, number, table
from influpath.planning.schedule import schedule_text

TABLE_3 = "table_3_paths_m20"
# M of the paper's Table III.
PAPER_LENGTH = 20
# The paper's names of planners that have another name here.
OWN_NAMES = {"pf2inf/dijkstra": "dijkstra", "pf2inf/mst": "mst"}
# The paper's planners in its order, which is the same for all datasets.
PAPER_ORDER = tuple(OWN_NAMES.get(label, label) for label in reported.rows(TABLE_3, "ml-1m"))

Rows = Mapping[str, Mapping[str, Any]]


class Sides(NamedTuple):
    """How a planner compares with others in one metric.

    Attributes:
        better: The others that it is better than: the interval of the difference excludes 0.
        worse: The others that it is worse than.
        undecided: All others.
    """

    better: list[str]
    worse: list[str]
    undecided: list[str]


def printed_planners(dataset: str, max_length: int) -> dict[str, reported.Row]:
    """Return the paper's Table III by our labels; {} for other data or another M."""
    if max_length != PAPER_LENGTH:
        return {}
    found = reported.rows(TABLE_3, dataset)
    return {OWN_NAMES.get(label, label): row for label, row in found.items()}


def in_paper_order(labels: Iterable[str]) -> list[str]:
    """Return planners in the paper's order, then those that it does not have."""
    labels = list(labels)
    return [label for label in PAPER_ORDER if label in labels] + [
        label for label in labels if label not in PAPER_ORDER
    ]


def kind(label: str) -> str:
    """Return "rec2inf" of "rec2inf/sasrec"."""
    return label.partition("/")[0]


def planner_table(
    rows: Rows,
    metrics: Sequence[str],
    printed: Mapping[str, reported.Row] | None = None,
    first: str = "planner",
) -> str:
    """Return a Markdown table of planners, in the order given: pairs, means with intervals.

    Args:
        rows: Planner -> metric -> ``mean, ci95, n``.
        metrics: Columns; a planner may lack some.
        printed: Planner -> metric -> what the paper prints; it stands beside ours.
        first: Head of the first column.
    """
    printed = printed or {}
    beside = {metric for row in printed.values() for metric in row} if printed else set()
    columns = [first, "n"]
    for metric in metrics:
        columns += [NAMES[metric], "paper"] if metric in beside else [NAMES[metric]]
    lines = []
    for label, row in rows.items():
        line = [label, f"{max((at['n'] for at in row.values()), default=0):,}"]
        for metric in metrics:
            line.append(cell(row.get(metric), metric))
            if metric in beside:
                line.append(as_printed(printed.get(label, {}).get(metric)))
        lines.append(line)
    return table(columns, lines)


def as_printed(value: float | None) -> str:
    """Return one of the paper's figures with the digits that it prints; "" where it has none."""
    return "" if value is None else f"{value:g}"


def sign(interval: Mapping[str, Any]) -> int:
    """Return 1 or -1 where an interval lies above or below 0, else 0."""
    low, high = interval["ci95"]
    if low is None or high is None:
        return 0
    return int(low > 0) - int(high < 0)


def sides(differences: Rows, lead: str, metric: str) -> Sides:
    """Return which planners ``lead`` is better or worse than, by paired differences.

    Args:
        differences: ``"<lead> - <other>"`` -> metric -> interval of the difference.
        lead: The planner; other rows are ignored.
        metric: One that has a better direction.
    """
    found = Sides([], [], [])
    upwards = 1 if METRICS[metric].higher_is_better else -1
    for name, row in differences.items():
        first, _, other = name.partition(" - ")
        if first == lead:
            where = {1: found.better, -1: found.worse, 0: found.undecided}
            where[upwards * sign(row[metric])].append(other)
    return found


def in_short(labels: Sequence[str], among: Sequence[str]) -> str:
    """Return planners in the paper's order; a family that is there as a whole is named once."""
    size = Counter(kind(label) for label in among)
    found = Counter(kind(label) for label in labels)
    names = []
    for label in in_paper_order(labels):
        family = kind(label)
        whole = size[family] > 1 and found[family] == size[family]
        names.append(f"all {size[family]} {family}" if whole else label)
    return listed(list(dict.fromkeys(names))) or "none"


def sides_table(differences: Rows, lead: str, metrics: Sequence[str]) -> str:
    """Return a Markdown table: how many planners ``lead`` beats, and which it does not."""
    rows = []
    for metric in metrics:
        better, worse, undecided = sides(differences, lead, metric)
        everyone = better + worse + undecided
        total = len(everyone)
        rows.append(
            [
                NAMES[metric],
                f"{len(better)} of {total}",
                in_short(worse, everyone),
                in_short(undecided, everyone),
            ]
        )
    return table(["", f"{lead} is better than", "worse than", "not told apart from"], rows, text=4)


def order_table(rows: Rows, printed: Mapping[str, reported.Row], metrics: Sequence[str]) -> str:
    """Return a Markdown table: the best planner here and in the paper, how alike the orders are.

    Args:
        rows: Planners that the paper has too, with ``mean`` by metric.
        printed: What the paper prints of them.
        metrics: Those to compare by.
    """
    lines = []
    for metric in metrics:
        ours = {label: row[metric]["mean"] for label, row in rows.items()}
        theirs = {label: printed[label][metric] for label in rows}
        alike = rank_correlation(ours, theirs)
        lines.append(
            [
                NAMES[metric],
                listed(best(ours, metric)),
                listed(best(theirs, metric)),
                "" if alike is None else f"{alike:.2f}",
            ]
        )
    columns = ["", "best here", "best in the paper", "rank correlation (Spearman)"]
    return table(columns, lines, text=3)


def best(values: Mapping[str, float | None], metric: str) -> list[str]:
    """Return the best planners by a metric, those that share the first place."""
    known = {label: value for label, value in values.items() if value is not None}
    choose = max if METRICS[metric].higher_is_better else min
    top = choose(known.values(), default=None)
    return [label for label, value in known.items() if value == top]


def rank_correlation(
    ours: Mapping[str, float | None], theirs: Mapping[str, float | None]
) -> float | None:
    """Return Spearman's rank correlation; None where it is undefined."""
    known = [(ours[label], theirs[label]) for label in ours]
    ranks = rankdata([(a, b) for a, b in known if a is not None and b is not None], axis=0)
    if len(ranks) < 3 or (ranks.std(axis=0) == 0).any():
        return None
    return float(np.corrcoef(ranks.T)[0, 1])


def dials_text(dials: Mapping[str, Any]) -> str:
    """Return a planner's settings for a sentence, such as ``guidance 1..6, pace 3``."""
    return ", ".join(f"{key} {dial_text(value)}" for key, value in dials.items()) or "defaults"


def dial_text(value: Any) -> str:
    """Return a dial's value as people read it."""
    return str(value) if isinstance(value, (bool, str)) else schedule_text(value)


def over_seeds(document: Mapping[str, Any], label: str, metrics: Sequence[str]) -> str:
    """Return what further seeds say of a planner's means; "" where there is one seed."""
    spread = (document.get("spread") or {}).get("planners", {}).get(label, {})
    known = [metric for metric in metrics if metric in spread and "mean" in spread[metric]]
    parts = [
        f"{NAMES[metric]} {number(at['mean'], metric)} (sd {number(at['sd'], metric)})"
        for metric in known
        if (at := spread[metric]["mean"])["sd"] is not None
    ]
    if not parts:
        return ""
    return (
        f"Over {document['seeds']} seeds of all models, {label} has {listed(parts)}. Its dials are "
        "chosen anew with each seed; the judge is of the same kind."
    )
