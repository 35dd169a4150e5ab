"""The sentences of the report; every number in them is computed from the result."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from influpath.evaluation.metrics import METRICS
from influpath.experiments.report_numbers import (
    choices,
    is_oracle,
    kind,
    label_of,
    lead_of,
    mean,
    row_size,
)
from influpath.experiments.report_tables import best_planner, cell, paired_difference, separated


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
    """Return what the findings rest on: the judge and the yardstick; see ``other_judges`` too."""
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
    oracle = next((label for label in planners if is_oracle(label)), None)
    if oracle and mean(planners[oracle], name) is not None:
        said.append(
            f"The {oracle}, which looks through the judge itself and so is a yardstick and not a "
            f"planner, comes to {said_of(name, planners[oracle])} on "
            f"{row_size(planners[oracle]):,} pairs."
        )
    return said


def other_judges(document: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what the other judges say of the lead and the best other planner, side by side.

    The sentence is said once for all of them, the numbers are for a table: ``judge, lead, rival,
    rival_share, ahead`` (the planner that is ahead, None where the intervals overlap).  None where
    there is no other judge.
    """
    name = "accepted_sr@20"
    lead = lead_of(document["planners"])
    rows: list[dict[str, Any]] = []
    sizes: set[int] = set()
    for judge, part in (document.get("judges") or {}).items():
        seen = part["planners"]
        if judge == document["judge"] or lead is None or mean(seen.get(lead), name) is None:
            continue
        rival = rival_of(lead, seen)
        ahead = None
        if rival is not None and separated(name, lead, rival, seen, {}):
            ahead = max(lead, rival, key=lambda label: seen[label][name]["mean"])
        sizes.add(row_size(seen[lead]))
        rows.append(
            {
                "judge": judge,
                "lead": cell(name, seen[lead][name]),
                "rival": rival,
                "rival_share": None if rival is None else cell(name, seen[rival][name]),
                "ahead": ahead,
            }
        )
    if not rows:
        return None
    pairs = " or ".join(f"{size:,}" for size in sorted(sizes))
    sentence = (
        f"The same paths under every other judge, on {pairs} pairs: how often the objective is "
        f"taken, for {lead} and for the best other planner."
    )
    return {"sentence": " ".join([sentence, *verdicts(rows)]), "lead": lead, "rows": rows}


def verdicts(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say which planner is ahead under which judges, all judges of one opinion together."""
    judges: dict[str | None, list[str]] = {}
    for row in rows:
        if row["rival"] is not None:
            judges.setdefault(row["ahead"], []).append(row["judge"])
    said = [
        f"{ahead} is ahead under {listed(names)}, where the two intervals do not overlap."
        for ahead, names in judges.items()
        if ahead is not None
    ]
    if None in judges:
        said.append(
            f"Under {listed(judges[None])} the two are not told apart (the intervals overlap)."
        )
    return said


def listed(names: Sequence[str]) -> str:
    """Return ``a, b and c``."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


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
