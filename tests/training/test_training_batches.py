"""Batches and windows hold everything exactly once."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from influpath.data.sequences import Sequences
from influpath.training.batches import bucketed_batches, random_windows

LENGTHS = st.lists(st.integers(1, 60), max_size=120).map(lambda x: np.array(x, dtype=np.int64))
FAST = settings(deadline=None, max_examples=80)


@FAST
@given(LENGTHS, st.integers(1, 9), st.integers(0, 2**20))
def test_batches_of_rows(lengths: Any, rows: int, seed: int) -> None:
    batches = bucketed_batches(lengths, np.random.default_rng(seed), rows=rows)
    assert sorted(np.concatenate([[], *batches]).tolist()) == list(range(len(lengths)))
    sizes = sorted(len(batch) for batch in batches)
    assert all(1 <= size <= rows for size in sizes)
    # A short batch is at most the leftover of a group of 50 batches.
    assert sum(size < rows for size in sizes) <= -(-len(lengths) // (50 * rows))


@FAST
@given(LENGTHS, st.integers(1, 200), st.integers(0, 2**20))
def test_batches_of_tokens(lengths: Any, tokens: int, seed: int) -> None:
    batches = bucketed_batches(lengths, np.random.default_rng(seed), tokens=tokens)
    assert sorted(np.concatenate([[], *batches]).tolist()) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) > 0
        # A row longer than the bound is a batch of its own.
        assert len(batch) == 1 or len(batch) * lengths[batch].max() <= tokens


def test_batches_hold_rows_of_similar_length_in_random_order() -> None:
    lengths = np.random.default_rng(0).integers(1, 200, size=5000)
    batches = bucketed_batches(lengths, np.random.default_rng(1), tokens=3200)
    padded = sum(len(batch) * lengths[batch].max() for batch in batches)
    assert padded < 1.15 * lengths.sum()
    longest = np.array([lengths[batch].max() for batch in batches])
    assert abs(np.corrcoef(longest[:-1], longest[1:])[0, 1]) < 0.5
    other = bucketed_batches(lengths, np.random.default_rng(2), tokens=3200)
    again = bucketed_batches(lengths, np.random.default_rng(1), tokens=3200)
    assert [b.tolist() for b in again] == [b.tolist() for b in batches]
    assert [b.tolist() for b in other] != [b.tolist() for b in batches]


def test_batches_need_one_bound() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="rows or tokens"):
        bucketed_batches(np.array([1]), rng)
    with pytest.raises(ValueError, match="rows or tokens"):
        bucketed_batches(np.array([1]), rng, rows=1, tokens=1)


@FAST
@given(st.lists(st.integers(0, 40), max_size=12), st.integers(1, 12), st.integers(0, 2**20))
def test_windows_partition_the_sequences(lengths: list[int], width: int, seed: int) -> None:
    # Every value occurs once, so that windows can be traced.
    total = sum(lengths)
    sequences = Sequences.from_lengths(np.arange(1, total + 1), np.array(lengths, dtype=np.int64))
    windows = random_windows(sequences, width, np.random.default_rng(seed))
    assert windows.values.tolist() == sequences.values.tolist()
    assert ((windows.lengths >= 1) & (windows.lengths <= width)).all()
    row_of_value = sequences.row_of_value
    for row in range(len(sequences)):
        own = [
            int(windows.lengths[w])
            for w in range(len(windows))
            if row_of_value[windows.row(w)[0] - 1] == row
        ]
        assert sum(own) == lengths[row]
        assert all(length == width for length in own[1:-1])
        if 0 < lengths[row] <= width:
            assert own == [lengths[row]]


def test_windows_start_anywhere() -> None:
    sequences = Sequences.from_rows([np.arange(1, 31)])
    rng = np.random.default_rng(0)
    firsts = {int(random_windows(sequences, 7, rng).lengths[0]) for _ in range(200)}
    assert firsts == set(range(1, 8))
