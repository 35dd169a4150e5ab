"""Strata in words: a table of a few planners, stratum by stratum, and whom IRN is better than."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from influpath.experiments.reproduction.markdown import NAMES, cell, table
from influpath.experiments.reproduction.planner_rows import in_short, sides

BY_STRATUM = ("sr", "accepted_sr@20", "ioi", "log_ppl")


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
        for label in planners:
            row, count = of_stratum(stratum, label)
            values = [cell(row[metric], metric) for metric in BY_STRATUM]
            rows.append([f"{stratum['name']}: {limits(stratum)}", label, f"{count:,}", *values])
    yield table(["stratum", "planner", "n", *(NAMES[m] for m in BY_STRATUM)], rows, text=2)
    led = [f"- {lead_in(stratum)}" for stratum in one["strata"] if stratum["differences"]]
    if led:
        yield "IRN against the others, all report pairs (better where the interval excludes 0):"
        yield "\n".join(led)


def lead_in(stratum: Mapping[str, Any]) -> str:
    """Say whom IRN is better than in a stratum, on all report pairs."""
    others = list(stratum["differences"])
    named = {f"irn - {other}": row for other, row in stratum["differences"].items()}
    parts = []
    for metric in ("accepted_sr@20", "ioi"):
        better = sides(named, "irn", metric).better
        rest = [other for other in others if other not in better]
        said = f"{NAMES[metric]} better than {len(better)} of {len(others)}"
        parts.append(said + (f" (not better than {in_short(rest, others)})" if rest else ""))
    return f"{stratum['name']}: {'; '.join(parts)}."
