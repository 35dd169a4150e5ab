"""Whose histories a command works on: those of a dataset, or of a file of one's own."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from influpath.cli.options import histories_of, key_values
from influpath.cli.path_files import history_dataset
from influpath.data import SOURCES, Dataset, load_dataset, read_log
from influpath.errors import ConfigError

if TYPE_CHECKING:
    from influpath.recommenders.base import Recommender


def known_histories(
    model: "Recommender",
    source: str | None,
    histories: Path | None,
    columns: dict[str, Any],
    *,
    preset: str,
    data_dir: str | None,
    data_option: list[str] | None,
    whole: bool,
) -> tuple[Dataset, Dataset]:
    """Return the histories that the options name, and the data that planners may learn from.

    Args:
        model: Says which items there are.
        source: ``--data``.
        histories: ``--histories``; with ``--data`` too, that describes the items.
        columns: The column names given.
        preset: ``--preset``.
        data_dir: Folder of the real datasets.
        data_option: ``--data-option``.
        whole: ``--whole-history``.

    Raises:
        ConfigError: Neither was given.
    """
    dataset = None
    if source is not None:
        # With --histories, the column names are those of that file.
        own = columns if histories is None or source not in SOURCES else {}
        options = {**own, **key_values(data_option, "--data-option")}
        dataset = load_dataset(source, preset, data_dir, **options)
    if histories is not None:
        known = history_dataset(read_log(str(histories), **columns), model, dataset)
    elif dataset is not None:
        known = histories_of(dataset, whole)
    else:
        raise ConfigError("say whose histories: --data SOURCE or --histories FILE.")
    return known, known if dataset is None else histories_of(dataset, whole)
