"""The sampled losses are their formulas, and negatives are drawn from what they should be."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from influpath.data.sequences import Sequences
from influpath.training.negatives import Negatives
from influpath.training.sampled_losses import (
    binary_cross_entropy,
    bpr_max,
    sampled_softmax,
    top1,
)

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def naive_bce(r: float, others: list[float]) -> float:
    return -math.log(sigmoid(r)) - sum(math.log(1 - sigmoid(o)) for o in others)


def naive_top1(r: float, others: list[float]) -> float:
    if not others:
        return 0.0
    return sum(sigmoid(o - r) + sigmoid(o * o) for o in others) / len(others)


def naive_bpr_max(r: float, others: list[float], penalty: float) -> float:
    if not others:
        return 0.0
    weights = [math.exp(o) / sum(map(math.exp, others)) for o in others]
    hit = sum(w * sigmoid(r - o) for w, o in zip(weights, others, strict=True))
    return -math.log(hit) + penalty * sum(w * o * o for w, o in zip(weights, others, strict=True))


def naive_softmax(r: float, others: list[float]) -> float:
    return -math.log(math.exp(r) / (math.exp(r) + sum(map(math.exp, others))))


LOSSES: list[tuple[Loss, Callable[[float, list[float]], float]]] = [
    (binary_cross_entropy, naive_bce),
    (top1, naive_top1),
    (partial(bpr_max, penalty=0.0), partial(naive_bpr_max, penalty=0.0)),
    (partial(bpr_max, penalty=0.7), partial(naive_bpr_max, penalty=0.7)),
    (sampled_softmax, naive_softmax),
]
every_loss = pytest.mark.parametrize(
    ("loss", "naive"), LOSSES, ids=["bce", "top1", "bpr-max", "bpr-max-penalty", "softmax"]
)
LOGIT = st.floats(-6, 6, width=32)


@every_loss
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_equals_a_naive_loop(
    loss: Loss, naive: Callable[[float, list[float]], float], data: st.DataObject
) -> None:
    count = data.draw(st.integers(0, 4))
    row = st.tuples(
        LOGIT,
        st.lists(LOGIT, min_size=count, max_size=count),
        st.lists(st.booleans(), min_size=count, max_size=count),
    )
    rows = data.draw(st.lists(row, min_size=1, max_size=5))
    positive = torch.tensor([r for r, _, _ in rows], dtype=torch.float64)
    negative = torch.tensor([o for _, o, _ in rows], dtype=torch.float64).reshape(len(rows), count)
    valid = torch.tensor([v for _, _, v in rows], dtype=torch.bool).reshape(len(rows), count)
    expected = [
        naive(r, [o for o, kept in zip(others, mask, strict=True) if kept])
        for r, others, mask in rows
    ]
    found = loss(positive, negative, valid)
    assert found.shape == ()
    assert found.item() == pytest.approx(sum(expected) / len(rows), rel=1e-9, abs=1e-12)


def test_by_hand() -> None:
    half = math.log(2)
    zero, two, all_valid = torch.zeros(1), torch.zeros(1, 2), torch.ones(1, 2, dtype=torch.bool)
    assert binary_cross_entropy(zero, two, all_valid).item() == pytest.approx(3 * half)
    assert top1(zero, two, all_valid).item() == pytest.approx(1.0)
    assert bpr_max(zero, two, all_valid).item() == pytest.approx(half)
    assert sampled_softmax(zero, two, all_valid).item() == pytest.approx(math.log(3))
    # One negative of logit 2 against a target of logit 1.
    one, other = torch.tensor([1.0]), torch.tensor([[2.0, 50.0]])
    first = torch.tensor([[True, False]])
    found = {
        "bce": binary_cross_entropy(one, other, first).item(),
        "top1": top1(one, other, first).item(),
        "bpr-max": bpr_max(one, other, first, penalty=0.5).item(),
        "softmax": sampled_softmax(one, other, first).item(),
    }
    assert found == pytest.approx(
        {"bce": 2.440190, "top1": 1.713072, "bpr-max": 3.313262, "softmax": 1.313262}, abs=1e-6
    )


@every_loss
def test_gradients_flow_and_what_is_barred_gets_none(loss: Loss, naive: Any) -> None:
    generator = torch.Generator().manual_seed(0)
    positive = torch.randn(5, generator=generator, dtype=torch.float64).requires_grad_()
    negative = torch.randn(5, 4, generator=generator, dtype=torch.float64).requires_grad_()
    valid = torch.rand(5, 4, generator=generator) < 0.6
    valid[0] = True
    valid[1] = False
    assert torch.autograd.gradcheck(lambda p, n: loss(p, n, valid), (positive, negative))
    d_positive, d_negative = torch.autograd.grad(
        loss(positive, negative, valid), [positive, negative]
    )
    assert not d_negative[~valid].any()
    assert (d_negative[0] != 0).all()
    # A higher target is always better.
    assert (d_positive[valid.any(1)] < 0).all()


@every_loss
def test_extreme_logits_stay_finite(loss: Loss, naive: Any) -> None:
    positive = torch.tensor([80.0, -80.0, 0.0]).requires_grad_()
    negative = torch.tensor([[-90.0, 90.0], [90.0, 70.0], [0.0, -90.0]]).requires_grad_()
    value = loss(positive, negative, torch.tensor([[True, True], [True, False], [True, True]]))
    assert torch.isfinite(value)
    for gradient in torch.autograd.grad(value, [positive, negative]):
        assert torch.isfinite(gradient).all()


@every_loss
def test_no_positions_are_no_loss(loss: Loss, naive: Any) -> None:
    empty = torch.zeros(0, 3)
    assert loss(torch.zeros(0), empty, empty > 0).item() == 0.0


ROWS = st.lists(st.lists(st.integers(1, 7), max_size=9), min_size=1, max_size=6)


@settings(deadline=None, max_examples=40)
@given(rows=ROWS, seed=st.integers(0, 2**20))
def test_unseen_negatives_are_exactly_the_unseen_items(rows: list[list[int]], seed: int) -> None:
    negatives = Negatives(Sequences.from_rows(rows), items=7)
    users = np.random.default_rng(seed).integers(len(rows), size=5)
    drawn = negatives.unseen(users, 60, np.random.default_rng(seed))
    assert drawn.shape == (5, 60)
    again = negatives.unseen(users, 60, np.random.default_rng(seed))
    assert np.array_equal(drawn, again)
    for user, items in zip(users.tolist(), drawn.tolist(), strict=True):
        unseen = set(range(1, 8)) - set(rows[user])
        # 60 draws miss one of at most 7 equally likely items once in 10,000 times.
        assert set(items) <= (unseen or {0})
        assert len(set(items)) >= len(unseen or {0}) - 1


def test_unseen_negatives_are_uniform() -> None:
    negatives = Negatives(Sequences.from_rows([[2, 2, 5], [], [1, 2, 3, 4, 5, 6]]), items=6)
    rng = np.random.default_rng(0)
    drawn = negatives.unseen(np.array([0, 1, 2]), 24_000, rng)
    shares = [np.bincount(row, minlength=7) / 24_000 for row in drawn]
    assert shares[0] == pytest.approx([0, 0.25, 0, 0.25, 0.25, 0, 0.25], abs=0.015)
    assert shares[1] == pytest.approx([0] + [1 / 6] * 6, abs=0.015)
    assert (drawn[2] == 0).all()


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_popular_negatives_follow_the_support(alpha: float) -> None:
    rows = [[1] * 16, [3] * 4, [4, 4]]
    drawn = Negatives(Sequences.from_rows(rows), items=4).popular(
        (300, 80), alpha, np.random.default_rng(1)
    )
    weights = np.array([16.0, 0.0, 4.0, 2.0]) ** alpha
    shares = np.bincount(drawn.reshape(-1), minlength=5) / drawn.size
    assert drawn.shape == (300, 80)
    assert shares == pytest.approx([0, *(weights / weights.sum())], abs=0.015)
