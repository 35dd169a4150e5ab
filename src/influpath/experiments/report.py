"""The report of a run: one HTML file that needs nothing but a browser.

It is made from the result document and the examples alone; every sentence with a number in it is
computed from them.
"""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tomli_w
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from influpath.evaluation.metrics import METRICS
from influpath.experiments.examples import Example, odds
from influpath.experiments.figures import frontier_figure, stepwise_figure, success_figure
from influpath.files import atomic_path

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
OPTIONAL = ("subset", "dials", "hardware", "versions", "seed", "dial_choice")


def write_report(
    document: Mapping[str, Any], examples: Sequence[Example], path: str | Path
) -> None:
    """Write the report as one self-contained HTML file.

    Args:
        document: The result of a run.
        examples: Paths to show one by one, from ``example_paths``.
        path: The HTML file; replaced as a whole, never left half written.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(render_report(document, examples), encoding="utf-8")


def render_report(document: Mapping[str, Any], examples: Sequence[Example]) -> str:
    """Return the report as HTML."""
    environment = Environment(
        loader=PackageLoader("influpath.experiments", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "odds": odds,
        "duration": duration,
        "grouped": lambda value: f"{value:,}" if isinstance(value, int) else value,
    }
    # What a document may lack stands there as nothing, so that the page can say so.
    document = {**dict.fromkeys(OPTIONAL), **document}
    second = document.get("second_judge") or {}
    page = environment.get_template("report.html.j2")
    return page.render(
        document=document,
        data={"preset": None, "report": {}, "fingerprint": None} | document["data"],
        source=source_name(document),
        config=config_text(document),
        examples=examples,
        findings=findings(document),
        grounds=grounds(document),
        lead=lead_of(document["planners"]),
        max_length=document["config"]["max_length"],
        table=table(
            document["planners"],
            document.get("differences") or {},
            document.get("coverage") or {},
            document.get("paper_irn"),
        ),
        subset=document_table(document.get("subset"), document.get("subset_differences")),
        second=document_table(second, None),
        second_name=second.get("name", ""),
        dials=document.get("dial_choice"),
        figures={
            "frontier": Markup(frontier_figure(document)),
            "start": Markup(stepwise_figure(document, "start")),
            "arrival": Markup(stepwise_figure(document, "arrival")),
            "success": Markup(success_figure(document)),
        },
        metrics=[(label_of(name), name, metric.description) for name, metric in METRICS.items()],
        models=models(document),
        stages=stages(document.get("seconds") or {}),
        next_item=next_item(document),
        label_of=label_of,
        candidate_metrics=("accepted_sr@20", "ioi", "log_ppl", "worst_step"),
        number=number,
    )


# Tables -----------------------------------------------------------------------------------------


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


# Words ------------------------------------------------------------------------------------------


def findings(document: Mapping[str, Any]) -> list[str]:
    """Return the findings as sentences, computed from the figures."""
    planners = document["planners"]
    lead = lead_of(planners)
    if lead is None:
        return ["This result has no planner to report on."]
    row, longest = planners[lead], document["config"]["max_length"]
    said = [
        f"Can a user be led, in at most {longest} acceptable recommendations, to an item that they "
        f"would not pick today? For {row_size(row):,} users, each with an objective drawn by "
        f"chance, {lead} shows the objective in {said_of('sr', row)} of its paths, and in "
        f"{said_of('accepted_sr@20', row)} the user would take it at that moment."
    ]
    rival = rival_of(lead, planners)
    if rival is not None:
        said.append(compared(lead, rival, planners, document.get("differences") or {}))
    gained, surprise = mean(row, "ioi"), mean(row, "log_ppl")
    if gained is not None:
        said.append(
            "Just before it is shown, or at the end of a failed path, the objective is "
            f"{math.exp(gained):,.1f} times as likely as before the path, in the geometric mean "
            f"(IoI {gained:.2f} nats)."
        )
    if surprise is not None:
        sentence = f"The path is as surprising as a choice among {choices(surprise)} at each step"
        plain = next((label for label in planners if kind(label) == "vanilla"), None)
        usual = mean(planners[plain], "log_ppl") if plain else None
        if plain != lead and usual is not None:
            sentence += f"; {plain}, which ignores the objective, among {choices(usual)}"
        said.append(f"{sentence}.")
    return said + first_in(planners, document.get("differences") or {})


def first_in(planners: Mapping[str, Any], differences: Mapping[str, Any]) -> list[str]:
    """Say which planner stands clear of every other in which metrics."""
    first: dict[str, list[str]] = {}
    for name in METRICS:
        best = best_planner(name, planners, differences)
        if best is not None:
            first.setdefault(best, []).append(label_of(name))
    if not first:
        return []
    clauses = (f"{label} in {', '.join(first[label])}" for label in planners if label in first)
    return [f"Clearly ahead of all others are {'; '.join(clauses)}."]


def grounds(document: Mapping[str, Any]) -> list[str]:
    """Return what the findings rest on: the judge, the second judge, the yardstick."""
    planners, name = document["planners"], "accepted_sr@20"
    lead = lead_of(planners)
    if lead is None:
        return []
    judge = document.get("evaluator") or {}
    opinion = (
        "No person was asked. What a user would take is the opinion of a stand-in, the judge "
        f"{document['judge']}, a recommender trained apart from every planner: a user takes what "
        "is among its 20 likeliest items."
    )
    if judge.get("hr@20") is not None:
        opinion += (
            f" For {100 * judge['hr@20']:.0f}% of users the item that they really chose next is "
            "among those 20."
        )
    said = [opinion]
    second = document.get("second_judge") or {}
    seen = second.get("planners", {})
    if mean(seen.get(lead), name) is not None:
        sentence = (
            f"Under a second judge, {second['name']}, on {row_size(seen[lead]):,} pairs, {lead} "
            f"has its objective taken in {said_of(name, seen[lead])}."
        )
        rival = rival_of(lead, seen)
        said.append(f"{sentence} {compared(lead, rival, seen, {})}" if rival else sentence)
    oracle = next((label for label in planners if is_oracle(label)), None)
    if oracle and mean(planners[oracle], name) is not None:
        said.append(
            f"The {oracle}, which looks through the judge itself and so is a yardstick and not a "
            f"planner, comes to {said_of(name, planners[oracle])} on "
            f"{row_size(planners[oracle]):,} pairs."
        )
    return said


def rival_of(lead: str, planners: Mapping[str, Any]) -> str | None:
    """Return the best other honest planner by accepted SR@20."""
    name = "accepted_sr@20"
    if mean(planners[lead], name) is None:
        return None
    others = [label for label in planners if label != lead and not is_oracle(label)]
    others = [label for label in others if mean(planners[label], name) is not None]
    return max(others, key=lambda label: planners[label][name]["mean"], default=None)


def compared(
    lead: str, rival: str, planners: Mapping[str, Any], differences: Mapping[str, Any]
) -> str:
    """Say how the lead's accepted SR@20 stands to the best other planner's, and how surely."""
    name = "accepted_sr@20"
    start = f"For {rival}, the best other planner, that is {said_of(name, planners[rival])}: "
    paired = paired_difference(name, lead, rival, differences)
    gap = planners[lead][name]["mean"] - planners[rival][name]["mean"]
    if not separated(name, lead, rival, planners, differences):
        why = "the interval of the difference includes zero" if paired else "the intervals overlap"
        return f"{start}these pairs do not tell the two apart ({why})."
    better = lead if gap > 0 else rival
    if paired is None:
        return f"{start}{better} is ahead, and the two intervals do not overlap."
    low, high = sorted(100 * abs(end) for end in paired[1:])
    return f"{start}{better} is ahead by {low:.1f} to {high:.1f} points (95%, pair by pair)."


def said_of(name: str, row: Mapping[str, Any]) -> str:
    """Return a share with its interval for a sentence."""
    at = cell(name, row.get(name))
    return f"{at['text']} ({at['interval']})" if at["interval"] else at["text"]


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


# Small lookups ----------------------------------------------------------------------------------


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


def config_text(document: Mapping[str, Any]) -> str:
    """Return the configuration as TOML, without where files lay."""
    config = {key: value for key, value in document["config"].items() if key != "result"}
    if isinstance(config.get("data"), dict):
        config["data"] = config["data"] | {"source": source_name(document)}
    return tomli_w.dumps(_without_none(config))


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    return [_without_none(inner) for inner in value] if isinstance(value, list) else value
