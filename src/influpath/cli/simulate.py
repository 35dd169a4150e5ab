"""``influpath simulate`` and ``judges``: planners and users in the closed loop."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from influpath.cli.logs import log_to_file
from influpath.cli.options import DataDir, RunsDir, data_dir_of

if TYPE_CHECKING:
    from influpath.experiments.closed_loop.loop import ClosedLoop

EXAMPLES = ("influpath simulate simulated --users 200", "influpath simulate ml-1m")
JUDGES_EXAMPLE = "influpath judges simulated"

Settings = Annotated[
    str,
    typer.Argument(
        metavar="DATASET", help="simulated, ml-1m, lastfm, or a run file (see docs/simulation.md)."
    ),
]
Users = Annotated[
    int | None, typer.Option(min=2, help="Report users, at most; the settings' own by default.")
]
Results = Annotated[
    Path | None,
    typer.Option(
        "--results-dir",
        metavar="FOLDER",
        help="Where the result goes; the settings' own file by default.",
    ),
]


def simulate(
    context: typer.Context,
    dataset: Settings,
    users: Users = None,
    results: Results = None,
    data_dir: DataDir = None,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Let planners lead users who accept, reject, ignore, go their own ways and leave.

    Dials are chosen in the loop with the dial users; then every planner meets the report users.
    What was done before is not done again, so an interrupted simulation goes on where it stopped.
    """
    from influpath.cli.show import show
    from influpath.cli.show_loop import choices_table, loop_tables
    from influpath.experiments.closed_loop.figures import draw_loop
    from influpath.experiments.closed_loop.words import verdicts

    loop = closed_loop(context, dataset, users, results, data_dir, runs_dir)
    with log_to_file(loop.run.workspace.root / "simulate.log"):
        document = loop.write()
        draw_loop(document, loop.result_path.with_suffix(""))
    show(choices_table(document))
    for driver, table in loop_tables(document).items():
        show(table)
        for verdict in verdicts(document, driver):
            typer.echo(f"- {verdict.replace('`', '')}")
    typer.echo(f"result: {loop.result_path}")
    typer.echo(f"figure: {loop.result_path.with_suffix('.svg')}")


def judges(
    context: typer.Context,
    dataset: Settings = "simulated",
    users: Users = None,
    results: Results = None,
    data_dir: DataDir = None,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Ask how well a learnt judge ranks planners by what true users do (the simulated world).

    Every planner at many dials is judged offline by every evaluator and by the truth, and meets
    users in the closed loop; a metric is as good as its ranking is like the true one.
    """
    from influpath.cli.show import show
    from influpath.cli.show_loop import correlations_tables
    from influpath.experiments.closed_loop.figures import draw_judges
    from influpath.experiments.closed_loop.judges import JudgesStudy

    loop = closed_loop(context, dataset, None, results, data_dir, runs_dir)
    study = JudgesStudy(loop, users)
    with log_to_file(loop.run.workspace.root / "simulate.log"):
        document = study.write()
        draw_judges(document, study.result_path.with_suffix(""))
    for table in correlations_tables(document):
        show(table)
    typer.echo(f"result: {study.result_path}")
    typer.echo(f"figure: {study.result_path.with_suffix('.svg')}")


def closed_loop(
    context: typer.Context,
    dataset: str,
    users: int | None,
    results: Path | None,
    data_dir: str | None,
    runs_dir: Path,
) -> "ClosedLoop":
    """Read settings and open their folder.

    Raises:
        ConfigError: There are none, or a value is wrong.
    """
    from influpath.experiments.closed_loop.config import read_config
    from influpath.experiments.closed_loop.loop import ClosedLoop
    from influpath.experiments.run import Run

    config = read_config(dataset)
    changes = {
        key: value
        for key, value in (
            ("users", users),
            ("result", str(results / "simulate.json") if results else None),
        )
        if value is not None
    }
    settings = config.simulate.model_copy(update=changes)
    config = config.model_copy(update={"simulate": settings})
    return ClosedLoop(Run(config, data_dir_of(context, data_dir), runs_dir))
