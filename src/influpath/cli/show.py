"""Tables on standard output."""

import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console, RenderableType
from rich.table import Table

if TYPE_CHECKING:
    import polars as pl

    from influpath.data import Dataset
    from influpath.experiments.verify import Check
    from influpath.planning.paths import Paths
    from influpath.recommenders.base import Recommender

# What the table of a run shows, with its digits and how to read it.
COLUMNS = {
    "sr": (3, "objective shown (SR)"),
    "accepted_sr@20": (3, "... and accepted (top 20)"),
    "ioi": (2, "growth of interest (IoI)"),
    "ior": (1, "places climbed (IoR)"),
    "log_ppl": (2, "surprise, log(PPL)"),
    "worst_step": (2, "worst step"),
    "acceptance@20": (3, "items in the top 20"),
    "arrival@20": (3, "arrival in the top 20"),
    "length": (1, "length"),
}
# Characters of a column of figures with intervals beside or below them, and of the names before.
CELL, NARROW_CELL, NAMES = 23, 18, 30
# Width of a page that is no terminal; history items shown before a path.
PAGE, TAIL = 120, 3


def width() -> int:
    """Return how many characters fit a line."""
    return shutil.get_terminal_size((PAGE, 24)).columns if sys.stdout.isatty() else PAGE


def show(what: RenderableType) -> None:
    """Print a table or a text to standard output."""
    Console(file=sys.stdout, width=width(), highlight=False, soft_wrap=isinstance(what, str)).print(
        what
    )


def stats_table(dataset: "Dataset") -> Table:
    """Return the counts of a dataset and what preparation dropped."""
    table = Table(title=f"{dataset.name}, preset {dataset.preset}", title_justify="left")
    table.add_column("count")
    table.add_column("", justify="right")
    for name, value in dataset.stats().items():
        table.add_row(name.replace("_", " "), f"{value:,}")
    table.add_section()
    for reason, count in dataset.report.items():
        table.add_row(reason, f"{count:,}")
    if not dataset.report:
        table.add_row("nothing was dropped", "")
    return table


def models_table(
    models: Mapping[tuple[str, str], "Recommender"], folders: Mapping[tuple[str, str], Path]
) -> Table:
    """Return the trained models of a run: their folders, epochs and validation."""
    table = Table(title="models", title_justify="left")
    for name in ("role", "model", "folder", "epochs", "best on validation", "minutes"):
        table.add_column(name, overflow="fold")
    for (role, name), model in models.items():
        history = model.history
        table.add_row(
            role,
            name,
            str(folders[role, name]),
            str(len(history["epochs"])),
            f"{history['best']:.4f}",
            f"{history['seconds'] / 60:.1f}",
        )
    return table


def components_table(title: str, about: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return recommenders or planners by name: what they are and their settings."""
    table = Table(title=title, title_justify="left", show_lines=True)
    for name in ("name", "about", "settings"):
        table.add_column(name, overflow="fold")
    for name, each in about.items():
        settings = ", ".join(f"{key} {_short(value)}" for key, value in each["settings"].items())
        table.add_row(name, each["about"], settings or "none")
    return table


def planners_tables(document: dict[str, Any]) -> list[Table]:
    """Return the table of a result, every planner with means and 95% intervals.

    Planners that do not fit the width go into a further table.
    """
    planners: dict[str, dict[str, Any]] = document["planners"]
    joint = " " if NAMES + CELL * len(planners) <= width() else "\n"
    size = max(1, (width() - NAMES) // (CELL if joint == " " else NARROW_CELL))
    judge = document["evaluator"]
    tables = []
    for start in range(0, len(planners), size):
        part = dict(list(planners.items())[start : start + size])
        table = Table(
            title=f"{document['name']}: judged by {judge['name']} "
            f"(HR@20 {judge['hr@20']:.3f}, MRR {judge['mrr']:.3f}); means with 95% intervals",
            title_justify="left",
            show_lines=joint == "\n",
        )
        table.add_column("")
        for name in part:
            table.add_column(name, justify="right")
        for metric, (digits, words) in COLUMNS.items():
            table.add_row(words, *(_cell(row.get(metric), digits, joint) for row in part.values()))
        table.add_row("users", *(f"{row['sr']['n']:,}" for row in part.values()))
        tables.append(table)
    return tables


def next_item_table(document: Mapping[str, Any]) -> Table:
    """Return the table of a next-item comparison, the paper's figures beside ours."""
    names = list(document["config"]["recommenders"])
    printed = document["paper_evaluators"] or {}
    table = Table(
        title=f"{document['name']}: held-out items of {document['users']:,} users, full ranking; "
        "means with 95% intervals",
        title_justify="left",
    )
    table.add_column("recommender")
    for heading in ("HR@10", "HR@20", "NDCG@10", "MRR"):
        table.add_column(heading, justify="right")
    table.add_column("paper: HR@20, MRR", justify="right")
    for name in names:
        row, paper = document[name], printed.get(name)
        figures = (
            _cell({"mean": row[key], "ci95": row[f"{key}_ci95"]}, 3, " ")
            for key in ("hr@10", "hr@20", "ndcg@10", "mrr")
        )
        table.add_row(name, *figures, f"{paper['hr@20']:g}, {paper['mrr']:g}" if paper else "")
    return table


def path_table(known: "Dataset", pair: Mapping[str, Any], paths: "Paths", label: str) -> Table:
    """Return one influence path, from the last history items to the objective, with its reasons.

    Args:
        known: Histories and titles.
        pair: A row of the pairs, perhaps with its feasibility.
        paths: Of all pairs, perhaps with reasons.
        label: The planner.
    """
    user, objective = pair["user_id"], pair["objective_id"]
    steps = paths.steps.filter(paths.steps["pair_id"] == pair["pair_id"]).sort("step")
    reached = bool(steps.height) and steps["item_id"][-1] == objective
    explained = "reason" in steps.columns and bool(steps.height)
    table = Table(title=_path_title(known, pair, label, reached), title_justify="left")
    table.add_column("step", justify="right")
    for name in ("item", "title", "genres"):
        table.add_column(name, overflow="fold")
    table.add_column("score", justify="right")
    if explained:
        table.add_column("why", overflow="fold")
    history = known.items.decode(known.sequences.row(int(known.rows_of([user])[0])))
    for item in history[-TAIL:]:
        table.add_row("history", *_described(known, item))
    table.add_section()
    for step in steps.iter_rows(named=True):
        item = step["item_id"]
        mark = "objective" if item == objective else str(step["step"])
        why = [step["reason"]] if explained else []
        table.add_row(mark, *_described(known, item), f"{step['score']:.2f}", *why)
    if not reached and objective is not None:
        table.add_section()
        table.add_row("objective", *_described(known, objective))
    return table


def audience_table(known: "Dataset", ranked: "pl.DataFrame", title: str) -> Table:
    """Return the users who can be led to an objective, the most feasible first."""
    table = Table(title=title, title_justify="left")
    table.add_column("rank", justify="right")
    for name in ("user", "item", "title"):
        table.add_column(name, overflow="fold")
    table.add_column("feasibility", justify="right")
    table.add_column("", overflow="fold")
    for row in ranked.iter_rows(named=True):
        item = row["item_id"]
        table.add_row(
            str(row["rank"]),
            str(row["user_id"]),
            "" if item is None else str(item),
            "" if item is None else known.title(item),
            f"{row['feasibility']:.3f}",
            row["note"] or "",
        )
    return table


def reliability_table(document: Mapping[str, Any]) -> Table:
    """Return how far a feasibility can be trusted: on whom, and under which judge."""
    meant = document["feasibility"]["calibrated_to"]
    table = Table(
        title=f"{document['name']}: feasibility of {meant['planner']}, fitted to "
        f"{meant['pairs']:,} pairs of dial users under {meant['judge']}",
        title_justify="left",
    )
    for name in ("checked on", "n", "predicted", "accepted", "ECE", "Brier", "AUC"):
        table.add_column(name, justify="left" if name == "checked on" else "right")
    rows = {f"report pairs, {meant['judge']}": document["report"]}
    if document["chosen_members"] is not None:
        rows["best members of categories"] = document["chosen_members"]
    rows |= {f"subset, {judge}": row for judge, row in document["subset_by_judge"].items()}
    for name, row in rows.items():
        table.add_row(
            name,
            f"{row['n']:,}",
            f"{row['predicted']:.3f}",
            _cell(row["happened"], 3, " "),
            f"{row['ece']:.3f} ({row['ece_by_chance']:.3f} by chance)",
            _cell(row["brier"], 3, " "),
            "-" if row["auc"] is None else f"{row['auc']:.3f}",
        )
    return table


def checks_table(checks: Iterable["Check"]) -> Table:
    """Return figures that do not agree."""
    table = Table(title="figures that do not agree", title_justify="left")
    table.add_column("figure", overflow="fold")
    table.add_column("recorded", justify="right")
    table.add_column("recomputed", justify="right")
    for check in checks:
        table.add_row(check.key, str(check.recorded), str(check.recomputed))
    return table


def facts_table(facts: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return groups of facts."""
    table = Table(show_header=False)
    for group, values in facts.items():
        for name, value in values.items():
            table.add_row(group, name, "none" if value is None else str(value))
            group = ""
        table.add_section()
    return table


def _path_title(known: "Dataset", pair: Mapping[str, Any], label: str, reached: bool) -> str:
    """Return what heads a path: the planner, from whom to where, and how feasible that is."""
    objective, feasibility = pair["objective_id"], pair.get("feasibility")
    title = f"{label}: user {pair['user_id']}"
    title += "" if objective is None else f" to {known.title(objective)}"
    if feasibility is not None and objective is not None:
        title += f", feasibility {feasibility:.3f}"
    if not pair.get("reachable", True):
        return f"{title} (not reachable: {pair['note']})"
    return title if reached else f"{title} (not reached)"


def _described(known: "Dataset", item: Any) -> tuple[str, str, str]:
    return str(item), known.title(item), ", ".join(known.genres(item))


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return "(" + ", ".join(f"{key} {_short(inner)}" for key, inner in value.items()) + ")"
    return "none" if value is None else str(value)


def _cell(figure: Mapping[str, Any] | None, digits: int, joint: str) -> str:
    if not figure or figure["mean"] is None:
        return "-"
    low, high = figure["ci95"]
    return f"{figure['mean']:,.{digits}f}{joint}[{low:,.{digits}f}, {high:,.{digits}f}]"
