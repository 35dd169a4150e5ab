"""Full-catalogue ranks against a naive sort."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from influpath.data.sequences import Sequences
from influpath.recommenders import ranking
from influpath.recommenders.ranking import mask_seen, target_ranks


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_target_ranks_equal_a_naive_sort(data: st.DataObject) -> None:
    items = data.draw(st.integers(1, 10))
    number = st.integers(1, items)
    # Few distinct scores, so that ties are common.
    scores = st.lists(st.integers(-2, 2).map(float), min_size=items, max_size=items)
    rows = data.draw(st.lists(st.tuples(scores, st.lists(number, max_size=8), number), max_size=5))
    table = torch.tensor([row[0] for row in rows]).reshape(len(rows), items)
    kept = table.clone()
    histories = Sequences.from_rows([row[1] for row in rows])
    with pytest.MonkeyPatch.context() as patch:
        # One or two rows are compared at once, or all of them.
        patch.setattr(ranking, "CHUNK_BYTES", data.draw(st.sampled_from([1, 8 * items, 1 << 20])))
        ranks = target_ranks(table, histories, np.array([row[2] for row in rows], dtype=np.int64))
    for (values, history, target), rank in zip(rows, ranks.tolist(), strict=True):
        candidates = [i for i in range(1, items + 1) if i == target or i not in history]
        # Ties are never held against the target.
        ordered = sorted(candidates, key=lambda i: (-values[i - 1], i != target))
        assert rank == 1 + ordered.index(target)
    assert torch.equal(table, kept)


def test_mask_seen_bars_each_rows_own_items_in_place() -> None:
    scores = torch.zeros(3, 4)
    assert mask_seen(scores, Sequences.from_rows([[2, 4, 2], [], [1]])) is scores
    assert (scores == -torch.inf).tolist() == [
        [False, True, False, True],
        [False, False, False, False],
        [True, False, False, False],
    ]
    assert (scores[1] == 0).all()
