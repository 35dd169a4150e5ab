"""Reading on item by item says what reading everything anew says."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from influpath.data import Dataset
from influpath.data.sequences import IntArray, Sequences
from influpath.recommenders.base import Recommender
from influpath.recommenders.bpr import BPR
from influpath.recommenders.causal import CausalRecommender
from influpath.recommenders.gru4rec import GRU4Rec
from influpath.recommenders.reader import Reader
from influpath.recommenders.sasrec import SASRec
from influpath.testing import tiny_dataset

# Windows so short that they move again and again.
WINDOW = 8
TRAINING = {"epochs": 1, "learning_rate": 1e-2}


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return tiny_dataset()


@pytest.fixture(scope="module")
def models(dataset: Dataset) -> list[Recommender]:
    sizes: dict[str, Any] = {"embedding_size": 8, "max_length": WINDOW, "training": TRAINING}
    return [
        SASRec(seed=1, **sizes).fit(dataset),
        GRU4Rec(seed=2, hidden_size=8, layers=2, **sizes).fit(dataset),
        BPR(seed=3).fit(dataset),
    ]


def anew(reader: Reader, model: Recommender) -> Reader:
    """Return a plain reader of the same rows."""
    return Reader(model, reader.known, reader.users)


def assert_same(reader: Reader, model: Recommender, candidates_BK: IntArray) -> None:
    """Compare every answer with that of reading everything anew through plain predictions."""
    plain = anew(reader, model)
    torch.testing.assert_close(reader.log_probs(), plain.log_probs(), atol=1e-5, rtol=1e-5)
    rows, count = candidates_BK.shape
    targets_B = candidates_BK[:, 0]
    extended = reader.known.take(np.repeat(np.arange(rows), count)).extend(
        Sequences.from_lengths(candidates_BK.reshape(-1), np.ones(rows * count, dtype=np.int64))
    )
    users = None if reader.users is None else np.repeat(reader.users, count)
    after = model.log_probs(extended, users)
    expected_BK = after[torch.arange(rows * count), np.repeat(targets_B, count) - 1]
    found_BK = reader.log_prob_after(candidates_BK, targets_B)
    torch.testing.assert_close(found_BK.flatten(), expected_BK, atol=1e-5, rtol=1e-5)
    vectors = reader.user_vectors()
    if vectors is not None:
        torch.testing.assert_close(vectors, plain.user_vectors(), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(
            reader.user_vectors_after(candidates_BK).flatten(0, 1),  # type: ignore[union-attr]
            model.user_vectors(extended, users),
            atol=1e-5,
            rtol=1e-5,
        )


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_reading_on_equals_reading_anew(
    data: st.DataObject, models: list[Recommender], dataset: Dataset
) -> None:
    count = len(dataset.items)
    item = st.integers(1, count)
    rows = data.draw(st.lists(st.lists(item, max_size=3 * WINDOW), min_size=1, max_size=4))
    model = data.draw(st.sampled_from(models))
    users = np.arange(len(rows)) - 1
    reader = model.reader(Sequences.from_rows(rows), users)
    for _ in range(data.draw(st.integers(0, WINDOW))):
        size = len(reader.known)
        if size > 1 and data.draw(st.booleans()):
            order = data.draw(st.permutations(range(size)))
            kept = np.array(order[: data.draw(st.integers(1, size))])
            reader.keep(kept)
            size = len(kept)
        if data.draw(st.booleans()):
            others = data.draw(
                st.lists(st.lists(item, max_size=2 * WINDOW), min_size=1, max_size=size)
            )
            places = np.array(data.draw(st.permutations(range(size)))[: len(others)])
            strangers = np.arange(len(others)) - 1
            reader.replace(places, model.reader(Sequences.from_rows(others), strangers))
        # 0 reads nothing in its row.
        reader.append(
            np.array(data.draw(st.lists(st.integers(0, count), min_size=size, max_size=size)))
        )
        candidates = data.draw(
            st.lists(st.lists(item, min_size=3, max_size=3), min_size=size, max_size=size)
        )
        assert_same(reader, model, np.array(candidates))
    assert len(reader.known) == len(reader.log_probs())


def test_answers_change_nothing(models: list[Recommender]) -> None:
    histories = Sequences.from_rows([[1, 2, 3], [4], list(range(1, 12))])
    for model in models:
        reader = model.reader(histories)
        before = reader.log_probs().clone()
        reader.log_prob_after(np.array([[5, 6], [7, 8], [12, 13]]), np.array([9, 9, 14]))
        assert torch.equal(reader.log_probs(), before)


def test_every_item_is_read_once(
    models: list[Recommender], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within a window, going on never encodes it again."""
    for model in models:
        if not isinstance(model, CausalRecommender):
            continue
        reader = model.reader(Sequences.from_rows([[1, 2], [3]]))

        def refuse(*_: object) -> None:
            raise AssertionError("read again")

        with monkeypatch.context() as patch:
            patch.setattr(type(model.module), "remember", refuse)
            for item in (4, 5, 6):
                reader.append(np.array([item, item + 1]))
                reader.log_probs()


def test_no_rows(models: list[Recommender]) -> None:
    for model in models:
        reader = model.reader(Sequences.from_rows([]))
        assert reader.log_probs().shape == (0, model.item_count)
        reader.append(np.empty(0, dtype=np.int64))
        assert reader.log_prob_after(np.empty((0, 2), np.int64), np.empty(0, np.int64)).shape == (
            0,
            2,
        )
