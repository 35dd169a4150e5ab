"""Options that several commands share."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from influpath.cli.errors import guarded
from influpath.errors import ConfigError

if TYPE_CHECKING:
    from influpath.data import Dataset


@dataclass
class Settings:
    """The global options.

    Attributes:
        data_dir: Folder of the real datasets, or None for the environment's.
    """

    data_dir: str | None = None


ModelFolder = Annotated[
    Path, typer.Option("--model", metavar="DIR", help="Folder of a trained model.")
]
HistoriesSource = Annotated[
    str | None,
    typer.Option("--data", metavar="SOURCE", help="Take histories and titles from a dataset."),
]
HistoriesFile = Annotated[
    Path | None,
    typer.Option(
        "--histories",
        metavar="FILE",
        help="Take histories from a CSV or Parquet file: user_id, item_id, timestamp.",
    ),
]
DataDir = Annotated[
    str | None,
    typer.Option(
        "--data-dir",
        metavar="FOLDER",
        help="Where the archives of ml-1m and lastfm are; INFLUPATH_DATA where not given.",
        show_default=False,
    ),
]
RunsDir = Annotated[
    Path, typer.Option("--runs-dir", metavar="FOLDER", help="Where runs keep their files.")
]
Preset = Annotated[
    str, typer.Option("--preset", help="Preparation: clean, paper or stated (see docs/data.md).")
]
UserColumn = Annotated[str, typer.Option(help="Column of the users in a file of your own.")]
ItemColumn = Annotated[str, typer.Option(help="Column of the items in a file of your own.")]
TimestampColumn = Annotated[
    str,
    typer.Option(help="Column of the times; 'none' where the rows are in time order already."),
]
DataOption = Annotated[
    list[str] | None,
    typer.Option(
        "--data-option",
        metavar="KEY=VALUE",
        help="Any other option of the source, such as title_column=name or, for simulated, "
        "users=500.  May be repeated.",
    ),
]
WholeHistory = Annotated[
    bool,
    typer.Option(
        "--whole-history",
        help="Take users' whole histories; without it each user's last item is held out, as in "
        "training and in a run.",
    ),
]
Role = Annotated[
    str,
    typer.Option(
        "--role", help="Which pairs count where the file has a column role: report, dial or all."
    ),
]


def add_command(
    app: typer.Typer, name: str, *examples: str
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a guarded command whose help ends with examples."""
    shown = "\n\n".join(("Example:" if len(examples) == 1 else "Examples:", *examples))

    def register(function: Callable[..., None]) -> Callable[..., None]:
        return app.command(name, epilog=shown)(guarded(function))

    return register


def data_dir_of(context: typer.Context, given: str | None) -> str | None:
    """Return the data folder: the command's own option, else the global one."""
    settings = context.find_object(Settings)
    return given if given is not None or settings is None else settings.data_dir


def source_options(
    user_column: str, item_column: str, timestamp_column: str, more: list[str] | None = None
) -> dict[str, Any]:
    """Return the keywords of ``load_dataset``, those that have their usual value left out."""
    named = {
        "user_column": (user_column, "user_id"),
        "item_column": (item_column, "item_id"),
        "timestamp_column": (timestamp_column, "timestamp"),
    }
    options: dict[str, Any] = {
        key: value for key, (value, usual) in named.items() if value != usual
    }
    options |= key_values(more, "--data-option")
    if str(options.get("timestamp_column", "")).lower() == "none":
        options["timestamp_column"] = None
    return options


def key_values(pairs: list[str] | None, option: str) -> dict[str, str]:
    """Split KEY=VALUE texts.

    Raises:
        ConfigError: One has no "=".
    """
    result = {}
    for text in pairs or []:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"{option} {text!r}: must be KEY=VALUE.")
        result[key.strip().replace("-", "_")] = value.strip()
    return result


def histories_of(dataset: "Dataset", whole: bool) -> "Dataset":
    """Return a dataset's histories, each user's last item held out unless ``whole``."""
    from influpath.data import leave_last_out

    return dataset if whole else leave_last_out(dataset).train
