"""``influpath feasibility``: how probable it is that a user accepts an objective."""

from pathlib import Path
from typing import Annotated

import typer

from influpath.cli.logs import log_to_file
from influpath.cli.options import DataDir, RunsDir
from influpath.cli.runs import RunFile, start_run

EXAMPLES = ("influpath feasibility configs/ml-1m.toml --data-dir ~/datasets",)


def feasibility(
    context: typer.Context,
    config: RunFile,
    planner: Annotated[
        str, typer.Option("--planner", help="The planner, on a model of the run: rec2inf/sasrec.")
    ] = "irn",
    data_dir: DataDir = None,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Calibrate feasibility on the dial users of a run and check it on its report users.

    It is put beside the planner's model, where `influpath plan` and `influpath audience` find it.
    """
    from influpath.cli.show import reliability_table, show
    from influpath.experiments.feasibility import FeasibilityStudy, feasibility_path

    study = FeasibilityStudy(start_run(context, config, data_dir, runs_dir), planner)
    with log_to_file(study.run.workspace.root / "run.log"):
        document = study.write()
    show(reliability_table(document))
    typer.echo(f"result: {feasibility_path(study.run)}")
    typer.echo(f"feasibility: {study.folder}")
