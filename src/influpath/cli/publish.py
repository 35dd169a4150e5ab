"""``influpath publish``: make a version that the service can plan with."""

from datetime import UTC, datetime
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from influpath.cli.logs import log_to_file
from influpath.cli.options import DataDir, RunsDir
from influpath.cli.runs import start_run

if TYPE_CHECKING:
    from influpath.experiments.run import Run

EXAMPLES = (
    "influpath publish demo",
    "influpath publish configs/ml-1m.toml --bundles bundles --tenant default --version 2026-11-24",
)
DEMO = "demo"


def publish(
    context: typer.Context,
    config: Annotated[
        str,
        typer.Argument(metavar="CONFIG.toml|demo", help="A run file, or the embedded demo."),
    ],
    bundles: Annotated[
        Path, typer.Option("--bundles", metavar="FOLDER", help="Where the service looks for them.")
    ] = Path("bundles"),
    tenant: Annotated[str, typer.Option("--tenant", help="Whose version it is.")] = "default",
    version: Annotated[
        str | None,
        typer.Option("--version", help="Its name, a new one; by default today's date."),
    ] = None,
    planner: Annotated[
        str, typer.Option("--planner", help="What campaigns plan with, on a model of the run.")
    ] = "irn",
    feasibility: Annotated[
        bool,
        typer.Option(
            "--feasibility/--no-feasibility",
            help="Say how feasible objectives are; without, nobody is spared a hopeless journey.",
        ),
    ] = True,
    data_dir: DataDir = None,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Make a version of a run for the service: models, judge, feasibility, catalogue, histories.

    What the run has not done yet is done first; an interrupted one goes on.
    """
    from influpath.serving.bundles import publish as making

    name = version or datetime.now(UTC).date().isoformat()
    # Before hours of training, not after.
    making.new_folder(bundles, tenant, name)
    run = open_run(context, config, data_dir, runs_dir)
    with log_to_file(run.workspace.root / "run.log"):
        bundle = making.bundle_of(run, planner, feasibility)
        target = making.publish(bundle, bundles, tenant, name)
    typer.echo(
        f"bundle: {target} ({len(bundle.dataset.users)} users, {len(bundle.dataset.items)} items, "
        f"planner {bundle.label})"
    )


def open_run(context: typer.Context, config: str, data_dir: str | None, runs_dir: Path) -> "Run":
    """Return the run of a file, or the embedded one."""
    if config != DEMO:
        return start_run(context, Path(config), data_dir, runs_dir)
    with as_file(files("influpath.experiments") / "demo.toml") as path:
        return start_run(context, path, data_dir, runs_dir)
