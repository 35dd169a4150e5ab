"""The compiled kernels of layers, and their gradients, are those of PyTorch."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from influpath.native import layers, operators

pytestmark = pytest.mark.skipif(operators.usable() is None, reason="no C compiler here")

shapes = st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 70))
seeds = st.integers(0, 2**20)
Function = Callable[..., Tensor]


def agree(one: Function, other: Function, leaves: list[Tensor], upstream: Tensor) -> None:
    """Check values and the gradients of every leaf."""
    results = []
    for function in (one, other):
        found = function(*leaves)
        results.append([found, *torch.autograd.grad(found, leaves, upstream)])
    for ours, wanted in zip(*results, strict=True):
        torch.testing.assert_close(ours, wanted, atol=5e-5, rtol=2e-5)


def leaf(rng: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=rng).requires_grad_()


@settings(deadline=None, max_examples=60)
@given(shape=shapes, offset=st.sampled_from([0.0, 30.0]), seed=seeds)
def test_layer_norm(shape: tuple[int, int, int], offset: float, seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    x, weight, bias, upstream = (leaf(rng, *each) for each in (shape, shape[2:], shape[2:], shape))
    x = (x.detach() + offset).requires_grad_()
    # Features that are all the same have no direction, and gradients beyond all bounds.
    eps = 1e-5 if shape[2] > 4 else 0.1

    def wanted(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        exact = F.layer_norm(x.double(), shape[2:], weight.double(), bias.double(), eps)
        return exact.float()

    def ours(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return layers.layer_norm(x, weight, bias, eps)

    agree(ours, wanted, [x, weight, bias], upstream.detach())


@settings(deadline=None, max_examples=60)
@given(shape=shapes, seed=seeds)
def test_gelu(shape: tuple[int, int, int], seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    x, bias, upstream = (leaf(rng, *each) for each in (shape, shape[2:], shape))
    x = (x.detach() * 4).requires_grad_()
    upstream = upstream.detach()
    agree(layers.gelu, lambda x, bias: F.gelu(x + bias, approximate="tanh"), [x, bias], upstream)
    agree(layers.gelu, lambda x: F.gelu(x, approximate="tanh"), [x], upstream)


def test_gelu_far_from_zero() -> None:
    big = torch.tensor([[-1e4, 1e4]]).requires_grad_()
    y = layers.gelu(big)
    assert y.tolist()[0] == pytest.approx([0.0, 1e4])
    assert torch.autograd.grad(y.sum(), big)[0].tolist()[0] == pytest.approx([0.0, 1.0])


@settings(deadline=None, max_examples=60)
@given(shape=shapes, masked=st.booleans(), seed=seeds)
def test_adding(shape: tuple[int, int, int], masked: bool, seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    x, features, bias = (leaf(rng, *each) for each in (shape, shape, shape[2:]))
    mask = (torch.rand(shape, generator=rng) > 0.3).float() / 0.7 if masked else None
    agree(
        lambda x, features, bias: layers.add(x, features, bias, mask),
        lambda x, features, bias: x + (features + bias) * (1.0 if mask is None else mask),
        [x, features, bias],
        leaf(rng, *shape).detach(),
    )


def test_inputs_may_lie_anyhow() -> None:
    rng = torch.Generator().manual_seed(4)
    x, weight, bias = leaf(rng, 5, 3, 7), leaf(rng, 5), leaf(rng, 5)
    upstream = leaf(rng, 7, 3, 5).detach()
    agree(
        lambda x, weight, bias: layers.layer_norm(x.permute(2, 1, 0), weight, bias, 1e-5),
        lambda x, weight, bias: F.layer_norm(x.permute(2, 1, 0), (5,), weight, bias),
        [x, weight, bias],
        upstream,
    )
