"""The held-out item, the validation users, and the pieces."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from influpath.data import (
    Dataset,
    IdMap,
    Sequences,
    cut_pieces,
    leave_last_out,
    random_subset,
    validation_users,
)

LENGTHS = st.lists(st.integers(0, 70), max_size=8)


@settings(deadline=None, max_examples=100)
@given(LENGTHS, st.integers(1, 10), st.integers(0, 9), st.integers(0, 2**20))
def test_pieces_concatenate_to_the_history(
    lengths: Any, minimum: int, slack: Any, seed: int
) -> None:
    maximum = 2 * minimum + slack
    total = sum(lengths)
    sequences = Sequences.from_lengths(np.arange(1, total + 1), np.array(lengths, dtype=np.int64))
    pieces, row = cut_pieces(sequences, minimum, maximum, np.random.default_rng(seed))
    again = [
        np.concatenate([[], *(pieces.row(p) for p in np.flatnonzero(row == r).tolist())])
        for r in range(len(lengths))
    ]
    for r, joined in enumerate(again):
        assert joined.tolist() == sequences.row(r).tolist()
    for p, r in enumerate(row):
        assert pieces.lengths[p] <= maximum
        assert pieces.lengths[p] >= min(minimum, lengths[r])


def test_pieces_depend_on_the_seed_only() -> None:
    sequences = Sequences.from_lengths(np.arange(1, 401), np.array([100, 300]))
    first, _ = cut_pieces(sequences, 5, 20, np.random.default_rng(3))
    second, _ = cut_pieces(sequences, 5, 20, np.random.default_rng(3))
    other, _ = cut_pieces(sequences, 5, 20, np.random.default_rng(4))
    assert first.offsets.tolist() == second.offsets.tolist() != other.offsets.tolist()


def test_pieces_need_room() -> None:
    with pytest.raises(ValueError, match="twice"):
        cut_pieces(Sequences.from_rows([[1, 2]]), 5, 9, np.random.default_rng(0))


def test_leave_last_out() -> None:
    dataset = Dataset(
        name="tiny",
        preset="custom",
        sequences=Sequences.from_rows([[1, 2, 3], [2], [3, 1]]),
        users=IdMap(["a", "b", "c"], 0, "user"),
        items=IdMap(["x", "y", "z"], 1, "item"),
        catalogue=pl.DataFrame({"item_id": ["x", "y", "z"], "title": None, "genres": [[], [], []]}),
    )
    split = leave_last_out(dataset)
    assert split.held_out.tolist() == [3, 0, 1]
    assert [split.train.sequences.row(r).tolist() for r in range(3)] == [[1, 2], [2], [3]]
    assert split.train.items is dataset.items


def test_validation_users_are_a_fixed_sorted_share() -> None:
    rows = validation_users(200, seed=7)
    assert rows.tolist() == validation_users(200, seed=7).tolist() == sorted(set(rows.tolist()))
    assert len(rows) == 20
    assert rows.tolist() != validation_users(200, seed=8).tolist()


@pytest.mark.parametrize(("count", "expected"), [(0, 0), (1, 0), (2, 1), (5, 1), (40, 4)])
def test_random_subset_keeps_something_on_both_sides(count: int, expected: Any) -> None:
    chosen = random_subset(count, 0.1, np.random.default_rng(0))
    assert chosen.sum() == expected
