"""The frontier in words: what is above IRN, what is below, and how near it comes to the oracle."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from influpath.experiments.figure_parts import legend_name
from influpath.experiments.reproduction.markdown import NAMES, cell, listed, number, table
from influpath.experiments.reproduction.planner_rows import dials_text, sign
from influpath.experiments.run import ORACLE

# Whom the others are compared with, and in what.
LEAD = "irn"
INFLUENCE = "ioi"


def about_points(result: Mapping[str, Any]) -> str:
    """Return how many points stand behind each curve, and how far choosing them flatters it."""
    own = result["judges"][result["judge"]]
    counts = Counter(point["planner"] for point in own["points"])
    optimism = own["by"]["log_ppl"]["optimism"]
    points = [
        f"{legend_name(label)} {count} points"
        + ("" if optimism[label] is None else f" and {number(optimism[label], INFLUENCE)} nats")
        for label, count in counts.items()
        if count > 1
    ]
    if not points:
        return ""
    return (
        "Choosing the best points on the pairs that they are measured on flatters a curve, the "
        "more so the more there are. Points of each planner, and by how much its mean IoI is too "
        f"high by the bootstrap's estimate (judge {result['judge']}, log(PPL)): {listed(points)}."
    )


def difference_table(result: Mapping[str, Any], cost: str) -> str:
    """Return IRN minus every planner under every judge, as a Markdown table."""
    judges = result["judges"]
    others = dict.fromkeys(o for own in judges.values() for o in own["by"][cost]["differences"])
    rows = []
    for other in others:
        compared = (comparison(own["by"][cost], other) for own in judges.values())
        rows.append([legend_name(other), *compared])
    return table(["planner", *judges], rows) if rows else ""


def comparison(curves: Mapping[str, Any], other: str) -> str:
    """Return IRN minus a planner on average over the common range, and which one is above."""
    mean, places = curves["differences"][other]["mean"], len(curves["grid"])
    if not mean["n"]:
        return "no common range"
    part = "" if mean["n"] == places else f" ({mean['n']} of {places} places)"
    return f"{cell(mean, INFLUENCE)} {verdict(mean)}{part}"


def verdict(mean: Mapping[str, Any]) -> str:
    """Return on which side of the planner IRN is."""
    return {1: "**above**", -1: "**below**", 0: "cannot be told apart"}[sign(mean)]


def findings(result: Mapping[str, Any], cost: str) -> Iterator[str]:
    """Yield, judge by judge, what is above IRN and how near it comes to the oracle."""
    for judge, own in result["judges"].items():
        curves = own["by"][cost]
        above = []
        for other, difference in curves["differences"].items():
            places = [
                number(x, cost)
                for x, at in zip(curves["grid"], difference["at"], strict=True)
                if sign(at) < 0
            ]
            if places:
                where = places[0] if len(places) == 1 else f"{places[0]} to {places[-1]}"
                above.append(f"{legend_name(other)} ({NAMES[cost]} {where})")
        sentence = f"{judge}: " + (
            f"above {LEAD} somewhere: {listed(above)}." if above else f"nothing is above {LEAD}."
        )
        share = share_of_oracle(result, judge, cost)
        if share is not None:
            sentence += f" On average {LEAD} has {percent(share)} of the oracle's IoI"
            peak = highest_cost(own["points"], ORACLE, cost)
            flat = peak is not None and peak < curves["grid"][-1]
            sentence += (
                f", whose curve is flat from {NAMES[cost]} {number(peak, cost)} on."
                if flat
                else "."
            )
        if curves["differences"] or share is not None:
            yield sentence


def highest_cost(points: Sequence[Mapping[str, Any]], planner: str, cost: str) -> float | None:
    """Return the cost of a planner's point with the most influence; None where it has none."""
    own = [
        (point[INFLUENCE]["mean"], -point[cost]["mean"])
        for point in points
        if point["planner"] == planner
        and point[INFLUENCE]["mean"] is not None
        and point[cost]["mean"] is not None
    ]
    return -max(own)[1] if own else None


def share_of_oracle(result: Mapping[str, Any], judge: str, cost: str) -> Mapping[str, Any] | None:
    """Return IRN's share of the oracle's influence; None where it is undefined."""
    share: Mapping[str, Any] | None = result["judges"][judge]["by"][cost]["shares"].get(LEAD)
    return None if share is None or share["ci95"][0] is None else share


def percent(share: Mapping[str, Any]) -> str:
    """Return a share with its interval in percent."""
    mean, (low, high) = share["mean"], share["ci95"]
    return f"{100 * mean:.0f}% [{100 * low:.0f}, {100 * high:.0f}]"


def points_table(result: Mapping[str, Any], metrics: Sequence[str]) -> str:
    """Return every point under the headline judge."""
    return table(
        ["planner", "dials", *(NAMES[metric] for metric in metrics)],
        [
            [
                point["planner"],
                dials_text(point["dials"]) if point["dials"] else "",
                *(cell(point[metric], metric) for metric in metrics),
            ]
            for point in result["judges"][result["judge"]]["points"]
        ],
        2,
    )
