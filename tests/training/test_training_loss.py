"""The fused loss is ``F.cross_entropy``, in value and in every gradient."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from influpath.training import fused_loss
from influpath.training.fused_loss import fused_cross_entropy


def problem(
    positions: int, width: int, catalogue: int, biased: bool, seed: int, scale: float = 1.0
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return (torch.randn(shape, generator=generator) * scale).requires_grad_()

    target = torch.randint(catalogue, (positions,), generator=generator)
    bias = normal(catalogue) if biased else None
    return normal(positions, width), normal(catalogue, width), target, bias


def gradients(loss: Tensor, *leaves: Tensor | None) -> list[Tensor]:
    # A factor, so that what comes from above is not taken to be 1.
    return list(torch.autograd.grad(loss * 3.0, [leaf for leaf in leaves if leaf is not None]))


@settings(deadline=None, max_examples=80)
@given(
    positions=st.integers(1, 70) | st.sampled_from([1, 15, 16, 17, 32, 33]),
    width=st.integers(1, 9),
    catalogue=st.integers(1, 40),
    biased=st.booleans(),
    # The smallest chunk is 16 positions.
    chunk_positions=st.sampled_from([0, 16, 23, 10_000]),
    seed=st.integers(0, 2**20),
)
def test_equals_cross_entropy(
    positions: int, width: int, catalogue: int, biased: bool, chunk_positions: int, seed: int
) -> None:
    hidden, weight, target, bias = problem(positions, width, catalogue, biased, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fused_loss, "CHUNK_BYTES", chunk_positions * 4 * catalogue)
        fused = fused_cross_entropy(hidden, weight, target, bias)
        found = gradients(fused, hidden, weight, bias)
    plain = F.cross_entropy(F.linear(hidden, weight, bias), target)
    torch.testing.assert_close(fused, plain, atol=1e-5, rtol=1e-5)
    expected = gradients(plain, hidden, weight, bias)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("biased", [True, False])
def test_no_positions_are_no_loss(biased: bool) -> None:
    hidden, weight, target, bias = problem(0, 4, 5, biased, 0)
    loss = fused_cross_entropy(hidden, weight, target, bias)
    assert loss.item() == 0.0
    for gradient in gradients(loss, hidden, weight, bias):
        assert not gradient.any()


@pytest.mark.parametrize("biased", [True, False])
def test_gradcheck_in_double_precision(biased: bool) -> None:
    hidden, weight, target, bias = problem(19, 3, 6, biased, 1)
    inputs: list[Any] = [hidden, weight, target, bias]
    for place in (0, 1, 3):
        if inputs[place] is not None:
            inputs[place] = inputs[place].detach().double().requires_grad_()
    assert torch.autograd.gradcheck(fused_cross_entropy, inputs)


def test_extreme_logits_neither_overflow_nor_vanish() -> None:
    hidden, weight, target, bias = problem(40, 6, 12, True, 2, scale=30.0)
    fused = fused_cross_entropy(hidden, weight, target, bias)
    plain = F.cross_entropy(F.linear(hidden, weight, bias), target)
    assert plain > 100
    torch.testing.assert_close(fused, plain, rtol=1e-5, atol=0)
    found, expected = (gradients(loss, hidden, weight, bias) for loss in (fused, plain))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_the_gradient_reaches_a_tied_embedding() -> None:
    """The projection is a slice of the embedding, without the padding row."""
    embedding = torch.randn(8, 4, generator=torch.Generator().manual_seed(3)).requires_grad_()
    items = torch.tensor([1, 5, 5, 7])
    target = torch.tensor([4, 4, 0, 6])
    fused = fused_cross_entropy(embedding[items], embedding[1:], target)
    plain = F.cross_entropy(embedding[items] @ embedding[1:].T, target)
    torch.testing.assert_close(gradients(fused, embedding), gradients(plain, embedding))


def test_only_what_needs_a_gradient_gets_one() -> None:
    hidden, weight, target, bias = problem(20, 4, 6, True, 4)
    assert bias is not None
    loss = fused_cross_entropy(hidden.detach(), weight, target, bias.detach())
    assert loss.requires_grad
    loss.backward()  # type: ignore[no-untyped-call]
    plain = F.cross_entropy(F.linear(hidden, weight, bias), target)
    (expected,) = torch.autograd.grad(plain, weight)
    torch.testing.assert_close(weight.grad, expected)
    with torch.no_grad():
        assert not fused_cross_entropy(hidden, weight, target, bias).requires_grad
