"""The models learn what there is to learn; item2vec finds neighbours."""

from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from gensim.models import Word2Vec

from influpath.data.dataset import Dataset
from influpath.data.ids import IdMap
from influpath.data.sequences import Sequences
from influpath.recommenders.base import Recommender
from influpath.recommenders.bert4rec import BERT4Rec
from influpath.recommenders.item2vec import item2vec
from influpath.recommenders.neural import NextItemTask
from influpath.recommenders.sasrec import SASRec

ITEMS = 15


def walk(start: int, length: int) -> list[int]:
    """Walk the ring of items in steps of 4: the next item follows from the last one alone."""
    return [(start + 4 * step) % ITEMS + 1 for step in range(length)]


@pytest.fixture(scope="module")
def ring() -> Dataset:
    rows = [walk(user, 12 + user % 10) for user in range(60)]
    ids = [f"i{n}" for n in range(ITEMS)]
    return Dataset(
        name="ring",
        preset="custom",
        sequences=Sequences.from_rows(rows),
        users=IdMap(range(60), 0, "user"),
        items=IdMap(ids, 1, "item"),
        catalogue=pl.DataFrame({"item_id": ids, "title": None, "genres": None}),
    )


@pytest.mark.parametrize(
    ("recommender", "epochs", "settings"),
    [(SASRec, 15, {}), (BERT4Rec, 60, {"last_share": 0.5})],
    ids=["sasrec", "bert4rec"],
)
def test_a_deterministic_ring_is_learned(
    ring: Dataset, recommender: type[Recommender], epochs: int, settings: dict[str, Any]
) -> None:
    # One validation, at the end: HR@20 is perfect long before HR@1 is.
    training = {"epochs": epochs, "learning_rate": 5e-3, "validate_every": epochs}
    model = recommender(
        embedding_size=32,
        blocks=1,
        max_length=6,
        batch_tokens=256,
        dropout=0.0,
        training=training,
        **settings,
    ).fit(ring)
    histories = Sequences.from_rows([walk(start, 2 + start % 8) for start in range(ITEMS)])
    expected = [walk(start, 3 + start % 8)[-1] for start in range(ITEMS)]
    log_probs_RI = model.log_probs(histories)
    hits = (log_probs_RI.argmax(1) + 1).numpy() == np.array(expected)
    assert hits.mean() >= 0.93
    assert model.history["epochs"][-1]["loss"] < model.history["epochs"][0]["loss"] / 2
    assert model.history["epochs"][-1]["mrr"] > 0.9
    assert model.history["epochs"][-1]["hr@20"] == 1.0


def test_validation_items_are_left_out_of_training(tiny: Dataset) -> None:
    model = SASRec(embedding_size=8, max_length=8)
    model._items, model._users = tiny.items, tiny.users
    model.module = model._build()
    task = NextItemTask(model, tiny)
    shorter = np.flatnonzero(task.sequences.lengths < tiny.sequences.lengths)
    assert len(shorter) == round(0.1 * len(tiny.users))
    assert task.validation.targets_R.tolist() == tiny.sequences.take(shorter).last().tolist()
    for row, kept in zip(shorter.tolist(), range(len(shorter)), strict=True):
        whole = tiny.sequences.row(row).tolist()
        assert [*task.sequences.row(row).tolist(), task.validation.targets_R[kept]] == whole
        assert task.validation.histories.row(kept).tolist() == whole[:-1]
    others = np.setdiff1d(np.arange(len(tiny.users)), shorter)
    kept_whole = task.sequences.take(others).values
    assert kept_whole.tolist() == tiny.sequences.take(others).values.tolist()


def test_validation_users_are_the_same_for_every_seed(tiny: Dataset) -> None:
    targets = []
    for seed in (1, 2):
        model = SASRec(embedding_size=8, max_length=8, seed=seed)
        model._items, model._users = tiny.items, tiny.users
        model.module = model._build()
        targets.append(NextItemTask(model, tiny).validation.targets_R.tolist())
    assert targets[0] == targets[1]


def test_item2vec_puts_neighbours_together() -> None:
    # Two groups of items that never meet; item 21 is never seen.
    rng = np.random.default_rng(0)
    rows = [rng.permutation(10) + 1 + 10 * (user % 2) for user in range(200)]
    vectors = item2vec(Sequences.from_rows(rows), items=21, size=8, seed=1, epochs=30)
    assert vectors.shape == (22, 8)
    assert vectors.dtype == np.float32
    assert not vectors[[0, 21]].any()
    unit = torch.nn.functional.normalize(torch.from_numpy(vectors[1:21]), dim=1)
    cosines = unit @ unit.T
    within = (cosines[:10, :10].mean() + cosines[10:, 10:].mean()) / 2
    assert within > cosines[:10, 10:].mean() + 0.3
    again = item2vec(Sequences.from_rows(rows), items=21, size=8, seed=1, epochs=30)
    other = item2vec(Sequences.from_rows(rows), items=21, size=8, seed=2, epochs=30)
    assert np.array_equal(vectors, again)
    assert not np.array_equal(vectors, other)


def test_item2vec_finds_the_neighbours_that_gensim_finds() -> None:
    # Walks around a ring: near on the ring is near in the sequences.
    items, near, rng = 40, 4, np.random.default_rng(3)
    starts, steps = rng.integers(0, items, 300), rng.choice([-1, 1, 2], (300, 20))
    rows = [
        ((start + walk.cumsum()) % items + 1).tolist()
        for start, walk in zip(starts, steps, strict=True)
    ]
    ours = item2vec(Sequences.from_rows(rows), items, size=16, seed=1, epochs=20)[1:]
    unit = torch.nn.functional.normalize(torch.from_numpy(ours), dim=1)
    nearest = (unit @ unit.T).fill_diagonal_(-2).topk(near, dim=1).indices + 1
    # The library asked directly, with words instead of numbers and another seed.
    model = Word2Vec(
        [[f"item {item}" for item in row] for row in rows],
        vector_size=16, window=5, min_count=1, sg=1, negative=5, workers=1, seed=9, epochs=20,
    )  # fmt: skip
    shared = [
        len(
            {f"item {other}" for other in nearest[item - 1].tolist()}
            & {word for word, _ in model.wv.most_similar(f"item {item}", topn=near)}
        )
        for item in range(1, items + 1)
    ]
    # By chance it would be 4 x 4 / 39 = 0.4 of them.
    assert np.mean(shared) > 2.5
