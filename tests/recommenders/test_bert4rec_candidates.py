"""What BERT4Rec says after candidates that share a history is what it says after each alone."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from influpath.data import Dataset
from influpath.data.sequences import Sequences
from influpath.native import reading as native
from influpath.recommenders import bert4rec_candidates
from influpath.recommenders.base import Recommender
from influpath.recommenders.bert4rec import BERT4Rec
from influpath.testing import tiny_dataset

LENGTH = 7


def assert_close(found: Tensor | None, expected: Tensor | None) -> None:
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-4)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return tiny_dataset()


@pytest.fixture(scope="module")
def models(dataset: Dataset) -> list[BERT4Rec]:
    """Networks of one to three layers whose weights, those of normalisations too, are random."""
    found = []
    for blocks in (1, 2, 3):
        model = BERT4Rec(
            seed=blocks,
            embedding_size=8,
            blocks=blocks,
            heads=2,
            max_length=LENGTH,
            training={"epochs": 1},
        ).fit(dataset)
        torch.manual_seed(blocks)
        with torch.no_grad():
            for weight in model.module.parameters():
                weight.add_(torch.randn_like(weight), alpha=0.4)
        found.append(model)
    return found


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_candidates_together_as_each_alone(
    data: st.DataObject, models: list[BERT4Rec], dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = data.draw(st.sampled_from(models))
    item = st.integers(1, len(dataset.items))
    rows = data.draw(st.lists(st.lists(item, max_size=2 * LENGTH), min_size=1, max_size=5))
    count = data.draw(st.integers(1, 6))
    candidates_RK = np.array(
        [data.draw(st.lists(item, min_size=count, max_size=count)) for _ in rows]
    )
    targets_R = candidates_RK[:, 0]
    histories = Sequences.from_rows(rows)
    with monkeypatch.context() as patch:
        patch.setattr(
            bert4rec_candidates, "READ_POSITIONS", data.draw(st.sampled_from([1, 20, 1 << 11]))
        )
        if data.draw(st.booleans()):
            patch.setattr(native, "reads", lambda *_: False)
        log_probs_RK = model.log_prob_after(histories, candidates_RK, targets_R)
        vectors_RKD = model.user_vectors_after(histories, candidates_RK)
    alone_RK = Recommender.log_prob_after(model, histories, candidates_RK, targets_R)
    assert_close(log_probs_RK, alone_RK)
    alone_RKD = Recommender.user_vectors_after(model, histories, candidates_RK)
    assert_close(vectors_RKD, alone_RKD)


def test_changed_weights_are_read_anew(models: list[BERT4Rec]) -> None:
    model = models[1]
    asked = Sequences.from_rows([[1, 2, 3]]), np.array([[4, 5]])
    before = model.user_vectors_after(*asked)
    assert before is not None
    with torch.no_grad():
        model.module.item.weight[2] *= -2.0
    after = model.user_vectors_after(*asked)
    assert after is not None
    assert not torch.allclose(before, after, atol=1e-3)
    assert_close(after, Recommender.user_vectors_after(model, *asked))
