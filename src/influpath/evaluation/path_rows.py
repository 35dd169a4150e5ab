"""Planned paths as item numbers in the order of the pairs, checked.

Shape suffixes: P pairs, N path items of all pairs.
"""

from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from influpath.data.ids import IdMap
from influpath.data.sequences import IntArray, Sequences
from influpath.errors import ResultError, UnknownIdError
from influpath.evaluation.pairs import PairNumbers

BoolArray = npt.NDArray[np.bool_]


class PlannedPaths(Protocol):
    """What ``plan`` returns, or any two frames like it.

    Attributes:
        steps: Frame ``pair_id, step, item_id``; step counts from 1.
        outcomes: Frame ``pair_id, reached, length``.
    """

    @property
    def steps(self) -> pl.DataFrame: ...  # noqa: D102

    @property
    def outcomes(self) -> pl.DataFrame: ...  # noqa: D102


def encode_paths(
    pairs: PairNumbers, paths: PlannedPaths, items: IdMap
) -> tuple[Sequences, BoolArray]:
    """Return the path of each pair and whether it reaches its objective.

    A pair without rows has an empty path and does not reach.  Paths of other pairs are ignored,
    so that a subset of the pairs is evaluated by giving fewer pairs.

    Args:
        pairs: The pairs, in the order wanted.
        paths: The planner's output, rows in any order.
        items: The catalogue.

    Returns:
        Item numbers, one row per pair, and bool [P].

    Raises:
        ResultError: The frames do not fit together: a column is missing, a step is missing or
            occurs twice, a path goes on after its objective, or the outcomes say otherwise.
        UnknownIdError: A path item is not in the catalogue.
    """
    _require(paths.steps, ("pair_id", "step", "item_id"), "steps")
    _require(paths.outcomes, ("pair_id", "reached", "length"), "outcomes")
    position_N, ours = _positions(pairs, paths.steps)
    steps = paths.steps.filter(pl.Series(ours))
    step_N = steps["step"].to_numpy()
    order = np.lexsort((step_N, position_N))
    try:
        item_N = items.encode(steps["item_id"])[order]
    except UnknownIdError as error:
        raise UnknownIdError(f"paths: {error}") from None
    rows = Sequences.from_lengths(item_N, np.bincount(position_N, minlength=len(pairs)))
    row_N = rows.row_of_value
    expected_N = np.arange(len(item_N)) - rows.offsets[:-1][row_N] + 1
    _refuse(
        step_N[order] != expected_N, pairs.pair_ids[row_N], "steps are not 1, 2, 3, ... once each"
    )
    objective_N = item_N == pairs.objectives[row_N]
    last_N = expected_N == rows.lengths[row_N]
    _refuse(objective_N & ~last_N, pairs.pair_ids[row_N], "the path goes on after the objective")
    reached = np.bincount(row_N, weights=objective_N, minlength=len(pairs)) > 0
    _check_outcomes(pairs, paths.outcomes, rows.lengths, reached)
    return rows, reached


def repeats(histories: Sequences, paths: Sequences, item_count: int) -> BoolArray:
    """Return which path items are in the history or earlier in the path: bool [N]."""
    base = item_count + 1
    path_key = paths.row_of_value * base + paths.values
    known = np.isin(path_key, histories.row_of_value * base + histories.values)
    again = np.ones(len(path_key), dtype=bool)
    again[np.unique(path_key, return_index=True)[1]] = False
    result: BoolArray = known | again
    return result


def _positions(pairs: PairNumbers, frame: pl.DataFrame) -> tuple[IntArray, BoolArray]:
    """Return the pair index of each row that belongs to a pair, and which rows do."""
    ids = frame["pair_id"].to_numpy()
    if not len(pairs):
        return np.empty(0, dtype=np.int64), np.zeros(len(ids), dtype=bool)
    order = np.argsort(pairs.pair_ids)
    place = np.searchsorted(pairs.pair_ids, ids, sorter=order)
    index = order[np.minimum(place, len(order) - 1)]
    ours = pairs.pair_ids[index] == ids
    return index[ours], ours


def _check_outcomes(
    pairs: PairNumbers, outcomes: pl.DataFrame, lengths: IntArray, reached: BoolArray
) -> None:
    index, ours = _positions(pairs, outcomes)
    stated = outcomes.filter(pl.Series(ours))
    wrong = (stated["length"].to_numpy() != lengths[index]) | (
        stated["reached"].to_numpy() != reached[index]
    )
    _refuse(wrong, pairs.pair_ids[index], "outcomes and steps disagree on length or reached")


def _require(frame: pl.DataFrame, columns: tuple[str, ...], name: str) -> None:
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise ResultError(f"paths: frame {name} lacks column(s) {', '.join(missing)}.")
    empty = [column for column in columns if frame[column].null_count()]
    if empty:
        raise ResultError(f"paths: frame {name} has empty values in {', '.join(empty)}.")


def _refuse(bad: BoolArray, pair_ids: IntArray, what: str) -> None:
    if bad.any():
        count = len(np.unique(pair_ids[bad]))
        raise ResultError(f"paths: {what}, in {count} pair(s), first pair {pair_ids[bad][0]}.")
