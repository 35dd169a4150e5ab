"""Tables of the closed loop on standard output."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from influpath.experiments.closed_loop.loop import dials_text
from influpath.experiments.closed_loop.words import (
    COLUMNS,
    METRIC_NAMES,
    cell,
    correlation,
    driver_words,
)


def loop_tables(document: Mapping[str, Any]) -> dict[str, Table]:
    """Return one table per driver: every planner with means and 95% intervals."""
    tables = {}
    for driver, found in document["drivers"].items():
        table = Table(
            title=f"{document['name']}: {driver_words(driver, found['users'])}, "
            f"{found['pairs']:,} users, {document['settings']['loop']['rounds']} rounds",
            title_justify="left",
        )
        table.add_column("planner", overflow="fold")
        for name, _ in COLUMNS.values():
            table.add_column(name, justify="right")
        for planner, row in found["planners"].items():
            table.add_row(
                planner,
                *(
                    cell(row.get(measure), digits).replace(" [", "\n[")
                    for measure, (_, digits) in COLUMNS.items()
                ),
            )
        tables[driver] = table
    return tables


def choices_table(document: Mapping[str, Any]) -> Table:
    """Return the dials that every planner acts at, and why."""
    table = Table(title="dials", title_justify="left")
    for name in ("planner", "dials", "chosen"):
        table.add_column(name, overflow="fold")
    for label, dials in document["dials"].items():
        choice = document["choices"].get(label)
        table.add_row(label, dials_text(dials), choice["reason"] if choice else "as configured")
    return table


def correlations_tables(document: Mapping[str, Any]) -> list[Table]:
    """Return one table per thing that true users do: Spearman's rho of every metric and judge."""
    tables = []
    for target, found in document["correlations"].items():
        judges = [source for source in found if not source.startswith("loop/")]
        table = Table(
            title=f"Spearman's rho with true users: {target} ({len(document['points'])} points, "
            f"{document['users']:,} users)",
            title_justify="left",
        )
        table.add_column("metric")
        for judge in judges:
            table.add_column(judge, justify="right")
        for metric in found[judges[0]]:
            rhos = (correlation(found[judge][metric]["rho"]) for judge in judges)
            table.add_row(METRIC_NAMES.get(metric, metric), *rhos)
        table.add_section()
        for measure, row in found["loop/judge"].items():
            table.add_row(f"in the loop: {measure}", correlation(row["rho"]))
        tables.append(table)
    return tables
