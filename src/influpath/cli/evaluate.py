"""``influpath evaluate``: let a judge say how good paths are."""

import json
from pathlib import Path
from typing import Annotated

import typer

from influpath.cli.options import (
    DataDir,
    DataOption,
    ItemColumn,
    Preset,
    Role,
    TimestampColumn,
    UserColumn,
    WholeHistory,
    data_dir_of,
    histories_of,
    source_options,
)
from influpath.errors import ConfigError

EXAMPLES = (
    "influpath evaluate --judge results/ml-1m/main/judge --pairs results/ml-1m/main/pairs.csv "
    "--paths irn=results/ml-1m/main/paths/irn.parquet --data ml-1m",
)


def evaluate(
    context: typer.Context,
    judge: Annotated[
        Path, typer.Option("--judge", metavar="DIR", help="Model folder of an independent judge.")
    ],
    pairs: Annotated[
        Path,
        typer.Option(
            "--pairs", metavar="FILE", help="CSV or Parquet: pair_id, user_id, objective_id."
        ),
    ],
    paths: Annotated[
        list[str],
        typer.Option(
            "--paths",
            metavar="[NAME=]FILE",
            help="Paths written by `influpath plan` (.parquet, .csv, .json).  Repeat it to "
            "compare planners.",
        ),
    ],
    source: Annotated[
        str, typer.Option("--data", metavar="SOURCE", help="The data the judge was trained on.")
    ],
    preset: Preset = "clean",
    whole_history: WholeHistory = False,
    role: Role = "report",
    seed: Annotated[int, typer.Option(help="Decides the bootstrap.")] = 0,
    user_column: UserColumn = "user_id",
    item_column: ItemColumn = "item_id",
    timestamp_column: TimestampColumn = "timestamp",
    data_option: DataOption = None,
    data_dir: DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Judge paths: every metric with its 95% interval, all planners on the same pairs."""
    from influpath.cli.path_files import pairs_of_role, read_paths
    from influpath.cli.show import width
    from influpath.data import load_dataset
    from influpath.evaluation import evaluate as evaluate_paths
    from influpath.evaluation import read_pairs
    from influpath.registry import load_model

    named = dict(name_and_file(text) for text in paths)
    if len(named) < len(paths):
        raise ConfigError("--paths: two files have the same name; name them: --paths NAME=FILE.")
    model = load_model(judge)
    options = source_options(user_column, item_column, timestamp_column, data_option)
    dataset = load_dataset(source, preset, data_dir_of(context, data_dir), **options)
    histories = histories_of(dataset, whole_history)
    chosen = pairs_of_role(read_pairs(pairs, histories), role, pairs)
    planned = {name: read_paths(file, chosen, dataset.items) for name, file in named.items()}
    evaluation = evaluate_paths(model, chosen, planned, histories, seed)
    if as_json:
        typer.echo(json.dumps(evaluation.to_dict(), ensure_ascii=False))
    else:
        typer.echo(evaluation.text(width()), nl=False)


def name_and_file(text: str) -> tuple[str, Path]:
    """Split "name=file"; a file alone is named by its stem."""
    name, equals, file = text.partition("=")
    if equals and not Path(text).exists():
        return name, Path(file)
    return Path(text).stem, Path(text)
