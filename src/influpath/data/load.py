"""One call from a name, a file or a frame to a ``Dataset``."""

from pathlib import Path
from typing import Any

from influpath.config import FrozenConfig
from influpath.data.dataset import Dataset
from influpath.data.lastfm import read_lastfm
from influpath.data.log import InteractionLog
from influpath.data.movielens import read_movielens
from influpath.data.preparation import Preparation, prepare
from influpath.data.simulated import SimulatedWorld
from influpath.data.tables import read_table
from influpath.errors import ConfigError, DataError

SOURCES = {
    "simulated": "an embedded world of 600 items and 2,000 users whose true tastes are known",
    "ml-1m": "MovieLens-1M: one million ratings of movies",
    "lastfm": "Last.fm (HetRec 2011): tag assignments to artists",
}
TABLE_OPTIONS = (
    "user_column",
    "item_column",
    "timestamp_column",
    "name",
    "title_column",
    "genres_column",
    "items",
    "separator",
)


def load_dataset(
    source: Any,
    preset: str | Preparation = "clean",
    data_dir: str | Path | None = None,
    **options: Any,
) -> Dataset:
    """Load and prepare a dataset.

    Args:
        source: A name in ``SOURCES``, the path of a CSV or Parquet file or of a folder written by
            ``Dataset.save``, a polars or pandas frame, or an ``InteractionLog``.
        preset: "clean", "paper", "stated" (see ``preparation.preset``) or a ``Preparation``.  A
            saved dataset is prepared already, so for it only its own preset is allowed, or the
            default.
        data_dir: Where archives are looked for; ``INFLUPATH_DATA`` where not given.
        **options: For a file or frame those of ``tables.read_table`` (column names and so on),
            for "simulated" those of ``SimulatedWorld``.

    Raises:
        DataError: The source cannot be found or used; one sentence that names file, row, column.
        ConfigError: There is no such preset or option.
    """
    if isinstance(source, str | Path) and (Path(source).expanduser() / "dataset.json").is_file():
        _refuse(options, f"the saved dataset {source}")
        return _load_saved(Path(source).expanduser(), preset)
    return prepare(read_log(source, data_dir, **options), preset)


def read_log(source: Any, data_dir: str | Path | None = None, **options: Any) -> InteractionLog:
    """Read the raw log of a source; arguments and errors as in ``load_dataset``."""
    if isinstance(source, InteractionLog):
        _refuse(options, "a log")
        return source
    if isinstance(source, str):
        if source == "simulated":
            return SimulatedWorld.parse(options, "simulated").generate()
        if source in SOURCES:
            _refuse(options, source)
            return read_movielens(data_dir) if source == "ml-1m" else read_lastfm(data_dir)
        if not Path(source).suffix and not Path(source).expanduser().exists():
            raise DataError(
                f"{source!r} is neither a known dataset ({', '.join(SOURCES)}) nor a file or "
                "folder that exists."
            )
    if isinstance(source, str | Path) and Path(source).expanduser().is_dir():
        raise DataError(
            f"{source}: is no dataset folder (it holds no dataset.json); to read an unpacked "
            "archive, name the dataset and give the folder as data_dir."
        )
    _refuse({key: options[key] for key in options if key not in TABLE_OPTIONS}, "a table")
    return read_table(source, **options)


def _load_saved(folder: Path, preset: str | Preparation) -> Dataset:
    """Load a saved dataset, unless another preparation than its own is asked for."""
    dataset = Dataset.load(folder)
    if isinstance(preset, FrozenConfig) or preset not in ("clean", dataset.preset):
        raise ConfigError(
            f"{folder}: is prepared already, with preset {dataset.preset!r}; load its source anew "
            "for another one."
        )
    return dataset


def _refuse(options: dict[str, Any], what: str) -> None:
    """Raise where there are options that the source does not take."""
    if options:
        raise ConfigError(f"{what} takes no option {', '.join(map(repr, options))}.")
