"""Grouping rows of similar length, so that little of a batch is padding."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from influpath.data.sequences import IntArray, Sequences, count_up

# Rows are sorted by length within groups of this many batches: enough to leave few pads, and
# few enough that batches stay random.
GROUP = 50


def bucketed_batches(
    lengths: npt.NDArray[Any],
    rng: np.random.Generator,
    rows: int | None = None,
    tokens: int | None = None,
) -> list[IntArray]:
    """Split rows into random batches of similar length.

    Args:
        lengths: Length of each row.
        rng: Source of the order.
        rows: Rows per batch; or
        tokens: Bound on rows x longest row per batch.

    Returns:
        Row indices per batch, in random order; each row is in exactly one batch.
    """
    if (rows is None) == (tokens is None):
        raise ValueError("give rows or tokens")
    order = rng.permutation(len(lengths))
    if rows is not None:
        group = rows * GROUP
    else:
        group = max(
            1, GROUP * tokens_to_rows(tokens or 1, float(np.mean(lengths)) if len(lengths) else 1)
        )
    batches: list[IntArray] = []
    for start in range(0, len(order), group):
        part = order[start : start + group]
        part = part[np.argsort(lengths[part], kind="stable")]
        batches.extend(split_sorted(part, lengths, rows, tokens))
    rng.shuffle(batches)
    return batches


def split_sorted(
    part: IntArray, lengths: npt.NDArray[Any], rows: int | None, tokens: int | None
) -> Iterator[IntArray]:
    """Cut rows sorted by ascending length into consecutive batches."""
    stop = len(part)
    # From the longest down, the first row of a batch fixes its width.
    while stop > 0:
        size = rows or tokens_to_rows(tokens or 1, int(lengths[part[stop - 1]]))
        start = max(0, stop - size)
        yield part[start:stop]
        stop = start


def even_parts(lengths: npt.NDArray[Any], count: int) -> list[slice]:
    """Cut rows into consecutive parts that hold about equally many positions.

    Args:
        lengths: Length of each row.
        count: Parts at most; none is empty.
    """
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    # Row r goes where its middle falls, so parts grow with r.
    part = ((ends - lengths / 2) * count / max(total, 1)).astype(np.int64)
    bounds = np.searchsorted(part, np.arange(count + 1))
    return [slice(a, b) for a, b in pairwise(bounds.tolist()) if a < b]


def tokens_to_rows(tokens: int, length: float) -> int:
    """Return how many rows of a length fit a token bound, at least one."""
    return max(1, int(tokens // max(1.0, length)))


def random_windows(sequences: Sequences, width: int, rng: np.random.Generator) -> Sequences:
    """Cut each row into consecutive windows of ``width`` items at a random offset.

    Every item is in exactly one window; only the first and last window of a row may be shorter.
    Drawing the offset anew each epoch shows every item at every position.
    """
    lengths = sequences.lengths
    rows = np.flatnonzero(lengths > 0)
    lengths = lengths[rows]
    first = np.where(lengths <= width, lengths, rng.integers(1, width + 1, size=len(rows)))
    more = -(-(lengths - first) // width)
    count = 1 + more
    row = np.repeat(np.arange(len(rows)), count)
    index = count_up(count)
    start = np.where(index == 0, 0, first[row] + (index - 1) * width)
    stop = np.minimum(np.where(index == 0, first[row], start + width), lengths[row])
    return sequences.slice(rows[row], start, stop)
