"""Reading an interaction log from a CSV or Parquet file or from a polars or pandas frame."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from influpath.data.columns import Locate, to_genres, to_ids, to_times
from influpath.data.dat_files import check_lines, first_line
from influpath.data.log import InteractionLog, empty_catalogue
from influpath.errors import DataError

TAB_SUFFIXES = (".tsv", ".txt", ".inter", ".item")
CSV_SUFFIXES = (".csv", *TAB_SUFFIXES)
PARQUET_SUFFIXES = (".parquet", ".pq")


@dataclass(frozen=True, eq=False)
class Table:
    """A table as read, before its columns mean anything.

    Attributes:
        where: Names the source in errors.
        frame: Its columns; of a text file, all are text.
        as_text: Whether it came from a text file.
        locate: Says where a row (counted from 0) is.
    """

    where: str
    frame: pl.DataFrame
    as_text: bool
    locate: Locate

    def column(self, name: str, option: str) -> pl.Series:
        """Return a column.

        Raises:
            DataError: It is missing; lists those there are.
        """
        if name not in self.frame.columns:
            there = ", ".join(map(repr, self.frame.columns[:20]))
            raise DataError(
                f"{self.where}: has no column {name!r}; it has {there}; name yours with {option}."
            )
        return self.frame[name]


def read_table(
    source: Any,
    user_column: str = "user_id",
    item_column: str = "item_id",
    timestamp_column: str | None = "timestamp",
    name: str | None = None,
    title_column: str | None = None,
    genres_column: str | None = None,
    items: Any = None,
    separator: str | None = None,
) -> InteractionLog:
    """Read a log of interactions, one per row.

    Rows without a user, an item or a timestamp are dropped and counted in ``dropped``.

    Args:
        source: Path of a ``.csv``, ``.tsv``, ``.txt``, ``.inter`` or ``.parquet`` file, or a
            polars or pandas frame.
        user_column: Column of the user ids.
        item_column: Column of the item ids, in ``source`` and in ``items``.
        timestamp_column: Column of the times (see ``columns.to_times``); None where the rows are
            in time order already.
        name: What to call the data; the file's name without suffix where not given.
        title_column: Column of the item titles, in ``items`` where that is given ("title" if
            there is such a column), else in ``source``.
        genres_column: The same for genres ("genres"): lists, or text with "|" between them.
        items: A second file or frame with one row per item.
        separator: Between the fields of a text file; a comma for ``.csv``, else a tab.

    Raises:
        DataError: One sentence that names file, row and column.
    """
    table = open_table(source, separator)
    users = to_ids(
        table.column(user_column, "user_column"), user_column, table.where, table.as_text
    )
    things = to_ids(
        table.column(item_column, "item_column"), item_column, table.where, table.as_text
    )
    if timestamp_column is None:
        times = pl.Series(np.arange(table.frame.height, dtype=np.int64))
    else:
        times = to_times(
            table.column(timestamp_column, "timestamp_column"), timestamp_column, table.locate
        )
    events = pl.DataFrame(
        [users.alias("user_id"), things.alias("item_id"), times.alias("timestamp")]
    )
    if not events.height:
        raise DataError(f"{table.where}: has a header but no rows.")
    named = events.filter(pl.col("user_id").is_not_null() & pl.col("item_id").is_not_null())
    whole = named.filter(pl.col("timestamp").is_not_null())
    dropped = {
        "rows without a user or item id": events.height - named.height,
        "rows without a timestamp": named.height - whole.height,
    }
    if not whole.height:
        raise DataError(f"{table.where}: no row has a user, an item and a timestamp.")
    if items is not None:
        catalogue = _catalogue(
            open_table(items, separator),
            item_column,
            title_column,
            genres_column,
            whole["item_id"].dtype,
            optional=True,
        )
    else:
        catalogue = _catalogue(
            table, item_column, title_column, genres_column, whole["item_id"].dtype, optional=False
        )
    return InteractionLog(
        name=name or (Path(source).stem if isinstance(source, str | Path) else "frame"),
        events=whole,
        catalogue=catalogue,
        dropped={reason: count for reason, count in dropped.items() if count},
    )


def open_table(source: Any, separator: str | None = None) -> Table:
    """Read a file or take a frame, with unique column names.

    Raises:
        DataError: The source cannot be used.
    """
    if isinstance(source, pl.LazyFrame):
        source = source.collect()
    if isinstance(source, pl.DataFrame):
        return Table("the frame", source, False, lambda row: f"the frame, row {row + 1}")
    if type(source).__module__.partition(".")[0] == "pandas" and hasattr(source, "columns"):
        return _from_pandas(source)
    if not isinstance(source, str | Path):
        raise DataError(
            f"cannot read interactions from a {type(source).__name__}; give a CSV or Parquet file "
            "or a polars or pandas frame."
        )
    path = Path(source).expanduser()
    if not path.is_file():
        what = "is a folder, not a file" if path.is_dir() else "no such file"
        raise DataError(f"{path}: {what}.")
    suffix = path.suffix.lower()
    try:
        if not path.stat().st_size:
            raise DataError(f"{path}: is empty.")
        if suffix in PARQUET_SUFFIXES:
            frame = pl.read_parquet(path)
            return Table(str(path), frame, False, lambda row: f"{path}, row {row + 1}")
        if suffix in CSV_SUFFIXES:
            return _from_text(path, separator or ("\t" if suffix in TAB_SUFFIXES else ","))
    except OSError as cause:
        raise DataError(f"{path}: cannot be read ({cause.strerror or cause}).") from None
    except pl.exceptions.PolarsError as cause:
        raise DataError(f"{path}: is damaged or not Parquet ({first_line(cause)}).") from None
    raise DataError(
        f"{path}: unknown kind of file {suffix!r}; known are "
        f"{', '.join((*CSV_SUFFIXES, *PARQUET_SUFFIXES))}."
    )


def _from_text(path: Path, separator: str) -> Table:
    """Read a delimited text file with a header, every column as text."""
    if len(separator.encode()) != 1:
        raise DataError(f"{path}: separator {separator!r} must be a single ASCII character.")
    content = np.memmap(path, dtype=np.uint8, mode="r")
    check_lines(content, str(path))
    with path.open("rb") as handle:
        head = handle.readline()
    try:
        names = next(csv.reader([head.decode("utf-8-sig")], delimiter=separator))
    except UnicodeDecodeError:
        raise DataError(f"{path}, line 1: is not UTF-8 text.") from None
    names = [column.strip() for column in names]
    for place, column in enumerate(names):
        if column in names[:place]:
            raise DataError(
                f"{path}, line 1: the header has the column {column!r} twice (columns "
                f"{names.index(column) + 1} and {place + 1})."
            )
    try:
        frame = pl.read_csv(path, separator=separator, infer_schema=False, new_columns=names)
    except pl.exceptions.PolarsError as cause:
        fault = _fault(path, separator, len(names)) or f": cannot be read ({first_line(cause)})"
        raise DataError(f"{path}{fault}.") from None
    return Table(str(path), frame, True, lambda row: f"{path}, line {_line(path, separator, row)}")


def _from_pandas(source: Any) -> Table:
    """Convert a pandas frame (its index is ignored)."""
    names = [str(column) for column in source.columns]
    if len(set(names)) != len(names):
        twice = next(column for column in names if names.count(column) > 1)
        raise DataError(f"the frame: has the column {twice!r} twice.")
    try:
        frame = pl.from_pandas(source)
    except ImportError:
        raise DataError(
            "reading a pandas frame needs pyarrow; install influpath[pandas], or give a polars "
            "frame."
        ) from None
    except (TypeError, ValueError, pl.exceptions.PolarsError, ArithmeticError) as cause:
        raise DataError(f"the frame: a column mixes types ({first_line(cause)}).") from None
    return Table("the frame", frame, False, lambda row: f"the frame, row {row + 1}")


def _catalogue(
    table: Table,
    item_column: str,
    title_column: str | None,
    genres_column: str | None,
    item_type: pl.DataType,
    optional: bool,
) -> pl.DataFrame:
    """Return the first title and genres of each item.

    ``optional`` says that "title" and "genres" are taken where they exist without being named.
    """
    if optional:
        title_column = title_column or ("title" if "title" in table.frame.columns else None)
        genres_column = genres_column or ("genres" if "genres" in table.frame.columns else None)
    if title_column is None and genres_column is None:
        return empty_catalogue(item_type)
    ids = to_ids(table.column(item_column, "item_column"), item_column, table.where, table.as_text)
    columns = [ids.cast(item_type, strict=False).alias("item_id")]
    if title_column is None:
        columns.append(pl.Series("title", [None] * len(ids), dtype=pl.String))
    else:
        title = table.column(title_column, "title_column").cast(pl.String)
        columns.append(title.str.strip_chars().replace("", None).alias("title"))
    if genres_column is None:
        columns.append(pl.Series("genres", [[]] * len(ids), dtype=pl.List(pl.String)))
    else:
        columns.append(to_genres(table.column(genres_column, "genres_column")).alias("genres"))
    return (
        pl.DataFrame(columns)
        .drop_nulls("item_id")
        .unique("item_id", keep="first", maintain_order=True)
    )


def _line(path: Path, separator: str, row: int) -> int:
    """Return the 1-based line on which a data row starts (quoted fields may hold line ends)."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as handle:
        reader = csv.reader(handle, delimiter=separator)
        for _ in range(row + 1):
            next(reader, None)
        return reader.line_num + 1


def _fault(path: Path, separator: str, width: int) -> str | None:
    """Return what is wrong with a text file that the fast reader refused, with its line."""
    with path.open("rb") as raw:
        for number, line in enumerate(raw, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return f", line {number}: is not UTF-8 text"
    with path.open(encoding="utf-8-sig", newline="") as handle:
        reader = csv.reader(handle, delimiter=separator, strict=True)
        start = 1
        try:
            for fields in reader:
                if len(fields) > width:
                    return f", line {start}: has {len(fields)} fields, but the header has {width}"
                start = reader.line_num + 1
        except csv.Error as cause:
            return f", line {start}: is no proper row ({cause})"
    return None
