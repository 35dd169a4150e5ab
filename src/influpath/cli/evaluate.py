"""``influpath evaluate``: let a judge say how good paths are."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from influpath.recommenders.base import Recommender

EXAMPLES = (
    "influpath evaluate --judge results/ml-1m/main/judge --pairs results/ml-1m/main/pairs.csv "
    "--paths irn=results/ml-1m/main/paths/irn.parquet --data ml-1m",
)


def evaluate(
    context: typer.Context,
    judge: Annotated[
        list[str],
        typer.Option(
            "--judge",
            metavar="[NAME=]DIR",
            help="Model folder of an independent judge.  Repeat it for the worst case and the "
            "mean over several.",
        ),
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
    from influpath.evaluation import evaluate_judges, read_pairs

    named = dict(name_and_file(text) for text in paths)
    if len(named) < len(paths):
        raise ConfigError("--paths: two files have the same name; name them: --paths NAME=FILE.")
    judges = judges_by_name(judge)
    options = source_options(user_column, item_column, timestamp_column, data_option)
    dataset = load_dataset(source, preset, data_dir_of(context, data_dir), **options)
    histories = histories_of(dataset, whole_history)
    chosen = pairs_of_role(read_pairs(pairs, histories), role, pairs)
    planned = {name: read_paths(file, chosen, dataset.items) for name, file in named.items()}
    evaluation = evaluate_judges(judges, chosen, planned, histories, seed)
    alone = next(iter(evaluation.by_judge.values())) if len(judges) == 1 else evaluation
    if as_json:
        typer.echo(json.dumps(alone.to_dict(), ensure_ascii=False))
    else:
        typer.echo(alone.text(width()), nl=False)


def judges_by_name(texts: list[str]) -> dict[str, "Recommender"]:
    """Load judges; one without a name has that of its kind of model.

    Raises:
        ConfigError: Two judges have the same name.
    """
    from influpath.registry import load_model

    judges: dict[str, Recommender] = {}
    for text in texts:
        name, equals, folder = text.partition("=")
        named = bool(equals) and not Path(text).exists()
        model = load_model(Path(folder) if named else Path(text))
        label = name if named else model.name
        if label in judges:
            raise ConfigError(
                f"--judge: two judges are named {label!r}; name them: --judge NAME=DIR."
            )
        judges[label] = model
    return judges


def name_and_file(text: str) -> tuple[str, Path]:
    """Split "name=file"; a file alone is named by its stem."""
    name, equals, file = text.partition("=")
    if equals and not Path(text).exists():
        return name, Path(file)
    return Path(text).stem, Path(text)
