"""A batch in shards is the same batch: same loss, same gradients, the same bits on any threads."""

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from influpath.data.dataset import Dataset
from influpath.irn.model import IRN
from influpath.recommenders.base import Recommender
from influpath.recommenders.bert4rec import BERT4Rec
from influpath.recommenders.caser import Caser
from influpath.recommenders.gru4rec import GRU4Rec
from influpath.recommenders.sasrec import SASRec
from influpath.training import shards
from influpath.training.batches import even_parts
from influpath.training.randomness import drawing_from, random_words
from influpath.training.shards import Team, shard_count, team

SIZES: dict[str, Any] = {"embedding_size": 12, "training": {"epochs": 2}}
WINDOW: dict[str, Any] = {"l_max": 10, "l_min": 3, "horizon": 4, "item2vec": False}
MODELS: list[tuple[type[Recommender], dict[str, Any]]] = [
    (IRN, {**WINDOW, "heads": 2}),
    (SASRec, {"heads": 2}),
    (BERT4Rec, {"heads": 2}),
    (GRU4Rec, {}),
    (Caser, {}),
]


@pytest.fixture
def threads() -> Iterator[None]:
    """Put the number of threads back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def histories(tiny: Dataset, count: int, monkeypatch: pytest.MonkeyPatch, **more: Any) -> list[Any]:
    """Return every model's history on so many threads, its batches being cut."""
    monkeypatch.setattr(shards, "SHARD_POSITIONS", 20)
    torch.set_num_threads(count)
    results = []
    for kind, settings in MODELS:
        model = kind(**SIZES, **settings, **more).fit(tiny)
        assert torch.get_num_threads() == count
        losses = [{**epoch, "seconds": 0} for epoch in model.history["epochs"]]
        results.append((losses, model._weights()))
    return results


@pytest.mark.usefixtures("threads")
def test_the_same_bits_on_any_number_of_threads(
    tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dropout included: what a shard draws does not depend on who computes it."""
    one, two, three = (histories(tiny, count, monkeypatch) for count in (1, 2, 3))
    for first, second, third in zip(one, two, three, strict=True):
        assert first[0] == second[0] == third[0]
        for name, weights in first[1].items():
            assert torch.equal(weights, second[1][name]), name
            assert torch.equal(weights, third[1][name]), name


@pytest.mark.usefixtures("threads")
def test_shards_together_are_the_batch(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without chance the losses of a training agree to 1e-5 with those of whole batches."""
    chance = {"dropout": 0.0}
    cut = histories(tiny, 1, monkeypatch, **chance)
    monkeypatch.setattr(shards, "SHARDS", 1)
    whole = histories(tiny, 1, monkeypatch, **chance)
    for (kind, _), (some, _), (all_, _) in zip(MODELS, cut, whole, strict=True):
        if kind in (SASRec, GRU4Rec, Caser):
            # What others draw (hidden objectives, masks) comes from the generator of the shard.
            for one, other in zip(some, all_, strict=True):
                assert one["loss"] == pytest.approx(other["loss"], rel=1e-5)


def linear_team(pool: Any = None) -> tuple[nn.Linear, Team]:
    module = nn.Linear(3, 2)
    with torch.no_grad():
        module.weight.copy_(torch.arange(6.0).view(2, 3))
        module.bias.zero_()
    return module, Team(list(module.parameters()), nullcontext, pool)


def squares(module: nn.Linear) -> Any:
    def loss(rows: Tensor, rng: np.random.Generator) -> tuple[Tensor, int]:
        return module(rows).square().mean() if len(rows) else module.weight.sum() * 0, len(rows)

    return loss


def test_gradients_are_weighted_by_positions() -> None:
    rows = torch.randn(10, 3, generator=torch.Generator().manual_seed(0))
    module, members = linear_team()
    rng = np.random.default_rng(0)
    value, count = members.differentiate(squares(module), [rows[:7], rows[7:9], rows[9:]], rng)
    found = [weights.grad for weights in module.parameters()]
    whole, number = members.differentiate(squares(module), [rows], rng)
    assert count == number
    assert value == pytest.approx(whole, rel=1e-6)
    for one, weights in zip(found, module.parameters(), strict=True):
        torch.testing.assert_close(one, weights.grad)


def test_shards_without_positions_do_not_count() -> None:
    rows = torch.ones(4, 3)
    module, members = linear_team()
    rng = np.random.default_rng(0)
    some, count = members.differentiate(squares(module), [rows, rows[:0]], rng)
    assert count == 4
    assert some == pytest.approx(float(module(rows).square().mean().detach()))
    assert members.differentiate(squares(module), [rows[:0], rows[:0]], rng) == (0.0, 0)


@pytest.mark.usefixtures("threads")
def test_an_error_in_a_thread_comes_out() -> None:
    torch.set_num_threads(2)

    def broken(rows: Tensor, rng: np.random.Generator) -> tuple[Tensor, int]:
        raise ZeroDivisionError("in a shard")

    module = nn.Linear(3, 2)
    with team(module, nullcontext) as members, pytest.raises(ZeroDivisionError, match="in a shard"):
        members.differentiate(broken, [1, 2], np.random.default_rng(0))
    assert torch.get_num_threads() == 2


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60).map(sorted), st.integers(1, 6))
def test_even_parts_hold_every_row_once(lengths: list[int], count: int) -> None:
    parts = even_parts(np.array(lengths), count)
    assert [row for part in parts for row in range(part.start, part.stop)] == list(
        range(len(lengths))
    )
    assert 1 <= len(parts) <= count
    share = sum(lengths) / count
    assert all(sum(lengths[part]) <= share + 2 * max(lengths) for part in parts)


def test_how_many_shards() -> None:
    assert [shard_count(positions, 1000) for positions in (0, 4000, 5000, 10**6)] == [1, 2, 2, 4]
    # Gradients of a large catalogue are not held several times.
    assert shard_count(10**6, 1 << 25) == 2
    assert shard_count(10**6, 1 << 27) == 1


def test_words_come_from_the_shards_generator() -> None:
    with drawing_from(np.random.default_rng(1)):
        one = random_words(5)
        with drawing_from(np.random.default_rng(2)):
            other = random_words(5)
        rest = random_words(5)
    wanted = np.random.default_rng(1).integers(0, 2**64 - 1, 10, dtype=np.uint64, endpoint=True)
    assert np.array_equal(np.concatenate([one, rest]), wanted)
    assert not np.array_equal(one, other)
    torch.manual_seed(3)
    first = random_words(4)
    torch.manual_seed(3)
    assert np.array_equal(first, random_words(4))
