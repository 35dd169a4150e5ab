import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from influpath.data.sequences import Sequences
from influpath.errors import ResultError
from influpath.evaluation import ranks_from_scores


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_equals_a_naive_sort(data: st.DataObject) -> None:
    items = data.draw(st.integers(1, 12))
    number = st.integers(1, items)
    # Few distinct scores, so that ties are common.
    row = st.lists(st.integers(-3, 3).map(float), min_size=items, max_size=items)
    rows = data.draw(st.lists(st.tuples(row, st.lists(number, max_size=8), number), max_size=5))
    scores = torch.tensor([r[0] for r in rows]).reshape(len(rows), items)
    left_out = Sequences.from_rows([r[1] for r in rows])
    targets = np.array([r[2] for r in rows], dtype=np.int64)
    kept = scores.clone()
    ranks = ranks_from_scores(scores, left_out, targets)
    for (values, out, target), rank in zip(rows, ranks.tolist(), strict=True):
        candidates = [i for i in range(1, items + 1) if i == target or i not in out]
        # Among equal scores the target comes first.
        ordered = sorted(candidates, key=lambda i: (-values[i - 1], i != target))
        assert rank == 1 + ordered.index(target)
    assert torch.equal(scores, kept)


def test_a_score_that_is_no_number_is_refused() -> None:
    with pytest.raises(ResultError, match="not a number"):
        ranks_from_scores(
            torch.tensor([[0.0, torch.nan]]), Sequences.from_rows([[]]), np.array([2])
        )
    with pytest.raises(ValueError, match="differ in length"):
        ranks_from_scores(torch.zeros(1, 2), Sequences.from_rows([]), np.array([2]))
