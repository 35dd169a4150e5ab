"""``influpath verify``: does a result hold?"""

from pathlib import Path
from typing import Annotated

import typer

from influpath.cli.options import DataDir, data_dir_of

SHOWN = 50


def verify(
    context: typer.Context,
    result: Annotated[
        Path, typer.Argument(metavar="RESULT.json", help="A result written by `influpath run`.")
    ],
    data_dir: DataDir = None,
) -> None:
    """Recompute a result's figures from its judges, pairs and paths.

    What rests on models or paths that are not kept is named and left alone.  Ends with status 1 if
    a figure does not agree.
    """
    from influpath.cli.show import checks_table, show
    from influpath.experiments.verify import NOT_RECOMPUTED, verify_result
    from influpath.files import read_json

    checks = verify_result(result, data_dir_of(context, data_dir))
    wrong = [check for check in checks if not check.agrees]
    typer.echo(f"{result}: {len(checks) - len(wrong)} of {len(checks)} figures agree.")
    if skipped := [key for key in NOT_RECOMPUTED if read_json(result).get(key)]:
        typer.echo(f"Not recomputed, as what they rest on is not kept: {', '.join(skipped)}.")
    if wrong:
        show(checks_table(wrong[:SHOWN]))
        if len(wrong) > SHOWN:
            typer.echo(f"and {len(wrong) - SHOWN} more.")
        raise typer.Exit(1)
