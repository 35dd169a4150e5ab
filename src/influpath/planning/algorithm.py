"""Algorithm 1 of the paper, once, for every planner and in batches.

As printed the algorithm emits M + 1 items (``while |s_p| <= M``); here a path has at most M.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import polars as pl
import torch

from influpath.data.dataset import Dataset
from influpath.data.ids import IdMap
from influpath.data.sequences import IntArray, Sequences
from influpath.errors import ConfigError, DataError, UnknownIdError
from influpath.planning.base import PlanBatch, Planner
from influpath.planning.paths import PathRecorder, Paths

Histories = Dataset | Mapping[Any, Sequence[Any]]


def plan(
    planner: Planner,
    pairs: pl.DataFrame,
    histories: Histories,
    max_length: int = 20,
    batch_size: int = 1024,
) -> Paths:
    """Plan an influence path for every pair.

    Args:
        planner: Picks the items.
        pairs: Frame ``pair_id, user_id, objective_id``.  Where it has a column ``reachable`` (see
            ``aim``), a pair for which that is False gets no path; other columns are ignored.
        histories: The history s_h of each user: a dataset (usually ``split.train``), or outside
            item ids by user id.
        max_length: M, the most items of a path.
        batch_size: Pairs planned at once.  It bounds memory and does not change the paths.

    Returns:
        The paths, in the order of the pairs.

    Raises:
        UnknownIdError: A user has no history, or an item is not in the catalogue.
        DataError: A column of ``pairs`` is missing, or an objective is in its user's history.
        ConfigError: ``max_length`` or ``batch_size`` is below 1.
    """
    if max_length < 1:
        raise ConfigError(f"max_length is {max_length}; a path needs room for at least one item.")
    if batch_size < 1:
        raise ConfigError(f"batch_size is {batch_size}; plan at least one pair at once.")
    for column in ("pair_id", "user_id", "objective_id"):
        if column not in pairs.columns:
            raise DataError(f"pairs: the column {column!r} is missing.")
    if not pairs["pair_id"].dtype.is_integer() or pairs["pair_id"].has_nulls():
        raise DataError("pairs: pair_id holds something else than whole numbers; number the pairs.")
    if pairs["pair_id"].n_unique() != pairs.height:
        raise DataError("pairs: pair_id holds a value more than once; give each pair its own.")
    planned = pairs.filter("reachable") if "reachable" in pairs.columns else pairs
    known, objectives, users = encode_pairs(planner, planned, histories)
    frames = []
    for start in range(0, planned.height, batch_size):
        rows = np.arange(start, min(start + batch_size, planned.height))
        batch = PlanBatch(
            users_B=users[rows],
            histories=known.take(rows),
            objectives_B=objectives[rows],
            max_length=max_length,
            items=len(planner.items),
        )
        ids = planned["pair_id"].to_numpy()[rows].astype(np.int64)
        frames.append(run_batch(planner, batch, ids))
    return Paths.from_steps(pl.concat(frames) if frames else no_steps(planner.items), pairs)


def run_batch(planner: Planner, batch: PlanBatch, pair_ids: IntArray) -> pl.DataFrame:
    """Run Algorithm 1 on one batch; return the steps in the order of the rows."""
    state = planner.start(batch)
    left = np.arange(len(pair_ids))
    rows, items, scores = [], [], []
    with torch.inference_mode():
        for _ in range(batch.max_length):
            proposal = planner.step(state)
            some = np.flatnonzero(proposal.items_B)
            if len(some) < len(left):
                # Rows without a proposal end here; the others go on.
                state.keep(some)
                left = left[some]
            chosen, objectives = proposal.items_B[some], state.objectives_B
            if not len(left):
                break
            rows.append(left)
            items.append(planner.items.series("item_id", chosen))
            scores.append(proposal.scores_B[some])
            state.append(chosen)
            going_on = np.flatnonzero(chosen != objectives)
            if len(going_on) < len(left):
                state.keep(going_on)
                left = left[going_on]
            if not len(left):
                break
    if not rows:
        return no_steps(planner.items)
    # Recorded under the row's place, so that the order of pairs survives sorting.
    frame = PathRecorder(np.arange(len(pair_ids))).frame(rows, items, scores)
    return frame.with_columns(pair_id=pl.Series(pair_ids)[frame["pair_id"]])


def no_steps(items: IdMap) -> pl.DataFrame:
    """Return the steps of no path, of the types that other steps have."""
    none = np.empty(0, dtype=np.int64)
    score = np.empty(0, dtype=np.float32)
    return PathRecorder(none).frame([none], [items.series("item_id", none)], [score])


class Numbering(Protocol):
    """What numbers items and, perhaps, users: a planner, or simulated users."""

    @property
    def items(self) -> IdMap:
        """The catalogue."""

    @property
    def users(self) -> IdMap | None:
        """The users, or None where they play no part."""


def encode_pairs(
    planner: Numbering, pairs: pl.DataFrame, histories: Histories
) -> tuple[Sequences, IntArray, IntArray]:
    """Return histories, objectives and users of pairs in the numbers of a planner, or of users."""
    user_ids = pairs["user_id"].to_list()
    objectives = planner.items.encode(pairs["objective_id"].to_list())
    known = known_items(user_ids, histories, planner.items)
    inside = known.contains(objectives)
    if inside.any():
        row = int(np.flatnonzero(inside)[0])
        raise DataError(
            f"pairs: the objective {pairs['objective_id'][row]!r} of pair "
            f"{pairs['pair_id'][row]!r} is in its user's history already; choose another objective."
        )
    users = np.full(len(user_ids), -1, dtype=np.int64)
    if planner.users is not None:
        users = planner.users.encode(user_ids, unknown="mark")
    return known, objectives, users


def known_items(user_ids: list[Any], histories: Histories, items: IdMap) -> Sequences:
    """Return the histories of users in the numbers of a catalogue, one row per user.

    Raises:
        UnknownIdError: A user has no history, or an item is not in the catalogue.
    """
    if isinstance(histories, Dataset):
        found = histories.sequences.take(histories.rows_of(user_ids))
        return recode(found, histories.items, items)
    missing = [user for user in user_ids if user not in histories]
    if missing:
        raise UnknownIdError(
            f"{len(missing)} user(s) of the pairs have no history, {missing[0]!r} for example."
        )
    return Sequences.from_rows([items.encode(histories[user]) for user in user_ids])


def recode(sequences: Sequences, given: IdMap, wanted: IdMap) -> Sequences:
    """Return sequences in the numbers of another catalogue.

    Raises:
        UnknownIdError: An item is not in the other catalogue.
    """
    if given == wanted:
        return sequences
    number = np.zeros(len(given) + 1, dtype=np.int64)
    used = np.unique(sequences.values)
    number[used] = wanted.encode(given.decode(used))
    return Sequences(number[sequences.values], sequences.offsets)
