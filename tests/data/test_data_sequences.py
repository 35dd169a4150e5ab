"""Sequences, checked against plain lists."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from influpath.data import Sequences

ROWS = st.lists(st.lists(st.integers(1, 9), max_size=8), max_size=6)
fast = settings(deadline=None, max_examples=60)


def as_lists(sequences: Any) -> Any:
    return [sequences.row(r).tolist() for r in range(len(sequences))]


@fast
@given(ROWS)
def test_rows_come_back(rows: Any) -> None:
    sequences = Sequences.from_rows(rows)
    assert as_lists(sequences) == rows
    assert sequences.lengths.tolist() == [len(row) for row in rows]
    assert sequences.last().tolist() == [row[-1] if row else 0 for row in rows]
    assert sequences.row_of_value.tolist() == [r for r, row in enumerate(rows) for _ in row]


@fast
@given(ROWS, st.integers(1, 10))
def test_window_is_the_last_values_pre_padded(rows: Any, width: int) -> None:
    window = Sequences.from_rows(rows).window(width)
    assert window.tolist() == [([0] * width + row)[-width:] for row in rows]


@fast
@given(ROWS, st.integers(0, 3))
def test_padded_is_post_padded(rows: Any, more: Any) -> None:
    width = max((len(row) for row in rows), default=0) + more
    padded = Sequences.from_rows(rows).padded(width)
    assert padded.tolist() == [row + [0] * (width - len(row)) for row in rows]


def test_padded_refuses_a_width_that_cuts() -> None:
    with pytest.raises(ValueError, match="longer"):
        Sequences.from_rows([[1, 2, 3]]).padded(2)


@fast
@given(ROWS.filter(bool), st.data())
def test_slice_and_take(rows: Any, data: st.DataObject) -> None:
    sequences = Sequences.from_rows(rows)
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=6))
    start = [data.draw(st.integers(0, len(rows[r]))) for r in chosen]
    stop = [data.draw(st.integers(s, len(rows[r]))) for r, s in zip(chosen, start, strict=True)]
    cut = sequences.slice(*(np.array(x, dtype=np.int64) for x in (chosen, start, stop)))
    assert as_lists(cut) == [rows[r][a:b] for r, a, b in zip(chosen, start, stop, strict=True)]
    assert as_lists(sequences.take(np.array(chosen, dtype=np.int64))) == [rows[r] for r in chosen]


@fast
@given(ROWS, st.integers(0, 3))
def test_drop_last(rows: Any, count: int) -> None:
    dropped = Sequences.from_rows(rows).drop_last(count)
    assert as_lists(dropped) == [row[: max(len(row) - count, 0)] for row in rows]


@fast
@given(st.lists(st.tuples(*[st.lists(st.integers(1, 9), max_size=5)] * 2), max_size=6))
def test_extend(pairs: Any) -> None:
    first = Sequences.from_rows([a for a, _ in pairs])
    second = Sequences.from_rows([b for _, b in pairs])
    assert as_lists(first.extend(second)) == [a + b for a, b in pairs]


@fast
@given(ROWS, ROWS)
def test_followed_by(rows: Any, others: Any) -> None:
    both = Sequences.from_rows(rows).followed_by(Sequences.from_rows(others))
    assert as_lists(both) == [*rows, *others]


@fast
@given(st.lists(st.tuples(st.lists(st.integers(1, 9), max_size=5), st.integers(0, 9)), max_size=6))
def test_append(rows: Any) -> None:
    items = np.array([item for _, item in rows], dtype=np.int64)
    longer = Sequences.from_rows([row for row, _ in rows]).append(items)
    assert as_lists(longer) == [row + [item] * (item > 0) for row, item in rows]


@fast
@given(ROWS, st.data())
def test_contains_and_counts(rows: Any, data: st.DataObject) -> None:
    sequences = Sequences.from_rows(rows)
    items = data.draw(st.lists(st.integers(1, 9), min_size=len(rows), max_size=len(rows)))
    found = sequences.contains(np.array(items, dtype=np.int64))
    assert found.tolist() == [item in row for item, row in zip(items, rows, strict=True)]
    flat = [item for row in rows for item in row]
    assert sequences.counts(9).tolist() == [flat.count(item) for item in range(10)]


def test_offsets_must_cover_the_values() -> None:
    with pytest.raises(ValueError, match="cover"):
        Sequences(np.array([1, 2, 3]), np.array([0, 2]))
