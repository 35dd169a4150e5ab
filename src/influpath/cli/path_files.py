"""Files of pairs, histories and paths, as the command line reads and writes them.

Shape suffixes: N rows of a log.
"""

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from influpath.data import Dataset, IdMap, InteractionLog, Sequences
from influpath.errors import ConfigError, DataError, ResultError
from influpath.files import atomic_path, read_json, write_text
from influpath.planning.paths import OUTCOME_COLUMNS, STEP_COLUMNS, Paths

if TYPE_CHECKING:
    from influpath.recommenders.base import Recommender

logger = logging.getLogger("influpath")

KINDS = (".parquet", ".csv", ".json")
# What aiming adds to pairs.
AIMED_COLUMNS = ("feasibility", "reachable", "note")


def check_out(path: Path, what: str) -> None:
    """Check the kind of a file to write, before anything is computed.

    Args:
        path: The file.
        what: What is to be written, for the error.

    Raises:
        ConfigError: It is none of ``KINDS``.
    """
    if path.suffix not in KINDS:
        raise ConfigError(f"{path}: {what} are written as {', '.join(KINDS)}.")


def write_frame(frame: pl.DataFrame, path: Path) -> None:
    """Write a frame; in JSON it is a list of rows."""
    if path.suffix == ".json":
        write_text(path, json.dumps(frame.to_dicts(), ensure_ascii=False) + "\n")
        return
    with atomic_path(path) as temporary:
        if path.suffix == ".csv":
            frame.write_csv(temporary)
        else:
            frame.write_parquet(temporary, compression="zstd")


def write_paths(paths: Paths, path: Path, pairs: pl.DataFrame) -> None:
    """Write paths: the steps, and in JSON the outcomes too, with the field names of the frames.

    Where the pairs have feasibilities, these are part of the outcomes, and CSV and Parquet have a
    second file for them, ``NAME-outcomes``.
    """
    aimed = [name for name in AIMED_COLUMNS if name in pairs.columns]
    outcomes = paths.outcomes.select(OUTCOME_COLUMNS)
    if aimed:
        own = pairs.select("pair_id", "user_id", "objective_id", *aimed)
        outcomes = own.join(outcomes, on="pair_id", maintain_order="left")
    if path.suffix == ".json":
        document = {"steps": paths.steps.to_dicts(), "outcomes": outcomes.to_dicts()}
        write_text(path, json.dumps(document, ensure_ascii=False) + "\n")
        return
    if path.suffix == ".csv":
        write_frame(paths.steps, path)
    else:
        paths.write(path)
    if aimed:
        write_frame(outcomes, path.with_name(f"{path.stem}-outcomes{path.suffix}"))


def read_paths(path: Path, pairs: pl.DataFrame, items: IdMap) -> Paths:
    """Read paths written by ``write_paths``, those of the given pairs only.

    Raises:
        ResultError: The file is missing, damaged, lacks a column, or holds none of the pairs.
    """
    if path.suffix == ".csv":
        try:
            steps = pl.read_csv(path, infer_schema=False)
        except FileNotFoundError:
            raise ResultError(f"{path}: no such file of paths.") from None
        except (OSError, pl.exceptions.PolarsError) as cause:
            raise ResultError(f"{path}: cannot be read as paths ({cause}).") from None
    elif path.suffix == ".json":
        document = read_json(path, ResultError)
        rows = document.get("steps") if isinstance(document, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ResultError(f"{path}: holds no list 'steps' of path items.")
        steps = pl.DataFrame(rows, infer_schema_length=None)
    else:
        steps = Paths.read(path, pairs).steps
    missing = [name for name in STEP_COLUMNS[:3] if name not in steps.columns]
    if missing:
        raise ResultError(f"{path}: lacks the column(s) {', '.join(missing)}.")
    try:
        steps = steps.cast(
            {"pair_id": pl.Int64, "step": pl.Int64, "item_id": pl.Series(items.ids[:1]).dtype}
        )
    except pl.exceptions.PolarsError as cause:
        raise ResultError(f"{path}: holds a value of the wrong type ({cause}).") from None
    without = pairs.join(steps, on="pair_id", how="anti").height
    if without == pairs.height and without:
        raise ResultError(f"{path}: holds no path of any of the {without} pairs.")
    if without:
        logger.warning("%s: %d pair(s) have no path there and count as failed.", path, without)
    return Paths.from_steps(steps, pairs)


def pairs_of_role(pairs: pl.DataFrame, role: str, path: Path) -> pl.DataFrame:
    """Return the pairs of a role; all of them for "all" or where the file has no roles.

    Raises:
        ConfigError: There is no such role.
        DataError: No pair has it.
    """
    if role not in ("report", "dial", "all"):
        raise ConfigError(f"--role {role!r}: must be report, dial or all.")
    if role != "all" and "role" in pairs.columns:
        pairs = pairs.filter(pl.col("role") == role)
        logger.info("%s: %d pair(s) have the role %s", path, pairs.height, role)
    if not pairs.height:
        raise DataError(f"{path}: holds no pair" + (f" of role {role}." if role != "all" else "."))
    return pairs


def history_dataset(
    log: InteractionLog, model: "Recommender", described: Dataset | None = None
) -> Dataset:
    """Return the histories of a log in a model's item numbers, oldest first, nothing filtered.

    Items that the model does not know are left out with a warning; users it does not know are
    welcome.

    Args:
        log: The histories.
        model: Says which items there are.
        described: Takes titles and genres from here rather than from the log.

    Raises:
        DataError: The model knows none of the items.
    """
    items = model.items
    events = log.events.with_columns(
        user_id=_like(log.events["user_id"], model.users),
        item_id=_like(log.events["item_id"], items),
    )
    users = events["user_id"].unique(maintain_order=True).to_list()
    row = {user: number for number, user in enumerate(users)}
    user_N = np.array([row[user] for user in events["user_id"].to_list()], dtype=np.int64)
    item_N = items.encode(events["item_id"].to_list(), unknown="mark")
    order = np.lexsort((events["timestamp"].to_numpy(), user_N))
    order = order[item_N[order] > 0]
    unknown = int((item_N < 0).sum())
    if not len(order):
        raise DataError(
            f"{log.name}: the model knows none of its items; its ids look like {items.ids[0]!r}."
        )
    if unknown:
        logger.warning(
            "%s: %d row(s) left out, of items the model does not know.", log.name, unknown
        )
    catalogue = described.catalogue if described is not None else log.catalogue
    known = catalogue.with_columns(item_id=_like(catalogue["item_id"], items))
    return Dataset(
        name=log.name,
        preset="custom",
        sequences=Sequences.from_lengths(
            item_N[order], np.bincount(user_N[order], minlength=len(users))
        ),
        users=IdMap(users, 0, "user"),
        items=items,
        catalogue=pl.DataFrame({"item_id": items.ids})
        .join(known.unique("item_id"), on="item_id", how="left", maintain_order="left")
        .with_columns(pl.col("genres").fill_null([])),
    )


def _like(values: pl.Series, ids: IdMap) -> pl.Series:
    """Return values in the type of a map's ids, or as they are where they would not all fit."""
    wanted = pl.Series(ids.ids[:1]).dtype
    cast = values.cast(wanted, strict=False)
    return cast if cast.null_count() == values.null_count() else values
