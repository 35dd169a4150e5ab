"""Algorithm 1 of the paper, once, for every planner and in batches.

As printed the algorithm emits M + 1 items (``while |s_p| <= M``); here a path has at most M.

Shape suffixes: B rows still planned.
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
from influpath.parallel import in_threads
from influpath.planning.base import PlanBatch, Planner
from influpath.planning.paths import Paths, ShownItems

# With fewer rows, a thread of their own does not pay.
ROWS_PER_THREAD = 32

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
        batch_size: Pairs planned at once, at most; a large catalogue allows fewer.  It does not
            change the paths.

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
    threads, size = rows_and_threads(planner, min(batch_size, planned.height))
    # Histories of similar length together, so that none is padded to another's.
    order = np.argsort(known.lengths, kind="stable")

    def plan_part(start: int) -> ShownItems:
        rows = order[start : start + size]
        batch = PlanBatch(
            users_B=users[rows],
            histories=known.take(rows),
            objectives_B=objectives[rows],
            max_length=max_length,
            items=len(planner.items),
        )
        return run_batch(planner, batch, rows)

    shown = ShownItems.joined(in_threads(plan_part, range(0, planned.height, size), threads))
    steps = shown.frame(planned["pair_id"].to_numpy().astype(np.int64), planner.items)
    return Paths.from_steps(steps, pairs)


def rows_and_threads(planner: Planner, most: int) -> tuple[int, int]:
    """Return how many batches are planned at a time, and how many rows each has, at most."""
    threads = torch.get_num_threads() if planner.parallel else 1
    if planner.rows_at_once(threads) < ROWS_PER_THREAD:
        # A catalogue as large as that: operations in parallel rather than rows.
        threads = 1
    size = min(most, planner.rows_at_once(threads))
    if threads > 1:
        size = min(size, max(ROWS_PER_THREAD, -(-most // threads)))
    return threads, max(1, size)


def run_batch(planner: Planner, batch: PlanBatch, places: IntArray) -> ShownItems:
    """Run Algorithm 1 on one batch; ``places`` are those of its rows among all pairs."""
    state = planner.start(batch)
    left = places
    shown = []
    with torch.inference_mode():
        for step in range(1, batch.max_length + 1):
            proposal = planner.step(state)
            some = np.flatnonzero(proposal.items_B)
            if len(some) < len(left):
                # Rows without a proposal end here; the others go on.
                state.keep(some)
                left = left[some]
            chosen, objectives = proposal.items_B[some], state.objectives_B
            if not len(left):
                break
            scores = proposal.scores_B[some]
            shown.append(ShownItems(left, np.full_like(left, step), chosen, scores))
            state.append(chosen)
            going_on = np.flatnonzero(chosen != objectives)
            if len(going_on) < len(left):
                state.keep(going_on)
                left = left[going_on]
            if not len(left):
                break
    return ShownItems.joined(shown)


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
