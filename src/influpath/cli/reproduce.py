"""``influpath reproduce``: the paper's tables and figures, and the studies beyond them."""

from pathlib import Path
from typing import Annotated

import typer

from influpath.cli.logs import log_to_file
from influpath.cli.options import DataDir, RunsDir, data_dir_of

EXAMPLES = (
    "influpath reproduce lastfm --budget 5",
    "influpath reproduce ml-1m --only table-3 --only figure-9",
)


def reproduce(
    context: typer.Context,
    dataset: Annotated[
        str,
        typer.Argument(
            metavar="DATASET", help="ml-1m, lastfm, or a TOML file (see docs/reproducing.md)."
        ),
    ],
    preset: Annotated[
        str | None, typer.Option(help="Preparation: clean or paper; the settings' own by default.")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Only this table, figure or study.  May be repeated.  See --list."
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="The studies with budgets of their own too.")
    ] = False,
    seeds: Annotated[
        int, typer.Option(min=1, max=100, help="Train every model with so many seeds.")
    ] = 1,
    budget: Annotated[
        float | None,
        typer.Option(
            min=0.1, metavar="MINUTES", help="Take about so long, at lower quality if need be."
        ),
    ] = None,
    results: Annotated[
        Path, typer.Option("--results-dir", metavar="FOLDER", help="Where results go.")
    ] = Path("results"),
    page: Annotated[
        Path | None,
        typer.Option(metavar="FILE.md", help="The page; reproduction.md beside the results."),
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="Say what there is, and end.")] = False,
    data_dir: DataDir = None,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Make the tables and figures of the paper's section IV, each beside the paper's own.

    What is there already is not made again; an interrupted reproduction goes on where it stopped.
    Tables, figures (PNG and SVG), a page (reproduction.md) and a report (report.html) are written.
    """
    from influpath.experiments.reproduction.bench import Bench
    from influpath.experiments.reproduction.config import CORE, read_config
    from influpath.experiments.reproduction.page import write_page, write_report
    from influpath.experiments.reproduction.recipes import chosen
    from influpath.experiments.reproduction.stages import Stages

    config = read_config(dataset)
    if listing:
        there = chosen([], everything=True, config=config)
        width = max(len(recipe.name) for recipe in there)
        for recipe in there:
            minutes = (
                "" if recipe.group == CORE else f" (--only, {config.minutes_of(recipe.group)})"
            )
            typer.echo(f"{recipe.name:{width}} {recipe.title}{minutes}")
        typer.echo(f"All without --only, the core: {config.minutes_of(CORE)} together.")
        return
    config = config.under(preset or config.data.preset)
    recipes = chosen(only or [], everything, config)
    whole = config
    data = data_dir_of(context, data_dir)
    if budget is not None:
        # Judges that are there cost nothing, and make what a short budget yields mean more.
        kept = Bench(config, data, runs_dir).kept_evaluators(results)
        config = config.within(budget, {recipe.group for recipe in recipes}, kept, seeds)
    stages = Stages(config, recipes, results, data, runs_dir, seeds, budget, whole)
    with log_to_file(stages.benches[0].workspace.root / "reproduce.log"):
        stages.make()
    typer.echo(f"page: {write_page(results, page or results / 'reproduction.md')}")
    typer.echo(f"report: {write_report(stages.folder)}")
