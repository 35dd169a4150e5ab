"""The ``influpath`` command: global options and the list of commands.

Heavy imports (torch, polars) are made inside the commands, so that help is there at once.
"""

import os
import signal
import sys
from typing import Annotated

import typer

from influpath.cli import (
    audience,
    bench,
    components,
    data,
    doctor,
    evaluate,
    feasibility,
    keys,
    plan,
    publish,
    reproduce,
    runs,
    serve,
    simulate,
    verify,
)
from influpath.cli.errors import drop_output
from influpath.cli.logs import log_to_stderr
from influpath.cli.options import DataDir, Settings, add_command

# Before torch is imported.  Threads that wait by spinning take the cores from each other as soon as
# other programs want them too: planning was five times slower on a busy machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

app = typer.Typer(
    name="influpath",
    help="Lead a user, step by acceptable step, to an objective item: train, plan, judge.",
    epilog="Start with: influpath demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(data.app, name="data")
app.add_typer(keys.app, name="keys")
add_command(app, "demo", "influpath demo")(runs.demo)
add_command(app, "run", "influpath run configs/ml-1m.toml --data-dir ~/datasets")(runs.run)
add_command(app, "train", "influpath train configs/ml-1m.toml")(runs.train)
add_command(app, "next-item", "influpath next-item configs/next-item-ml-1m.toml")(runs.next_item)
add_command(app, "reproduce", *reproduce.EXAMPLES)(reproduce.reproduce)
add_command(app, "feasibility", *feasibility.EXAMPLES)(feasibility.feasibility)
add_command(app, "simulate", *simulate.EXAMPLES)(simulate.simulate)
add_command(app, "judges", simulate.JUDGES_EXAMPLE)(simulate.judges)
add_command(app, "plan", *plan.EXAMPLES)(plan.plan)
add_command(app, "audience", *audience.EXAMPLES)(audience.audience)
add_command(app, "publish", *publish.EXAMPLES)(publish.publish)
add_command(app, "serve", *serve.EXAMPLES)(serve.serve)
add_command(app, "evaluate", *evaluate.EXAMPLES)(evaluate.evaluate)
add_command(app, "verify", "influpath verify results/ml-1m/main.json")(verify.verify)
add_command(app, "bench", *bench.EXAMPLES)(bench.bench)
add_command(app, "recommenders", "influpath recommenders --json")(components.recommenders)
add_command(app, "planners", "influpath planners --json")(components.planners)
add_command(app, "doctor", "influpath doctor --json")(doctor.doctor)


def show_version(wanted: bool) -> None:
    """Print the version and end, where wanted."""
    if wanted:
        from influpath import __version__

        typer.echo(f"influpath {__version__}")
        raise typer.Exit


@app.callback()
def start(
    context: typer.Context,
    data_dir: DataDir = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say nothing but results and warnings.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=show_version, is_eager=True, help="Print the version and end."
        ),
    ] = False,
) -> None:
    """Lead a user, step by acceptable step, to an objective item: train, plan, judge."""
    log_to_stderr(quiet)
    context.obj = Settings(data_dir=data_dir)


def main() -> None:
    """Run the command line."""
    try:
        # Under this name however it was started, by `python -m influpath` too.
        app(prog_name="influpath")
    finally:
        # The end is near: a second Ctrl-C could only disturb it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            drop_output()
