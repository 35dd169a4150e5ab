"""The result as tables for people."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

TITLES = {
    "training": "training: supervised targets per second",
    "planning": "planning: influence paths per second",
    "judging": "judging: paths read per second",
    "start": "start: seconds of a fresh process",
    "growth": "growth: one process per point",
    "reach": "reach: training time to HR@10",
    "serving": "serving: from when a request was due to its answer",
}


def bench_tables(document: Mapping[str, Any]) -> list[Table]:
    """Return a table per part and one of the figures that stand for the run.

    Args:
        document: As written to the result file.
    """
    tables = [
        growth_table(part) if name == "growth" else part_table(name, part)
        for name, part in document["parts"].items()
        if "rows" in part
    ]
    skipped = {
        name: part["skipped"] for name, part in document["parts"].items() if "rows" not in part
    }
    return [*tables, summary_table(document, skipped)]


def part_table(name: str, part: Mapping[str, Any]) -> Table:
    """Return the rows of one part."""
    table = Table(title=TITLES[name], title_justify="left", caption_justify="left")
    table.add_column("what", overflow="fold")
    for column in ("median", "times the reference", "of fp32 peak", "of bf16 peak"):
        table.add_column(column, justify="right")
    table.add_column("reference", overflow="fold")
    for row in part["rows"]:
        share = row.get("share_of_peak") or {}
        lower = ">= " if row.get("reached") is False and row["ratio"] is not None else ""
        table.add_row(
            row["name"],
            f"{number(row['value'])} {row['unit']}",
            f"{lower}{number(row['ratio'])}",
            percent(share.get("fp32")),
            percent(share.get("bf16")),
            row["reference"] or "",
        )
    if peak := part.get("peak"):
        table.caption = (
            f"peak of the matrix product in the same rounds: {peak['fp32']:,} GFLOP/s fp32, "
            f"{peak['bf16']:,} bf16"
        )
    return table


def growth_table(part: Mapping[str, Any]) -> Table:
    """Return the points of the growth curves."""
    table = Table(title=TITLES["growth"], title_justify="left")
    for column in ("what grows", "work"):
        table.add_column(column)
    for column in ("rate", "times the reference", "peak GiB"):
        table.add_column(column, justify="right")
    table.add_column("reference", overflow="fold")
    for row in part["rows"]:
        rate = row["error"] or f"{number(row['value'])} {row['unit']}"
        table.add_row(
            f"{row['size']:,} {row['axis']}",
            row["work"],
            rate,
            number(row["ratio"]),
            number(row["peak_gib"]),
            row["reference"] or "",
        )
    return table


def summary_table(document: Mapping[str, Any], skipped: Mapping[str, str]) -> Table:
    """Return ratios, minutes and memory of the whole run, and what was left out."""
    table = Table(title="the whole run", title_justify="left", show_header=False)
    table.add_column("group")
    table.add_column("figure")
    table.add_column("value", overflow="fold")
    for group in ("ratios", "minutes", "peak_gib", "seconds", "exponents"):
        for name, value in document.get(group, {}).items():
            table.add_row(group, name, number(value))
            group = ""
    for name, reason in skipped.items():
        table.add_row("left out", name, reason)
    return table


def number(value: float | None) -> str:
    """Return three significant digits, or nothing for None."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def percent(share: float | None) -> str:
    """Return a share in percent, or nothing for None."""
    return "" if share is None else f"{100 * share:.2g}%"
