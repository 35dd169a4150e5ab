"""Strata in words: a table of a few planners, stratum by stratum, and whom IRN is better than."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from influpath.experiments.reproduction.markdown import NAMES, cell, listed, table
from influpath.experiments.reproduction.planner_rows import in_short, sides

LEAD = "irn"
BY_STRATUM = ("sr", "accepted_sr@20", "ioi", "log_ppl")
COMPARED = ("accepted_sr@20", "ioi")


def of_stratum(stratum: Mapping[str, Any], label: str) -> tuple[Mapping[str, Any], int]:
    """Return a planner's row in a stratum and the pairs behind it; from the subset if need be."""
    where = stratum if label in stratum["planners"] else stratum["subset"]
    return where["planners"][label], where["n"]


def limits(stratum: Mapping[str, Any]) -> str:
    """Return the numbers that belong to a stratum."""
    low, high = stratum["from"], stratum["to"]
    if low is None:
        return f"up to {high:,}"
    if high is None:
        return f"from {low:,}"
    return f"{low:,} to {high:,}" if low <= high else "no number"


def strata_words(one: Mapping[str, Any], planners: Sequence[str]) -> Iterator[str]:
    """Yield one kind of strata: a table of a handful of planners, and where IRN leads."""
    yield f"#### By {one['quantity']}"
    rows = []
    for stratum in one["strata"]:
        for name, row, count in rows_of(stratum, planners):
            values = [cell(row[metric], metric) for metric in BY_STRATUM]
            rows.append([f"{stratum['name']}: {limits(stratum)}", name, f"{count:,}", *values])
    yield table(["stratum", "planner", "n", *(NAMES[m] for m in BY_STRATUM)], rows, text=2)
    led = [f"- {lead_in(stratum)}" for stratum in one["strata"] if stratum["differences"]]
    if led:
        yield (
            "IRN against the others, paired: all report pairs, and for planners that were planned "
            "on the fixed subset alone, its pairs (better or worse where the interval excludes 0):"
        )
        yield "\n".join(led)


def rows_of(
    stratum: Mapping[str, Any], planners: Sequence[str]
) -> Iterator[tuple[str, Mapping[str, Any], int]]:
    """Yield name, row and pairs of each planner; IRN's on the subset too, where others are there.

    Means over all pairs and over the subset do not compare.
    """
    subset = stratum["subset"]
    on_subset_alone = any(label not in stratum["planners"] for label in planners)
    for label in planners:
        yield label, *of_stratum(stratum, label)
        if label == LEAD and on_subset_alone and label in stratum["planners"]:
            yield f"{label}, fixed subset", subset["planners"][label], subset["n"]


def lead_in(stratum: Mapping[str, Any]) -> str:
    """Say whom IRN is better than in a stratum, and what the expensive planners are beside it."""
    others = list(stratum["differences"])
    parts = []
    for metric in COMPARED:
        better, worse, undecided = sides(named(stratum["differences"]), LEAD, metric)
        said = f"{NAMES[metric]} better than {len(better)} of {len(others)}"
        rest = [other for other in others if other in worse + undecided]
        parts.append(said + (f" (not better than {in_short(rest, others)})" if rest else ""))
    expensive = {
        other: row for other, row in stratum["subset"]["differences"].items() if other not in others
    }
    text = f"{stratum['name']}: {'; '.join(parts)}."
    if expensive:
        clauses = [f"{NAMES[metric]} {standing(expensive, metric)}" for metric in COMPARED]
        text += f" On {stratum['subset']['n']:,} pairs of the fixed subset: {'; '.join(clauses)}."
    return text


def standing(differences: Mapping[str, Any], metric: str) -> str:
    """Say which planners IRN is better and worse than, and which it is not told apart from."""
    better, worse, undecided = sides(named(differences), LEAD, metric)
    said = {"better than": better, "worse than": worse, "not told apart from": undecided}
    return ", ".join(f"{how} {listed(whom)}" for how, whom in said.items() if whom)


def named(differences: Mapping[str, Any]) -> dict[str, Any]:
    """Return differences by the name of both planners."""
    return {f"{LEAD} - {other}": row for other, row in differences.items()}
