"""What happened in the closed loop: one row per user and round.

Frame ``rounds``: ``pair_id, round`` (from 1), ``item_id`` (what was shown; null for nothing),
``response`` ("nothing", "accepted", "rejected", "ignored"), ``acceptance`` (its probability),
``event_id`` (what the user took on their own; null for nothing), ``push`` (what the planner's
aggressiveness was multiplied by), ``shift`` (how far the user's wishes are, after the round, from
those before the first: the Jensen-Shannon divergence in bits) and ``end`` (in a user's last round:
"arrived", "alone", "left" or "stayed"; else null).
"""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from influpath.errors import ResultError
from influpath.files import atomic_path

ARRIVED, ALONE, LEFT, STAYED = ENDS = ("arrived", "alone", "left", "stayed")
COLUMNS = (
    *("pair_id", "round", "item_id", "response", "acceptance"),
    *("event_id", "push", "shift", "end"),
)


@dataclass(frozen=True, eq=False)
class Visits:
    """The closed loop of one planner.

    Attributes:
        rounds: See the module; sorted by the order of the pairs, then round.
    """

    rounds: pl.DataFrame

    @property
    def ends(self) -> pl.DataFrame:
        """Frame ``pair_id, end, rounds, accepted, rejected, ignored, shown, events, shift``."""
        counts = [
            (pl.col("response") == name).sum().cast(pl.Int64).alias(name)
            for name in ("accepted", "rejected", "ignored")
        ]
        return self.rounds.group_by("pair_id", maintain_order=True).agg(
            pl.col("end").last(),
            pl.col("round").last().alias("rounds"),
            *counts,
            shown=pl.col("item_id").is_not_null().sum().cast(pl.Int64),
            events=pl.col("event_id").is_not_null().sum().cast(pl.Int64),
            shift=pl.col("shift").last(),
        )

    def write(self, path: str | Path) -> None:
        """Write the rounds as Parquet."""
        with atomic_path(path) as temporary:
            self.rounds.write_parquet(temporary, compression="zstd")

    @classmethod
    def read(cls, path: str | Path) -> "Visits":
        """Read what ``write`` wrote.

        Raises:
            ResultError: The file is missing, damaged, or lacks a column.
        """
        try:
            return cls(pl.read_parquet(path, columns=list(COLUMNS)))
        except (OSError, pl.exceptions.PolarsError) as cause:
            raise ResultError(f"{path}: cannot be read as visits ({cause}).") from None
