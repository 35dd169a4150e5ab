"""The raw interaction log that every source is read into, before any preparation."""

from dataclasses import dataclass, field

import polars as pl

from influpath.errors import DataError

EVENT_COLUMNS = ("user_id", "item_id", "timestamp")
CATALOGUE_COLUMNS = ("item_id", "title", "genres")


@dataclass(frozen=True, eq=False)
class InteractionLog:
    """Who met which item when, as the source says it.

    Attributes:
        name: What the data is called in results ("ml-1m", a file name, ...).
        events: Frame ``user_id, item_id, timestamp`` in file order.  Ids are Int64 or String,
            timestamps Int64 in whatever unit the source has: only their order is used.
        catalogue: Frame ``item_id, title, genres`` (list of str), one row per item that the
            source describes; items without a row have no title and no genres.
        dropped: What reading left out: reason -> count of rows.
        origin: Which reader made it ("ml-1m", "lastfm", "simulated" or "table"), by which presets
            differ.
    """

    name: str
    events: pl.DataFrame
    catalogue: pl.DataFrame
    dropped: dict[str, int] = field(default_factory=dict)
    origin: str = "table"

    def __post_init__(self) -> None:
        for frame, columns in (
            (self.events, EVENT_COLUMNS),
            (self.catalogue, CATALOGUE_COLUMNS),
        ):
            if tuple(frame.columns) != columns:
                raise DataError(
                    f"{self.name}: the log has the columns {frame.columns}; it needs "
                    f"{list(columns)}."
                )
        for column in ("user_id", "item_id"):
            if self.events[column].dtype not in (pl.Int64, pl.String):
                raise DataError(
                    f"{self.name}, column {column!r}: ids must be Int64 or String, not "
                    f"{self.events[column].dtype}."
                )
        if self.events["timestamp"].dtype != pl.Int64:
            raise DataError(
                f"{self.name}, column 'timestamp': must be Int64, not "
                f"{self.events['timestamp'].dtype}."
            )
        for column in EVENT_COLUMNS:
            if self.events[column].null_count():
                raise DataError(f"{self.name}, column {column!r}: holds nulls.")


def empty_catalogue(item_type: pl.DataType) -> pl.DataFrame:
    """Return a catalogue without rows, for sources that describe no items."""
    return pl.DataFrame(
        schema={"item_id": item_type, "title": pl.String(), "genres": pl.List(pl.String())}
    )
