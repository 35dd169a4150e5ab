"""``influpath data``: look at a dataset before using it."""

import json
from typing import Annotated

import typer

from influpath.cli.options import (
    DataDir,
    DataOption,
    ItemColumn,
    Preset,
    TimestampColumn,
    UserColumn,
    add_command,
    data_dir_of,
    source_options,
)

app = typer.Typer(help="Look at a dataset before using it.", no_args_is_help=True)
EXAMPLES = (
    "influpath data stats ml-1m --preset paper --json",
    "influpath data stats log.csv --user-column user --item-column movie --timestamp-column when",
)


def stats(
    context: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="ml-1m, lastfm, simulated, a CSV or Parquet file, or a saved dataset's folder.",
        ),
    ],
    preset: Preset = "clean",
    user_column: UserColumn = "user_id",
    item_column: ItemColumn = "item_id",
    timestamp_column: TimestampColumn = "timestamp",
    data_option: DataOption = None,
    data_dir: DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Count users, items and interactions, and what preparation dropped."""
    from influpath.cli.show import show, stats_table
    from influpath.data import load_dataset

    options = source_options(user_column, item_column, timestamp_column, data_option)
    dataset = load_dataset(source, preset, data_dir_of(context, data_dir), **options)
    if as_json:
        document = {
            **dataset.stats(),
            "name": dataset.name,
            "preset": dataset.preset,
            "fingerprint": dataset.fingerprint,
            "dropped": dataset.report,
        }
        typer.echo(json.dumps(document, ensure_ascii=False))
    else:
        show(stats_table(dataset))


add_command(app, "stats", *EXAMPLES)(stats)
