"""The result of planning: influence paths as two frames.

Shape suffixes: N path items.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from influpath.data.ids import IdMap
from influpath.errors import ResultError
from influpath.files import atomic_path

STEP_COLUMNS = ("pair_id", "step", "item_id", "score")
OUTCOME_COLUMNS = ("pair_id", "reached", "length")


@dataclass(frozen=True, eq=False)
class Paths:
    """Influence paths of many pairs.

    Attributes:
        steps: Long frame ``pair_id, step, item_id, score``; steps count from 1.
        outcomes: Frame ``pair_id, reached, length``, one row per pair; a pair that no path was
            found for has length 0.
    """

    steps: pl.DataFrame
    outcomes: pl.DataFrame

    @classmethod
    def from_steps(cls, steps: pl.DataFrame, pairs: pl.DataFrame) -> "Paths":
        """Derive the outcomes of pairs from their steps.

        Args:
            steps: As ``Paths.steps``.
            pairs: Frame with ``pair_id`` and ``objective_id``.
        """
        if steps.height == 0:
            outcomes = pairs.select(
                "pair_id", reached=pl.lit(False), length=pl.lit(0, dtype=pl.Int64)
            )
            return cls(steps, outcomes)
        found = (
            steps.join(pairs.select("pair_id", "objective_id"), on="pair_id")
            .group_by("pair_id")
            .agg(
                reached=(pl.col("item_id") == pl.col("objective_id")).any(),
                length=pl.len().cast(pl.Int64),
            )
        )
        outcomes = (
            pairs.select("pair_id")
            .join(found, on="pair_id", how="left", maintain_order="left")
            .with_columns(pl.col("reached").fill_null(False), pl.col("length").fill_null(0))
        )
        return cls(steps, outcomes)

    def of_pairs(self, pairs: pl.DataFrame) -> "Paths":
        """Return the paths of some pairs only."""
        chosen = pairs.select("pair_id")
        return Paths(
            self.steps.join(chosen, on="pair_id", how="semi", maintain_order="left"),
            self.outcomes.join(chosen, on="pair_id", how="semi", maintain_order="left"),
        )

    def items_of(self, pair_id: Any) -> list[Any]:
        """Return the items of one path in order."""
        return self.steps.filter(pl.col("pair_id") == pair_id).sort("step")["item_id"].to_list()

    def write(self, path: str | Path) -> None:
        """Write the steps as Parquet; scores are rounded to 3 decimals to keep the file small."""
        with atomic_path(path) as temporary:
            self.steps.with_columns(
                pl.col("pair_id").cast(pl.Int32),
                pl.col("step").cast(pl.Int16),
                pl.col("score").round(3).cast(pl.Float32),
            ).write_parquet(temporary, compression="zstd", compression_level=19)

    @classmethod
    def read(cls, path: str | Path, pairs: pl.DataFrame) -> "Paths":
        """Read steps written by ``write`` and derive the outcomes of the pairs.

        Raises:
            ResultError: The file is missing, damaged, or lacks a column.
        """
        try:
            steps = pl.read_parquet(path, columns=list(STEP_COLUMNS))
        except FileNotFoundError:
            raise ResultError(f"{path}: no such file of paths.") from None
        except (OSError, pl.exceptions.PolarsError) as cause:
            raise ResultError(f"{path}: cannot be read as paths ({cause}).") from None
        steps = steps.with_columns(pl.col("pair_id").cast(pl.Int64), pl.col("step").cast(pl.Int64))
        return cls.from_steps(steps, pairs)


@dataclass(frozen=True, eq=False)
class ShownItems:
    """What was shown, one entry per item, in any order.

    Attributes:
        row_N: The pair's place, int64 [N].
        step_N: From 1, int64 [N].
        item_N: Item numbers, int64 [N].
        score_N: What the planner ranked by, float32 [N].
    """

    row_N: npt.NDArray[np.int64]
    step_N: npt.NDArray[np.int64]
    item_N: npt.NDArray[np.int64]
    score_N: npt.NDArray[np.float32]

    @classmethod
    def joined(cls, parts: Sequence["ShownItems"]) -> "ShownItems":
        """Return several as one."""
        if not parts:
            none = np.empty(0, dtype=np.int64)
            return cls(none, none, none, none.astype(np.float32))
        return cls(
            np.concatenate([part.row_N for part in parts]),
            np.concatenate([part.step_N for part in parts]),
            np.concatenate([part.item_N for part in parts]),
            np.concatenate([part.score_N for part in parts]),
        )

    def frame(self, pair_ids: npt.NDArray[np.int64], items: IdMap) -> pl.DataFrame:
        """Return the long frame, in the order of the pairs.

        Args:
            pair_ids: The id of the pair at each place.
            items: The catalogue, for outside item ids.
        """
        order = np.lexsort((self.step_N, self.row_N))
        return pl.DataFrame(
            {
                "pair_id": pair_ids[self.row_N[order]],
                "step": self.step_N[order],
                "item_id": items.series("item_id", self.item_N[order]),
                "score": self.score_N[order],
            }
        )
