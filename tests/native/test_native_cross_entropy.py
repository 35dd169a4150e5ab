"""The compiled cross-entropy is PyTorch's, gradients included."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from influpath.native.cross_entropy import cross_entropy
from influpath.native.operators import usable

pytestmark = pytest.mark.skipif(usable() is None, reason="no C compiler here")


@settings(deadline=None, max_examples=80)
@given(
    count=st.integers(1, 130),
    # One feature less and more than fit vectors, and than are computed together.
    width=st.sampled_from([1, 3, 4, 7, 11, 12, 15, 16, 17, 30, 33, 64]),
    items=st.sampled_from([1, 2, 31, 32, 33, 64, 100, 333]),
    biased=st.booleans(),
    largest=st.sampled_from([0.1, 5.0, 55.0]),
    seed=st.integers(0, 2**20),
)
def test_cross_entropy(
    count: int, width: int, items: int, biased: bool, largest: float, seed: int
) -> None:
    """To 1e-5 of the largest figure, or 5e-7 of those that a row brings to a sum."""
    rng = torch.Generator().manual_seed(seed)
    hidden = torch.randn(count, width, generator=rng)
    weight = torch.randn(items, width, generator=rng)
    weight *= largest / (hidden.norm(dim=1).amax() * weight.norm(dim=1).amax())
    bias = torch.randn(items, generator=rng) if biased else None
    target = torch.randint(items, (count,), generator=rng)
    found = cross_entropy(hidden, weight, target, bias)
    leaves = [each.double().requires_grad_() for each in (hidden, weight, bias) if each is not None]
    logits = leaves[0] @ leaves[1].T
    loss = F.cross_entropy(logits + leaves[2] if biased else logits, target, reduction="sum")
    wanted = loss.detach(), *torch.autograd.grad(loss, leaves)
    assert (found[3] is None) == (bias is None)
    brought = count * max(1.0, float(hidden.abs().max()), float(weight.abs().max()))
    for one, other in zip(found, wanted, strict=False):
        assert one is not None
        near = 1e-5 * max(1.0, float(other.abs().max())) + 5e-7 * brought
        assert float((one - other).abs().max()) <= near


def test_views_are_read_as_they_lie() -> None:
    rng = torch.Generator().manual_seed(3)
    hidden, weight = torch.randn(8, 5, generator=rng).T, torch.randn(8, 9, generator=rng).T
    target, bias = torch.arange(10)[::2] % 9, torch.randn(18, generator=rng)[::2]
    found = cross_entropy(hidden, weight, target, bias)
    wanted = cross_entropy(*(each.contiguous() for each in (hidden, weight, target, bias)))
    for one, other in zip(found, wanted, strict=True):
        assert one is not None
        assert other is not None
        assert torch.equal(one, other)


@pytest.mark.parametrize("target", [-1, 3])
def test_a_target_that_is_no_item_is_refused(target: int) -> None:
    with pytest.raises(IndexError, match="not one of the 3 items"):
        cross_entropy(torch.ones(2, 4), torch.ones(3, 4), torch.tensor([0, target]), None)
