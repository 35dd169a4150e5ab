"""What the measured work is done on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from influpath.benchmarks.workloads import (
    barely_trained,
    mean_attended,
    some_pairs,
    synthetic_dataset,
    unseen_paths,
)
from influpath.data.dataset import Dataset
from influpath.evaluation import judge_paths, sample_pairs
from influpath.recommenders.sasrec import SASRec


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 30), st.integers(1, 50), st.integers(1, 40), st.integers(0, 5))
def test_a_synthetic_log_is_a_log(users: int, items: int, length: int, seed: int) -> None:
    dataset = synthetic_dataset(users, items, length, seed)
    assert (len(dataset.users), len(dataset.items)) == (users, items)
    assert (dataset.sequences.values >= 1).all()
    assert (dataset.sequences.values <= items).all()
    for row in range(users):
        own = dataset.sequences.row(row)
        assert 1 <= len(own) == len(set(own.tolist())) <= min(length, items)
    assert dataset.fingerprint == synthetic_dataset(users, items, length, seed).fingerprint


def test_few_items_are_popular() -> None:
    counts = synthetic_dataset(400, 1_000, 30).item_counts[1:]
    # 1 / sqrt(n): the first tenth has about as much as the last half.
    assert counts[:100].sum() == pytest.approx(counts[-500:].sum(), rel=0.25)


def test_a_barely_trained_model_knows_everybody(tiny: Dataset) -> None:
    tiny_size = {"embedding_size": 8, "heads": 2, "max_length": 8, "training": {"epochs": 9}}
    model = barely_trained(SASRec, tiny, tiny_size)
    assert (model.items, model.users) == (tiny.items, tiny.users)
    assert len(model.history["epochs"]) == 1


def test_random_paths_are_new_to_the_user_and_can_be_judged(tiny: Dataset, sasrec: SASRec) -> None:
    pairs = sample_pairs(tiny, seed=1)[:9]
    paths = unseen_paths(pairs, tiny, 6, seed=3)
    assert paths.outcomes["length"].to_list() == [6] * 9
    assert not paths.outcomes["reached"].any()
    judgement = judge_paths(sasrec, pairs, paths, tiny)
    assert not judgement.repeated.any()
    assert len(judgement.item_log_probs) == 54


def test_some_pairs_are_some_of_the_pairs(tiny: Dataset) -> None:
    pairs = sample_pairs(tiny, seed=1)
    assert some_pairs(pairs, None, 0).equals(pairs)
    assert set(some_pairs(pairs, 5, 0)["pair_id"]) < set(pairs["pair_id"])
    assert some_pairs(pairs, 10**6, 0).height == pairs.height


def test_attended_keys_are_counted() -> None:
    # 1 + 2 + 3 keys at three positions; cut at two: 1 + 2 at two.
    assert mean_attended(np.array([3]), 9) == pytest.approx(2.0)
    assert mean_attended(np.array([3, 1]), 2) == pytest.approx(4 / 3)
