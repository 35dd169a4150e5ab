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
    """Recompute every figure of a result from its judge, pairs and paths.

    Ends with status 1 if a figure does not agree.
    """
    from influpath.cli.show import checks_table, show
    from influpath.experiments.verify import verify_result

    checks = verify_result(result, data_dir_of(context, data_dir))
    wrong = [check for check in checks if not check.agrees]
    typer.echo(f"{result}: {len(checks) - len(wrong)} of {len(checks)} figures agree.")
    if wrong:
        show(checks_table(wrong[:SHOWN]))
        if len(wrong) > SHOWN:
            typer.echo(f"and {len(wrong) - SHOWN} more.")
        raise typer.Exit(1)
