import numpy as np
import pytest
import torch
from torch import Tensor

from influpath.data.sequences import IntArray, Sequences
from influpath.data.splits import leave_last_out
from influpath.errors import DataError, ResultError
from influpath.evaluation import hit_rate, mrr, next_item_ranks

from .fakes import HashJudge, make_dataset, random_case


def test_ranks_leave_out_the_history() -> None:
    split = leave_last_out(make_dataset([[1, 2, 3], [4, 1], [5]], items=5))

    def scorer(histories: Sequences, users: IntArray) -> Tensor:
        assert len(histories) == len(users)
        return torch.tensor([[5.0, 4.0, 3.0, 2.0, 1.0]]).repeat(len(users), 1)

    # User 0: of 3, 4, 5 the held-out 3 is best.  User 1: of 1, 2, 3, 5 it is 1.  User 2 has none.
    assert next_item_ranks(scorer, split).tolist() == [1, 1]
    assert next_item_ranks(scorer, split, users=np.array([1])).tolist() == [1]
    with pytest.raises(DataError, match="user 102 has a single interaction"):
        next_item_ranks(scorer, split, users=np.array([0, 2]))


def test_recommender_and_function_agree_whatever_the_batch() -> None:
    rng = np.random.default_rng(0)
    rows = [rng.integers(1, 31, size=rng.integers(2, 9)).tolist() for _ in range(20)]
    data = make_dataset(rows, items=30)
    split = leave_last_out(data)
    judge = HashJudge(data)
    ranks = next_item_ranks(judge, split)
    assert judge.users_seen == set(range(20))
    for batch in (1, 7):
        np.testing.assert_array_equal(next_item_ranks(judge, split, batch_size=batch), ranks)
    by_function = next_item_ranks(lambda h, users: judge.log_probs(h, users).exp(), split)
    np.testing.assert_array_equal(by_function, ranks)
    for row, rank in enumerate(ranks.tolist()):
        history = split.train.sequences.row(row)
        scores = judge.log_probs(Sequences.from_rows([history]), np.array([row]))[0].tolist()
        target = int(split.held_out[row])
        better = sum(
            scores[i - 1] > scores[target - 1] for i in range(1, 31) if i not in history.tolist()
        )
        assert rank == 1 + better


def test_scores_and_their_intervals() -> None:
    ranks = np.array([1, 20, 21, 4])
    assert hit_rate(ranks).mean == 0.75
    assert hit_rate(ranks, k=3).mean == 0.25
    assert mrr(ranks).mean == pytest.approx((1 + 1 / 20 + 1 / 21 + 1 / 4) / 4)
    assert mrr(ranks).count == 4
    low, high = mrr(ranks, seed=3).ci95
    assert low < mrr(ranks).mean < high


def test_another_catalogue_is_refused() -> None:
    case = random_case(0)
    with pytest.raises(ResultError, match="another catalogue"):
        next_item_ranks(HashJudge(make_dataset([[1]], 3)), leave_last_out(case.dataset))
