"""Item sequences of many users, stored flat: one array of values and one of offsets.

Shape suffixes: R rows (sequences), N all values, W window width.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]


def count_up(counts: npt.NDArray[Any]) -> IntArray:
    """Return 0, 1, ..., count - 1 for each count, one after the other: int64 [sum of counts]."""
    ends = np.cumsum(counts, dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    numbers: IntArray = np.arange(total, dtype=np.int64) - np.repeat(ends - counts, counts)
    return numbers


@dataclass(frozen=True, eq=False)
class Sequences:
    """Rows of item numbers (1..n) of different lengths.

    Attributes:
        values: int64 [N], all rows one after the other, oldest item first.
        offsets: int64 [R + 1]; row r is ``values[offsets[r]:offsets[r + 1]]``.
    """

    values: IntArray
    offsets: IntArray

    def __post_init__(self) -> None:
        if self.offsets[0] != 0 or self.offsets[-1] != len(self.values):
            raise ValueError("offsets do not cover the values")

    @classmethod
    def from_rows(cls, rows: Iterable[Sequence[int] | npt.NDArray[Any]]) -> "Sequences":
        """Build from one array or list per row."""
        arrays = [np.asarray(row, dtype=np.int64) for row in rows]
        values = np.concatenate(arrays) if arrays else np.empty(0, dtype=np.int64)
        return cls.from_lengths(values, np.array([len(row) for row in arrays], dtype=np.int64))

    @classmethod
    def from_lengths(cls, values: npt.NDArray[Any], lengths: npt.NDArray[Any]) -> "Sequences":
        """Build from flat values and the length of each row."""
        offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
        np.cumsum(lengths, out=offsets[1:])
        return cls(np.asarray(values, dtype=np.int64), offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def row(self, index: int) -> IntArray:
        """Return one row (a view)."""
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    @property
    def lengths(self) -> IntArray:
        """The length of each row, int64 [R]."""
        return np.diff(self.offsets)

    @property
    def row_of_value(self) -> IntArray:
        """The row each value belongs to, int64 [N]."""
        return np.repeat(np.arange(len(self), dtype=np.int64), self.lengths)

    def take(self, rows: npt.NDArray[Any]) -> "Sequences":
        """Return the given rows, in the given order; rows may repeat."""
        rows = np.asarray(rows, dtype=np.int64)
        return self.slice(rows, np.zeros(len(rows), dtype=np.int64), self.lengths[rows])

    def slice(
        self, rows: npt.NDArray[Any], start: npt.NDArray[Any], stop: npt.NDArray[Any]
    ) -> "Sequences":
        """Return ``row[start:stop]`` for each given row (0 <= start <= stop <= length)."""
        rows = np.asarray(rows, dtype=np.int64)
        lengths = np.asarray(stop, dtype=np.int64) - start
        first = self.offsets[rows] + start
        result = Sequences.from_lengths(np.empty(int(lengths.sum()), dtype=np.int64), lengths)
        source = np.arange(len(result.values)) + np.repeat(first - result.offsets[:-1], lengths)
        result.values[:] = self.values[source]
        return result

    def drop_last(self, count: int | npt.NDArray[Any] = 1) -> "Sequences":
        """Return the rows without their last ``count`` values (a number, or one per row)."""
        lengths = self.lengths
        kept = np.maximum(lengths - count, 0)
        return self.slice(np.arange(len(self)), np.zeros_like(kept), kept)

    def last(self) -> IntArray:
        """Return the last value of each row, int64 [R]; 0 for an empty row."""
        result = np.zeros(len(self), dtype=np.int64)
        filled = self.lengths > 0
        result[filled] = self.values[self.offsets[1:][filled] - 1]
        return result

    def window(self, width: int) -> IntArray:
        """Return the last ``width`` values of each row, pre-padded with 0: int64 [R, W]."""
        columns = self.offsets[1:, None] - width + np.arange(width)[None, :]
        inside = columns >= self.offsets[:-1, None]
        if not len(self.values):
            return np.zeros((len(self), width), dtype=np.int64)
        return np.where(inside, self.values[np.maximum(columns, 0)], 0)

    def padded(self, width: int | None = None) -> IntArray:
        """Return the rows post-padded with 0: int64 [R, W], W the longest row unless given."""
        lengths = self.lengths
        width = int(lengths.max(initial=0)) if width is None else width
        inside = np.arange(width)[None, :] < lengths[:, None]
        result = np.zeros((len(self), width), dtype=np.int64)
        if int(lengths.max(initial=0)) > width:
            raise ValueError("a row is longer than the width")
        result[inside] = self.values
        return result

    def extend(self, more: "Sequences") -> "Sequences":
        """Return each row followed by the row of ``more`` with the same index."""
        lengths = self.lengths + more.lengths
        result = Sequences.from_lengths(np.empty(int(lengths.sum()), dtype=np.int64), lengths)
        for part, shift in ((self, np.zeros(len(self), np.int64)), (more, self.lengths)):
            start = result.offsets[:-1] + shift
            target = np.arange(len(part.values)) + np.repeat(
                start - part.offsets[:-1], part.lengths
            )
            result.values[target] = part.values
        return result

    def append(self, items_R: npt.NDArray[Any]) -> "Sequences":
        """Return each row followed by one value; 0 adds nothing to its row."""
        items_R = np.asarray(items_R, dtype=np.int64)
        some_R = items_R > 0
        offsets = self.offsets.copy()
        offsets[1:] += np.cumsum(some_R)
        values = np.empty(offsets[-1], dtype=np.int64)
        new = np.zeros(len(values), dtype=np.bool_)
        new[offsets[1:][some_R] - 1] = True
        values[new], values[~new] = items_R[some_R], self.values
        return Sequences(values, offsets)

    def followed_by(self, more: "Sequences") -> "Sequences":
        """Return the rows of both, those of ``more`` last."""
        return Sequences(
            np.concatenate([self.values, more.values]),
            np.concatenate([self.offsets, more.offsets[1:] + len(self.values)]),
        )

    def contains(self, items_R: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Return whether each row holds the item given for it: bool [R]."""
        hits = self.values == np.asarray(items_R)[self.row_of_value]
        return np.bincount(self.row_of_value, weights=hits, minlength=len(self)) > 0

    def counts(self, items: int) -> IntArray:
        """Return how often each item 0..``items`` occurs, int64 [items + 1]."""
        return np.bincount(self.values, minlength=items + 1)
