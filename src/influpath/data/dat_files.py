"""Reading the delimited ``.dat`` members of the public archives, with errors that name the line."""

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from influpath.data.archives import MAX_LINE_BYTES
from influpath.errors import DataError

BLOCK = 16 << 20


def check_lines(content: bytes | npt.NDArray[np.uint8], where: str) -> None:
    """Refuse empty content and lines over 1 MiB (a file that is no text table).

    Args:
        content: The whole file, in memory or mapped.
        where: Names the file in the error.

    Raises:
        DataError: One sentence with the line number.
    """
    if isinstance(content, bytes):
        content = np.frombuffer(content, dtype=np.uint8)
    start, line, blank = 0, 1, True
    # In blocks, so that a file larger than memory can be mapped; `start` is where a line begins.
    for block in range(0, len(content), BLOCK):
        part = content[block : block + BLOCK]
        blank = blank and bool((part <= ord(" ")).all())
        ends = np.flatnonzero(part == ord("\n")) + block
        edges = np.concatenate([[start - 1], ends])
        # The last line of the block may go on; it is as long as what is there of it.
        lengths = np.diff(np.concatenate([edges, [block + len(part)]])) - 1
        long = np.flatnonzero(lengths > MAX_LINE_BYTES)
        if len(long):
            raise DataError(
                f"{where}, line {line + int(long[0])}: is longer than 1 MiB; this is no table of "
                "interactions."
            )
        start, line = int(edges[-1]) + 1, line + len(ends)
    if blank:
        raise DataError(f"{where}: is empty.")


def read_dat(
    content: bytes,
    where: str | Path,
    columns: dict[str, type[pl.DataType]],
    separator: str,
    encoding: str = "utf-8",
    header: bool = False,
) -> pl.DataFrame:
    """Read a delimited file without quoting.

    Args:
        content: The whole file.
        where: Names the file in errors.
        columns: Every column's name and type (Int64 or String), in file order.
        separator: Text between the fields; "::" is allowed.
        encoding: Of the file.
        header: Whether the first line holds names, which must then be those of ``columns``.

    Raises:
        DataError: One sentence that names the line and the column.
    """
    where = str(where)
    check_lines(content, where)
    if len(separator) > 1:
        # No title or name holds a tab, and the fast reader takes one-byte separators only.
        content = content.replace(separator.encode(), b"\t")
        separator = "\t"
    if encoding != "utf-8":
        content = content.decode(encoding).encode()
    try:
        frame = pl.read_csv(
            io.BytesIO(content),
            has_header=False,
            separator=separator,
            quote_char=None,
            infer_schema=False,
            new_columns=list(columns),
            encoding="utf8-lossy",
        )
    except pl.exceptions.PolarsError as cause:
        odd = _odd_line(content, separator, len(columns)) or f": {first_line(cause)}"
        raise DataError(f"{where}{odd}.") from None
    if frame.width != len(columns) or frame[frame.columns[-1]].null_count():
        # Short lines are filled with nulls; a last field that is there but empty is fine.
        fault = _odd_line(content, separator, len(columns))
        if fault:
            raise DataError(f"{where}{fault}.")
    if header:
        names = [str(value).strip() for value in frame.row(0)]
        if names != list(columns):
            raise DataError(f"{where}, line 1: the header is {names} instead of {list(columns)}.")
        frame = frame.slice(1)
    return frame.with_columns(
        _integers(frame[name], where, start=2 if header else 1)
        for name, dtype in columns.items()
        if dtype == pl.Int64
    )


def _integers(column: pl.Series, where: str, start: int) -> pl.Series:
    """Parse whole numbers, or name the first line that holds none."""
    numbers = column.str.strip_chars().cast(pl.Int64, strict=False)
    bad = numbers.is_null().arg_max() if numbers.null_count() else None
    if bad is not None:
        raise DataError(
            f"{where}, line {bad + start}, column {column.name!r}: {column[bad]!r} is not a "
            "whole number."
        )
    return numbers


def _odd_line(content: bytes, separator: str, width: int) -> str | None:
    """Name the first line that does not have ``width`` fields."""
    for number, line in enumerate(io.BytesIO(content), start=1):
        fields = line.count(separator.encode()) + 1
        if fields != width and line.strip():
            return f", line {number}: has {fields} fields instead of {width}"
    return None


def first_line(cause: Exception) -> str:
    """Return the first line of a library's message."""
    return str(cause).strip().splitlines()[0]
