"""The sampled softmax estimates the whole one: in its sum, its gradients, and what it learns."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from influpath.data.dataset import Dataset
from influpath.data.sequences import Sequences
from influpath.errors import ConfigError
from influpath.irn.model import IRN
from influpath.recommenders.base import Recommender
from influpath.recommenders.bert4rec import BERT4Rec
from influpath.recommenders.bpr import BPR
from influpath.recommenders.caser import Caser
from influpath.recommenders.gru4rec import GRU4Rec
from influpath.recommenders.sasrec import SASRec
from influpath.training import loop
from influpath.training.catalogue_loss import catalogue_loss, rows_of
from influpath.training.loop import Task
from influpath.training.negatives import Negatives, shares


class At:
    """Stands for a generator whose next uniform number is known."""

    def __init__(self, number: float) -> None:
        self.number = number

    def random(self) -> float:
        return self.number


Sample = tuple[Any, Any]


def every_sample(negatives: Negatives, count: int) -> Iterator[tuple[float, Sample]]:
    """Yield every sample there is and its probability: means over them are exact."""
    share_I = share_of(negatives, count)
    ends = np.unique(np.concatenate([[0.0, 1.0], np.cumsum(share_I) % 1.0]))
    for low, high in pairwise(ends):
        at: Any = At((low + high) / 2)
        yield high - low, negatives.sample(count, at)


def share_of(negatives: Negatives, count: int) -> Any:
    return shares(negatives._support_I + 1, min(count, negatives.items))


def zipf(items: int, seed: int, interactions: int = 3000) -> Negatives:
    rng = np.random.default_rng(seed)
    probability = 1 / np.arange(1, items + 1)
    values = rng.choice(items, interactions, p=probability / probability.sum()) + 1
    return Negatives(Sequences.from_rows([values]), items)


@settings(deadline=None, max_examples=60)
@given(
    items=st.integers(1, 60),
    count=st.integers(1, 80),
    interactions=st.integers(1, 500),
    seed=st.integers(0, 2**20),
)
def test_every_item_is_drawn_as_often_as_its_share_says(
    items: int, count: int, interactions: int, seed: int
) -> None:
    negatives = zipf(items, seed, interactions)
    drawn_I, share_I = np.zeros(items), share_of(negatives, count)
    for probability, (numbers, share) in every_sample(negatives, count):
        assert (np.diff(numbers) > 0).all()
        np.testing.assert_array_equal(share, share_I[numbers - 1])
        if probability > 1e-9:
            assert len(numbers) == min(count, items)
        drawn_I[numbers - 1] += probability
    np.testing.assert_allclose(drawn_I, share_I, atol=1e-7)
    assert share_I.sum() == pytest.approx(min(count, items))
    # In proportion to the weights, but for those that are certain.
    ratio = (share_I / (negatives._support_I + 1))[share_I < 1]
    assert ratio.size == 0 or ratio.max() == pytest.approx(ratio.min())


def output(items: int, width: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(items, width, generator=generator).requires_grad_()
    return weight, torch.randn(items, generator=generator).requires_grad_()


def loss_of(hidden: Tensor, target: Tensor, layer: Any, sample: Any = None) -> Tensor:
    return catalogue_loss(
        hidden, target, lambda: layer, lambda items: rows_of(layer, items), sample
    )


@settings(deadline=None, max_examples=40)
@given(items=st.integers(1, 30), positions=st.integers(1, 20), seed=st.integers(0, 2**20))
def test_a_sample_of_all_items_is_the_catalogue(items: int, positions: int, seed: int) -> None:
    layer = output(items, 4, seed)
    hidden = torch.randn(positions, 4, generator=torch.Generator().manual_seed(seed + 1))
    target = torch.randint(1, items + 1, (positions,))
    sample = zipf(items, seed).sample(items, np.random.default_rng(seed))
    leaves = (hidden.requires_grad_(), *layer)
    whole, sampled = loss_of(hidden, target, layer), loss_of(hidden, target, layer, sample)
    torch.testing.assert_close(sampled, whole, atol=1e-5, rtol=1e-5)
    found = [gradient.to_dense() for gradient in torch.autograd.grad(sampled, leaves)]
    torch.testing.assert_close(
        found, list(torch.autograd.grad(whole, leaves)), atol=1e-5, rtol=1e-4
    )


@pytest.mark.parametrize("target", [1, 17, 50])
@pytest.mark.parametrize("count", [1, 5, 30])
def test_the_estimated_sum_is_unbiased(target: int, count: int) -> None:
    """exp(loss + z_t) is the estimate of sum_i exp z_i: right on average, for any size."""
    layer, negatives = output(50, 4, 1), zipf(50, 2)
    hidden = torch.randn(1, 4, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        logits = F.linear(hidden, *layer)[0].double()
        mean = sum(
            probability
            * (loss_of(hidden, torch.tensor([target]), layer, sample) + logits[target - 1]).exp()
            for probability, sample in every_sample(negatives, count)
        )
    assert float(mean) == pytest.approx(float(logits.exp().sum()), rel=1e-4)


def test_the_loss_approaches_the_whole_one() -> None:
    layer, negatives = output(200, 8, 4), zipf(200, 5)
    generator = torch.Generator().manual_seed(6)
    hidden = torch.randn(32, 8, generator=generator)
    target = torch.randint(1, 201, (32,), generator=generator)
    with torch.no_grad():
        whole = float(loss_of(hidden, target, layer))
        errors = [
            sum(
                probability * (float(loss_of(hidden, target, layer, sample)) - whole)
                for probability, sample in every_sample(negatives, count)
            )
            for count in (10, 50, 150)
        ]
    # Below the whole loss by Jensen's inequality, ever less.
    assert errors[0] < errors[1] < errors[2] < 0
    assert errors[2] > -0.02 * whole


def mean_gradient(corrected: bool) -> tuple[Any, Any]:
    """Return the mean gradient of the biases at the true probabilities, and those."""
    items = 40
    negatives = zipf(items, 7, interactions=20_000)
    probability = negatives._support_I / negatives._support_I.sum()
    bias = torch.from_numpy(np.log(probability)).float().requires_grad_()
    layer = torch.zeros(items, 1), bias
    target = torch.from_numpy(negatives.sequences.values)
    total = np.zeros(items)
    for chance, (numbers, share) in every_sample(negatives, 20):
        sample = numbers, share if corrected else np.ones_like(share)
        loss = loss_of(torch.zeros(len(target), 1), target, layer, sample)
        total += chance * torch.autograd.grad(loss, bias)[0].numpy()
    return total, probability


def test_without_the_correction_popular_items_are_held_down() -> None:
    """Where the model is right nothing should change; uncorrected, what is often drawn is."""
    gradient, probability = mean_gradient(corrected=True)
    wrong, _ = mean_gradient(corrected=False)
    assert np.abs(gradient).sum() < 0.05
    assert np.abs(wrong).sum() > 4 * np.abs(gradient).sum()
    # Relative to its probability a popular item is pushed down, a rare one up.
    popular, rare = probability.argsort()[::-1][:5], probability.argsort()[:20]
    assert (wrong / probability)[popular].mean() > 0 > (wrong / probability)[rare].mean()


SIZES: dict[str, Any] = {"embedding_size": 8, "dropout": 0.0}
MODELS: list[tuple[type[Recommender], dict[str, Any]]] = [
    (SASRec, {"heads": 2}),
    (GRU4Rec, {}),
    (BERT4Rec, {"heads": 2}),
    (Caser, {}),
    (IRN, {"heads": 2, "l_max": 10, "l_min": 3, "horizon": 4, "item2vec": False}),
    (IRN, {"heads": 2, "l_max": 10, "l_min": 3, "horizon": 4, "item2vec": False, "tied": False}),
]
every_model = pytest.mark.parametrize(
    ("recommender", "config"),
    MODELS,
    ids=["sasrec", "gru4rec", "bert4rec", "caser", "irn", "irn-untied"],
)


class CaughtError(Exception):
    """Ends a training that was only begun for its task."""


def task_of(model: Recommender, data: Dataset, monkeypatch: pytest.MonkeyPatch) -> Task:
    """Return what a model gives to the training loop."""
    tasks: list[Task] = []

    def run_epoch(task: Task, *rest: Any) -> float:
        tasks.append(task)
        # The model forgets its items after a failed training; the task still needs them.
        model._items, model._users = data.items, data.users
        raise CaughtError

    monkeypatch.setattr(loop, "run_epoch", run_epoch)
    with pytest.raises(CaughtError):
        model.fit(data)
    model._items, model._users = data.items, data.users
    return tasks[0]


@every_model
def test_every_neural_model_samples(
    tiny: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    recommender: type[Recommender],
    config: dict[str, Any],
) -> None:
    """With a sample of all items loss and gradients are those of the whole softmax."""
    found: list[list[Tensor]] = []
    for sample in (0, len(tiny.items), 5):
        model = recommender(**{**SIZES, **config}, training={"softmax_sample": sample})
        task = task_of(model, tiny, monkeypatch)
        batch = task.batches(np.random.default_rng(0))[0]
        loss, count = task.loss(batch, np.random.default_rng(1))
        assert count > 0
        loss.backward()  # type: ignore[no-untyped-call]
        gradients = [each.grad for each in task.module.parameters() if each.grad is not None]
        assert sample == 0 or any(gradient.is_sparse for gradient in gradients)
        found.append([loss.detach(), *(gradient.to_dense() for gradient in gradients)])
    whole, same, other = found
    torch.testing.assert_close(same, whole, atol=1e-5, rtol=1e-4)
    assert not torch.equal(other[0], whole[0])


@pytest.mark.parametrize(
    ("recommender", "settings"), [(SASRec, {"loss": "bce"}), (GRU4Rec, {"loss": "top1"}), (BPR, {})]
)
def test_sampling_what_is_no_softmax_is_an_error(
    recommender: type[Recommender], settings: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match="softmax_sample"):
        recommender(**settings, training={"softmax_sample": 10})
