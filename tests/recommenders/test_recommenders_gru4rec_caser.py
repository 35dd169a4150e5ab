"""GRU4Rec and Caser, and the original losses of GRU4Rec, Caser and SASRec."""

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from influpath.data.dataset import Dataset
from influpath.data.ids import IdMap
from influpath.data.sequences import Sequences
from influpath.errors import ConfigError, InfluPathError, NotFittedError
from influpath.recommenders import causal as causal_module
from influpath.recommenders import gru4rec as gru4rec_module
from influpath.recommenders import neural
from influpath.recommenders.base import Recommender
from influpath.recommenders.bert4rec import BERT4Rec
from influpath.recommenders.caser import Caser
from influpath.recommenders.gru4rec import MINI_BATCH, GRU4Rec, mini_batches
from influpath.recommenders.neural import NeuralRecommender, NextItemTask, Windows
from influpath.recommenders.ranking import target_ranks
from influpath.recommenders.sasrec import SASRec
from influpath.testing import RecommenderConformance, tiny_dataset
from influpath.training import loop

TRAINING: dict[str, Any] = {"epochs": 2, "learning_rate": 1e-2, "validate_every": 2}
SIZES: dict[str, Any] = {"embedding_size": 12, "batch_tokens": 256, "training": TRAINING}
GRU: dict[str, Any] = {**SIZES, "hidden_size": 16, "max_length": 8}
CASER: dict[str, Any] = {**SIZES, "horizontal": 4, "vertical": 2}
ITEMS = 15


class TestGRU4Rec(RecommenderConformance):
    recommender = GRU4Rec
    settings: ClassVar[dict[str, Any]] = {**GRU, "layers": 2}


class TestGRU4RecBPRMax(RecommenderConformance):
    recommender = GRU4Rec
    settings: ClassVar[dict[str, Any]] = {**GRU, "loss": "bpr-max", "negatives": 5}


class TestCaser(RecommenderConformance):
    recommender = Caser
    settings: ClassVar[dict[str, Any]] = CASER


class TestCaserBCE(RecommenderConformance):
    recommender = Caser
    settings: ClassVar[dict[str, Any]] = {**CASER, "loss": "bce"}


class TestSASRecBCE(RecommenderConformance):
    recommender = SASRec
    settings: ClassVar[dict[str, Any]] = {**SIZES, "max_length": 8, "loss": "bce"}


def walk(start: int, length: int) -> list[int]:
    """Walk the ring of items in steps of 4: the next item follows from the last one alone."""
    return [(start + 4 * step) % ITEMS + 1 for step in range(length)]


@pytest.fixture(scope="module")
def ring() -> Dataset:
    # Seven of fifteen items each, so that everybody has unseen ones.
    ids = [f"i{n}" for n in range(ITEMS)]
    return Dataset(
        name="ring",
        preset="custom",
        sequences=Sequences.from_rows([walk(user, 5 + user % 3) for user in range(90)]),
        users=IdMap(range(90), 0, "user"),
        items=IdMap(ids, 1, "item"),
        catalogue=pl.DataFrame({"item_id": ids, "title": None, "genres": None}),
    )


SASREC_BCE: dict[str, Any] = {"loss": "bce", "negatives": 4, "blocks": 1, "batch_tokens": 64}
LEARNERS: list[tuple[type[NeuralRecommender], int, dict[str, Any]]] = [
    (GRU4Rec, 10, {}),
    (GRU4Rec, 10, {"loss": "sampled-softmax", "negatives": 8}),
    (GRU4Rec, 10, {"loss": "top1", "negatives": 8}),
    (GRU4Rec, 10, {"loss": "bpr-max", "negatives": 8, "score_penalty": 0.1}),
    (Caser, 5, {}),
    # One target, since on the ring all three would be equally good answers.
    (Caser, 12, {"loss": "bce", "targets": 1}),
    (SASRec, 20, SASREC_BCE),
]


@pytest.mark.parametrize(
    ("recommender", "epochs", "loss"),
    LEARNERS,
    ids=[f"{cls.name}-{settings.get('loss', 'softmax')}" for cls, _, settings in LEARNERS],
)
def test_a_deterministic_ring_is_learned(
    ring: Dataset, recommender: type[Recommender], epochs: int, loss: dict[str, Any]
) -> None:
    config: dict[str, Any] = {
        "embedding_size": 16,
        "batch_tokens": 128,
        "max_length": 6,
        "dropout": 0.0,
        "training": {"epochs": epochs, "learning_rate": 2e-2, "validate_every": epochs},
    }
    model = recommender(**config | loss).fit(ring)
    histories = Sequences.from_rows([walk(start, 1 + start % 6) for start in range(ITEMS)])
    expected = [walk(start, 2 + start % 6)[-1] for start in range(ITEMS)]
    # Seen items are left out: the binary losses never had them as negatives.
    ranks = target_ranks(model.log_probs(histories), histories, np.array(expected))
    assert (1 / ranks).mean() >= 0.85
    assert model.history["epochs"][-1]["loss"] < model.history["epochs"][0]["loss"]


@pytest.fixture(scope="module", params=[1, 2], ids=["one layer", "two layers"])
def gru(request: pytest.FixtureRequest) -> GRU4Rec:
    return GRU4Rec(**GRU, layers=request.param).fit(tiny_dataset())


@pytest.mark.parametrize("tokens", [1, 60, 1 << 16])
def test_looking_ahead_and_reading_equal_the_generic_answer(
    gru: GRU4Rec, monkeypatch: pytest.MonkeyPatch, tokens: int
) -> None:
    rng = np.random.default_rng(1)
    # Below, at and beyond the window of 8, and where its start moves with the next item.
    lengths = (0, 1, 7, 8, 9, 10, 11, 23, 5)
    histories = Sequences.from_rows([rng.integers(1, 25, size=n) for n in lengths])
    paths = Sequences.from_rows([rng.integers(1, 25, size=n) for n in (3, 0, 9, 1, 4, 2, 0, 8, 20)])
    candidates, targets = rng.integers(1, 25, size=(9, 5)), rng.integers(1, 25, size=9)
    ahead = Recommender.log_prob_after(gru, histories, candidates, targets)
    vectors = Recommender.user_vectors_after(gru, histories, candidates)
    generic = in_order(Recommender.read_paths(gru, histories, paths))
    monkeypatch.setattr(causal_module, "ENCODE_TOKENS", tokens)
    found = gru.log_prob_after(histories, candidates, targets)
    torch.testing.assert_close(found, ahead, atol=1e-5, rtol=0)
    found = gru.user_vectors_after(histories, candidates)
    torch.testing.assert_close(found, vectors, atol=1e-5, rtol=0)
    places, read = in_order(gru.read_paths(histories, paths))
    assert places == generic[0] == [(r, s) for r in range(9) for s in range(paths.lengths[r] + 1)]
    torch.testing.assert_close(read, generic[1], atol=1e-5, rtol=0)


def in_order(chunks: Iterable[Any]) -> tuple[list[tuple[int, int]], torch.Tensor]:
    """What was read, by row and step."""
    rows, steps, log_probs = (list(parts) for parts in zip(*chunks, strict=True))
    row, step = np.concatenate(rows), np.concatenate(steps)
    order = np.lexsort((step, row))
    places = list(zip(row[order].tolist(), step[order].tolist(), strict=True))
    return places, torch.cat(log_probs)[torch.from_numpy(order)]


def test_looking_ahead_is_one_step_of_the_recurrence(
    gru: GRU4Rec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The window is encoded once however many candidates there are."""
    shapes: list[tuple[int, ...]] = []
    original = torch.nn.GRU.forward

    def counted(self: Any, x: torch.Tensor, *state: torch.Tensor) -> Any:
        shapes.append(tuple(x.shape[:2]))
        return original(self, x, *state)

    monkeypatch.setattr(torch.nn.GRU, "forward", counted)
    history = Sequences.from_rows([[3, 4, 5, 6]])
    gru.log_prob_after(history, np.arange(1, 21)[None], np.array([9]))
    assert sorted(set(shapes)) == [(1, 5), (20, 1)]
    assert len(shapes) == 2 * len(gru.module.layers)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_mini_batches_hold_every_position_once(lengths: list[int]) -> None:
    total = sum(lengths)
    items = Sequences.from_lengths(np.arange(1, total + 1), np.array(lengths))
    place, real = mini_batches(Windows(items, np.arange(len(lengths))))
    assert place.shape == real.shape
    assert place.shape[1] == min(MINI_BATCH, total)
    assert sorted(place[real].tolist()) == list(range(total))
    assert int((~real).sum()) < place.shape[1]
    # Neighbours stand at the same place of different windows, wherever enough windows go on.
    at = np.concatenate([np.arange(length) for length in lengths])
    assert at[place[real].numpy()].tolist() == sorted(at.tolist())


def test_targets_are_never_their_own_negatives(
    ring: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under every sampled loss of GRU4Rec; all other items of the mini-batch count."""
    model = GRU4Rec(**GRU, loss="sampled-softmax", negatives=3)
    model._items, model._users = ring.items, ring.users
    model.module = model._build()
    seen: list[torch.Tensor] = []

    def kept(positive: torch.Tensor, negative: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        seen.append(valid)
        return positive.sum()

    monkeypatch.setattr(gru4rec_module, "sampled_softmax", kept)
    task, rng = NextItemTask(model, ring), np.random.default_rng(0)
    batch = task.batches(rng)[0]
    _, target = model._supervised(batch, rng)
    task.loss(batch, rng)
    place, real = mini_batches(batch)
    (valid,) = seen
    rows = iter(valid)
    for positions, exists in zip(place, real, strict=True):
        group = target[positions]
        for own in range(len(positions)):
            if exists[own]:
                in_batch = next(rows)[: len(positions)]
                assert in_batch.tolist() == ((group != group[own]) & exists).tolist()
    assert next(rows, None) is None


@pytest.mark.parametrize("loss", ["softmax", "bce"])
def test_caser_windows_supervise_every_position(loss: str) -> None:
    model = Caser(embedding_size=8, max_length=3, loss=loss, targets=2)
    rows = [[11, 12, 13, 14, 15], [], [7], [8, 9]]
    windows = model._windows(Sequences.from_rows(rows), np.random.default_rng(0))
    found = [
        (int(user), windows.items.row(row).tolist()) for row, user in enumerate(windows.users_B)
    ]
    if loss == "softmax":
        assert found == [
            *[(0, [11]), (0, [11, 12]), (0, [11, 12, 13]), (0, [11, 12, 13, 14])],
            *[(0, [12, 13, 14, 15]), (2, [7]), (3, [8]), (3, [8, 9])],
        ]
    else:
        assert found == [
            *[(0, [11, 12]), (0, [11, 12, 13]), (0, [11, 12, 13, 14]), (0, [11, 12, 13, 14, 15])],
            *[(2, [7]), (3, [8, 9])],
        ]


@pytest.mark.parametrize("loss", ["softmax", "bce"])
def test_caser_states_are_those_of_prediction(tiny: Dataset, loss: str) -> None:
    """What a window trains is what ``log_probs`` asks: same items before, same user."""
    model = Caser(embedding_size=8, max_length=3, dropout=0.0, loss=loss)
    model._items, model._users = tiny.items, tiny.users
    model.module = model._build()
    rng = np.random.default_rng(0)
    windows = model._windows(tiny.sequences, rng)
    with torch.no_grad():
        hidden, target = model._supervised(windows, rng)
    first = 1 if loss == "softmax" else 3
    before, users, expected = [], [], []
    for user in range(len(tiny.users)):
        row = tiny.sequences.row(user).tolist()
        for stop in range(min(first, len(row)), len(row) + 1):
            for item in row[max(0, stop - first) : stop]:
                before.append(row[: max(0, stop - first)])
                users.append(user)
                expected.append(item)
    assert target.tolist() == expected
    with torch.no_grad():
        encoded = model._encode(Sequences.from_rows(before), np.array(users))
    torch.testing.assert_close(hidden, encoded, atol=1e-6, rtol=0)


def test_caser_knows_its_users_and_gives_others_the_mean(tiny: Dataset) -> None:
    model = Caser(**CASER).fit(tiny)
    histories = Sequences.from_rows([[3, 4, 5]] * 3)
    found = model.log_probs(histories, np.array([0, 1, -1]))
    assert (found[0] - found[1]).abs().max() > 1e-3
    assert torch.equal(found[2], model.log_probs(histories)[0])
    with torch.no_grad():
        model.module.user.weight[:] = model.module.user.weight.mean(0)
    everyone = model.log_probs(histories, np.array([0, 1, -1]))
    torch.testing.assert_close(everyone, found[2:].expand(3, -1), atol=1e-5, rtol=0)


def test_caser_sees_the_last_items_alone(tiny: Dataset) -> None:
    model = Caser(**CASER, max_length=3).fit(tiny)
    one, other, shorter = model.log_probs(
        Sequences.from_rows([[9, 9, 9, 1, 2, 3], [8, 1, 2, 3], [2, 3]])
    )
    torch.testing.assert_close(one, other, atol=1e-6, rtol=0)
    assert (one - shorter).abs().max() > 1e-4


@pytest.mark.parametrize("recommender", [SASRec, Caser], ids=["sasrec", "caser"])
def test_binary_losses_are_their_formula(
    tiny: Dataset, recommender: type[NeuralRecommender], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each target against its own negatives, which its user never had; mean over targets."""
    model = recommender(embedding_size=8, max_length=4, dropout=0.0, loss="bce", negatives=2)
    model._items, model._users = tiny.items, tiny.users
    model.module = model._build()
    task, rng = NextItemTask(model, tiny), np.random.default_rng(0)
    drawn: list[Any] = []
    original = task.negatives.unseen

    def kept(users: Any, count: int, rng: np.random.Generator) -> Any:
        drawn.append((users, original(users, count, rng)))
        return drawn[-1][1]

    monkeypatch.setattr(task.negatives, "unseen", kept)
    batch = task.batches(rng)[0]
    hidden, target = model._supervised(batch, rng)
    loss, count = task.loss(batch, rng)
    ((users, negatives),) = drawn
    assert count == len(target) == len(users)
    assert negatives.shape == (count, 2)
    weight, bias = model._output()
    assert bias is not None
    total = 0.0
    for n in range(count):
        had = tiny.sequences.row(int(users[n])).tolist()
        assert int(target[n]) in had
        assert not set(negatives[n].tolist()) & set(task.sequences.row(int(users[n])).tolist())
        logits = weight @ hidden[n] + bias
        total -= torch.nn.functional.logsigmoid(logits[target[n] - 1]).item()
        total -= torch.nn.functional.logsigmoid(-logits[negatives[n] - 1]).sum().item()
    assert loss.item() == pytest.approx(total / count, rel=1e-5)


def test_training_windows_know_their_users(tiny: Dataset) -> None:
    model = SASRec(embedding_size=8, max_length=4)
    sequences = Sequences.from_rows([[], *(tiny.sequences.row(r) for r in range(6)), [], []])
    windows = model._windows(sequences, np.random.default_rng(0))
    for row, user in enumerate(windows.users_B.tolist()):
        text = ",".join(map(str, sequences.row(user)))
        assert ",".join(map(str, windows.items.row(row))) in text
    assert np.array_equal(np.unique(windows.users_B), np.arange(1, 7))
    assert np.bincount(windows.users_B, windows.items.lengths, 9).tolist() == [
        *sequences.lengths.tolist()
    ]


def test_validation_tells_caser_its_users(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    original = Caser.log_probs

    def kept(self: Caser, histories: Sequences, users: Any = None) -> torch.Tensor:
        asked.append(users)
        return original(self, histories, users)

    monkeypatch.setattr(Caser, "log_probs", kept)
    model = Caser(**CASER).fit(tiny)
    assert asked[0].tolist() == NextItemTask(model, tiny).validation.users_R.tolist()


@pytest.mark.parametrize(
    ("recommender", "loss"), [(SASRec, "top1"), (Caser, "bpr-max"), (GRU4Rec, "bce")]
)
def test_losses_of_other_models_are_refused(recommender: type[Recommender], loss: str) -> None:
    with pytest.raises(ConfigError, match=f"loss.*given: '{loss}'"):
        recommender(loss=loss)


@pytest.mark.parametrize(
    ("recommender", "heads", "message"),
    [
        (GRU4Rec, 2, "heads: Extra inputs"),
        (Caser, 2, "heads: Extra inputs"),
        (SASRec, 3, "heads must divide embedding_size"),
        (BERT4Rec, 3, "heads must divide embedding_size"),
    ],
)
def test_heads_belong_to_transformers(
    recommender: type[Recommender], heads: int, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        recommender(heads=heads)


@pytest.mark.parametrize("fitted_before", [False, True])
def test_a_failed_fit_leaves_no_model(
    tiny: Dataset, monkeypatch: pytest.MonkeyPatch, fitted_before: bool
) -> None:
    model = Caser(**CASER)
    if fitted_before:
        model.fit(tiny)

    def fail(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(neural, "train", fail)
    with pytest.raises(KeyboardInterrupt):
        model.fit(tiny)
    with pytest.raises(NotFittedError, match="not trained yet"):
        model.log_probs(tiny.sequences)
    with pytest.raises(NotFittedError, match="not trained yet"):
        _ = model.trained_on
    assert model.history == {}


@pytest.mark.parametrize("place", ["loss", "validation"])
def test_a_training_that_diverges_says_so(
    tiny: Dataset, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def broken(model: SASRec, *args: Any) -> torch.Tensor:
        weight, _ = model._output()
        return (weight * torch.nan).sum()

    if place == "loss":
        monkeypatch.setattr(SASRec, "_loss", broken)
    else:
        # The last step of an epoch spoils the weights: no later loss shows it.
        monkeypatch.setattr(
            loop, "clip_gradients", lambda p, _: [q.data.fill_(torch.nan) for q in p]
        )
    model = SASRec(embedding_size=8, max_length=30, batch_tokens=100_000, training={"epochs": 1})
    with pytest.raises(InfluPathError, match=r"sasrec: the training diverged .*learning_rate") as e:
        model.fit(tiny)
    assert str(e.value).endswith("(now 0.001).")
    with pytest.raises(NotFittedError):
        model.save("never written")
