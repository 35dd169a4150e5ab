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


def others_of(result: Mapping[str, Any]) -> str:
    """Return the dials that IRN has where a point does not name them."""
    points = result["judges"][result["judge"]]["points"]
    own = [point["dials"] for point in points if point["planner"] == LEAD]
    if not own or not result["irn_dials"]:
        return ""
    rest = {
        name: value
        for name, value in result["irn_dials"].items()
        if not all(name in dials for dials in own)
    }
    return f"; what a point of IRN does not name is as in Table III ({dials_text(rest)})"


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
    """Return IRN minus a planner on average over the common range, and at how many places."""
    difference = curves["differences"][other]
    mean = difference["mean"]
    if not mean["n"]:
        return "no common range"
    # A curve is there from some place on, so those that count are the last ones.
    sides = Counter(sign(at) for at in difference["at"][-mean["n"] :])
    part = f"{sides[1]} above, {sides[-1]} below, of {mean['n']}"
    return f"{cell(mean, INFLUENCE)} {verdict(mean)} ({part})"


def verdict(mean: Mapping[str, Any]) -> str:
    """Return on which side of the planner IRN is."""
    return {1: "**above**", -1: "**below**", 0: "not told apart"}[sign(mean)]


def findings(result: Mapping[str, Any], cost: str) -> Iterator[str]:
    """Yield, judge by judge, what is above IRN, where it has no curve, how near the oracle is."""
    for judge, own in result["judges"].items():
        curves = own["by"][cost]
        above = []
        for other, difference in curves["differences"].items():
            where = places_text(curves["grid"], [sign(at) < 0 for at in difference["at"]], cost)
            if where:
                above.append(f"{legend_name(other)} ({where})")
        sentence = f"{judge}: " + (
            f"above {LEAD} somewhere: {listed(above)}." if above else f"nothing is above {LEAD}."
        )
        sentence += out_of_reach(curves, cost)
        share = share_of_oracle(result, judge, cost)
        if share is not None:
            sentence += f" On average {LEAD} has {percent(share)} of the oracle's IoI"
            peak = highest_cost(own["points"], ORACLE, cost)
            flat = peak is not None and peak < curves["grid"][-1]
            sentence += (
                f", whose curve is flat from {NAMES[cost]} {number(peak, cost)} on" if flat else ""
            )
            ahead = [sign(at) > 0 for at in curves["differences"][ORACLE]["at"]]
            where = places_text(curves["grid"], ahead, cost)
            sentence += f"; it is above the oracle at {where}." if where else "."
        if curves["differences"] or share is not None:
            yield sentence


def places_text(grid: Sequence[float], there: Sequence[bool], cost: str) -> str:
    """Return the places of the grid that are marked, from the first to the last; "" for none."""
    places = [number(x, cost) for x, marked in zip(grid, there, strict=True) if marked]
    if not places:
        return ""
    return f"{NAMES[cost]} {places[0]}" + (f" to {places[-1]}" if len(places) > 1 else "")


def out_of_reach(curves: Mapping[str, Any], cost: str) -> str:
    """Say where others have a curve and IRN has none; "" where there is no such place."""
    own = [at["mean"] is None for at in curves["curves"][LEAD]] if LEAD in curves["curves"] else []
    if not any(own):
        return ""
    where = places_text(curves["grid"], own, cost)
    return f" At {where} {LEAD} has no dials as cheap, so that there is no comparison."


def against_blind(result: Mapping[str, Any], cost: str) -> str:
    """Say whether IRN is above the planners that do not see the judge, on average, by judge."""
    found: dict[int, dict[str, list[str]]] = {1: {}, 0: {}, -1: {}}
    for judge, own in result["judges"].items():
        for other, difference in own["by"][cost]["differences"].items():
            if other != ORACLE and difference["mean"]["n"]:
                found[sign(difference["mean"])].setdefault(other, []).append(judge)
    counts = {side: sum(map(len, own.values())) for side, own in found.items()}
    total = sum(counts.values())
    if not total:
        return ""
    rest = [
        f"{how} {listed([f'{other} ({listed(judges)})' for other, judges in own.items()])}"
        for how, own in (("not told apart from", found[0]), ("below", found[-1]))
        if own
    ]
    count = "all" if counts[1] == total else f"{counts[1]} of"
    return (
        f"At equal {NAMES[cost]}, on average over such a range, IRN is above the planners that do "
        f"not see the judge, outside the interval, in {count} {total} comparisons (a planner under "
        "a judge)" + (f": {'; '.join(rest)}." if rest else ".")
    )


def share_range(result: Mapping[str, Any], judge: str, cost: str) -> str:
    """Return IRN's share of the oracle's influence at the ends of what is compared."""
    curves = result["judges"][judge]["by"][cost]
    both = [
        (x, own["mean"] / oracle["mean"])
        for x, own, oracle in zip(
            curves["grid"], curves["curves"][LEAD], curves["curves"][ORACLE], strict=True
        )
        if own["mean"] is not None and oracle["mean"] is not None and oracle["mean"] > 0
    ]
    if len(both) < 2:
        return ""
    (first, low), (last, high) = both[0], both[-1]
    return (
        f"{100 * low:.0f}% at {NAMES[cost]} {number(first, cost)} and {100 * high:.0f}% at "
        f"{number(last, cost)}"
    )


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
