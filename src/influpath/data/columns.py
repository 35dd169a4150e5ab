"""Turning the columns of other people's tables into ids, times and genres."""

from collections.abc import Callable

import polars as pl

from influpath.errors import DataError

# Says where a row (counted from 0) is: "log.csv, line 7" or "the frame, row 6".
Locate = Callable[[int], str]

WHOLE_NUMBER = r"^(0|-?[1-9][0-9]{0,17})$"
ISO_FORMATS = (
    "%Y-%m-%dT%H:%M:%S%.f%:z",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%dT%H:%M",
)


def to_ids(column: pl.Series, name: str, where: str, as_text: bool = False) -> pl.Series:
    """Return ids as Int64 or String; nulls and empty text become null.

    Args:
        column: Text, whole numbers, floats that are whole, categories, booleans or dates.
        name: The column's name in the source, for errors.
        where: The source, for errors.
        as_text: Whether the source knows only text (CSV), so that a column in which every value
            is a whole number holds numbers.

    Raises:
        DataError: The column is of a type that makes no ids.
    """
    if column.dtype.is_integer():
        numbers = column.cast(pl.Int64, strict=False)
        fits = numbers.null_count() == column.null_count()
        return numbers if fits else column.cast(pl.String)
    if column.dtype.is_float():
        column = column.fill_nan(None)
        whole = column.is_finite() & (column == column.round()) & (column.abs() < 2.0**53)
        # pandas makes floats of whole numbers as soon as one is missing.
        return column.cast(pl.Int64 if bool(whole.all()) else pl.String)
    if column.dtype.is_nested() or column.dtype in (pl.Object, pl.Binary):
        raise DataError(
            f"{where}, column {name!r}: ids must be text or numbers, not {column.dtype}."
        )
    text = column.cast(pl.String)
    if as_text:
        text = text.str.strip_chars()
    text = text.replace("", None)
    if as_text and bool(text.str.contains(WHOLE_NUMBER).all()):
        return text.cast(pl.Int64)
    return text


def to_times(column: pl.Series, name: str, locate: Locate) -> pl.Series:
    """Return timestamps as Int64 that order like the originals; missing ones are null.

    Whole numbers stay as they are, fractions count in millionths, dates and ISO 8601 text become
    microseconds since 1970 (text without an offset is taken as UTC).

    Args:
        column: Whole numbers, floats, ISO text, dates or datetimes.
        name: The column's name in the source, for errors.
        locate: Says where a row is.

    Raises:
        DataError: A value is no time; names its row.
    """
    if column.dtype.is_integer():
        return _checked(column, column.cast(pl.Int64, strict=False), name, locate)
    if column.dtype.is_float():
        values = column.fill_nan(None)
        return _checked(values, _from_floats(values), name, locate)
    if column.dtype.is_temporal() and column.dtype != pl.Duration:
        return column.to_physical().cast(pl.Int64)
    if column.dtype == pl.Null:
        return column.cast(pl.Int64)
    if column.dtype not in (pl.String, pl.Categorical, pl.Enum):
        raise DataError(
            f"{locate(0)}, column {name!r}: timestamps must be numbers, dates or text, not "
            f"{column.dtype}."
        )
    text = column.cast(pl.String).str.strip_chars().replace("", None)
    # One reading for the whole column: the one that fails least, so that the error is about the
    # odd value out.
    readings = (
        text.cast(pl.Int64, strict=False),
        _from_floats(text.cast(pl.Float64, strict=False).fill_nan(None)),
        _from_iso(text),
    )
    best = min(readings, key=lambda numbers: numbers.null_count())
    return _checked(text, best, name, locate)


def to_genres(column: pl.Series) -> pl.Series:
    """Return lists of text from lists, or from text with "|" between the genres."""
    if isinstance(column.dtype, pl.List | pl.Array):
        genres = column.cast(pl.List(pl.String))
    else:
        genres = column.cast(pl.String).str.split("|")
    stripped = genres.list.eval(pl.element().str.strip_chars().replace("", None))
    return stripped.list.drop_nulls().fill_null([])


def _from_floats(values: pl.Series) -> pl.Series:
    """Floats to Int64; null where infinite or too large."""
    whole = bool((values.round() == values).all())
    scaled = (values if whole else values * 1e6).round()
    return scaled.set(~scaled.is_finite() | (scaled.abs() >= 2.0**63), None).cast(pl.Int64)


def _from_iso(text: pl.Series) -> pl.Series:
    """ISO 8601 text to microseconds; null where it is none."""
    plain = text.str.replace(r"^(\d{4}-\d{2}-\d{2}) ", "${1}T").str.replace(r"[Zz]$", "+00:00")
    # A blank before the offset ("... 03:04:05 +0000") and an offset without colon are common.
    plain = plain.str.replace(r" ?([+-]\d{2}):?(\d{2})$", "${1}:${2}")
    readings = [
        plain.str.to_datetime(pattern, strict=False, time_unit="us", exact=True).to_physical()
        for pattern in ISO_FORMATS
    ]
    days = text.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us")).to_physical()
    frame = pl.DataFrame([s.alias(str(n)) for n, s in enumerate([*readings, days])])
    return frame.select(pl.coalesce(pl.all())).to_series()


def _checked(source: pl.Series, numbers: pl.Series, name: str, locate: Locate) -> pl.Series:
    """Return ``numbers``, or name the first value that was there but is no time."""
    bad = (numbers.is_null() & source.is_not_null()).arg_true()
    if len(bad):
        row = int(bad[0])
        more = f" (and {len(bad) - 1} more rows like it)" if len(bad) > 1 else ""
        raise DataError(
            f"{locate(row)}, column {name!r}: {source[row]!r} is not a time; give whole numbers, "
            f"decimals or ISO 8601 text such as 2024-05-01T12:30:00{more}."
        )
    return numbers
