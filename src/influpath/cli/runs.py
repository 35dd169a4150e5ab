"""``influpath demo``, ``run``, ``train`` and ``next-item``: the whole job, or parts of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from influpath.cli.logs import log_to_file
from influpath.cli.options import DataDir, RunsDir, data_dir_of

if TYPE_CHECKING:
    from influpath.experiments.run import Run

RunFile = Annotated[
    Path,
    typer.Argument(metavar="CONFIG.toml", help="A run file (see docs/configuration.md)."),
]


def demo(context: typer.Context, runs_dir: RunsDir = Path("runs")) -> None:
    """Do the whole job on the embedded simulated world, in about three minutes on two cores."""
    from importlib.resources import as_file, files

    with as_file(files("influpath.experiments") / "demo.toml") as config:
        whole_job(start_run(context, config, None, runs_dir))


def run(
    context: typer.Context,
    config: RunFile,
    data_dir: DataDir = None,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Do the whole job of a run file: train, choose dials, plan, judge, report.

    What was done before is not done again, so an interrupted run goes on where it stopped.
    """
    whole_job(start_run(context, config, data_dir, runs_dir))


def train(
    context: typer.Context,
    config: RunFile,
    data_dir: DataDir = None,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Train the models that a run file names, and print each one's folder.

    Models that are there already are not trained again; an interrupted training goes on.
    """
    from influpath.cli.show import models_table, show

    job = start_run(context, config, data_dir, runs_dir)
    with log_to_file(job.workspace.root / "run.log"):
        models = job.trained
        folders = {key: one.directory for key, one in job.jobs().items()}
    show(models_table(models, folders))


def next_item(
    context: typer.Context,
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG.toml", help="A file of recommenders to compare.")
    ],
    data_dir: DataDir = None,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Compare recommenders as next-item models: HR, NDCG and MRR of held-out items, full ranking.

    Models that are there already are not trained again.
    """
    from influpath.cli.show import next_item_table, show
    from influpath.experiments.next_item_table import NextItemConfig, NextItemTable

    job = NextItemTable(NextItemConfig.from_toml(config), data_dir_of(context, data_dir), runs_dir)
    with log_to_file(job.workspace.root / "run.log"):
        document = job.write()
    show(next_item_table(document))
    typer.echo(f"result: {job.result_path}")


def start_run(context: typer.Context, config: Path, data_dir: str | None, runs_dir: Path) -> "Run":
    """Read a run file and open its folder.

    Raises:
        ConfigError: The file is missing, is no TOML, or holds a wrong value.
    """
    from influpath.experiments.config import RunConfig
    from influpath.experiments.run import Run

    return Run(RunConfig.from_toml(config), data_dir_of(context, data_dir), runs_dir)


def whole_job(job: "Run") -> None:
    """Do a run, write its result and report, and print the table and an example path."""
    from influpath.cli.show import planners_tables, show
    from influpath.experiments.examples import example_paths, render_example
    from influpath.experiments.report import write_report
    from influpath.experiments.result import result_path, write_result

    report = job.workspace.root / "report.html"
    with log_to_file(job.workspace.root / "run.log"):
        document = write_result(job)
        examples = example_paths(job, count=10)
        write_report(document, examples, report)
    for table in planners_tables(document):
        show(table)
    if examples:
        show(render_example(examples[0]))
    typer.echo(f"result: {result_path(job)}")
    typer.echo(f"report: {report}")
