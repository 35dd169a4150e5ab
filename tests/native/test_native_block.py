"""The kernel of a whole transformer block computes what the block of PyTorch's parts does."""

import pytest
import torch
import torch.nn.functional as F
from attention_patterns import added_by
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from influpath.native import library, operators
from influpath.native.operators import Pattern
from influpath.recommenders.blocks import PatternAttention, TransformerBlock
from influpath.training.loop import seeded

pytestmark = pytest.mark.skipif(operators.usable() is None, reason="no C compiler here")


def attention_of(pattern: Pattern, length: int) -> PatternAttention:
    """Return attention by PyTorch under a pattern, which the kernel is given as such."""
    mask_B1LL = added_by(pattern, length)[:, None]

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask_B1LL)

    return PatternAttention(attend, lambda: pattern)


@settings(deadline=None, max_examples=60)
@given(
    batch=st.integers(1, 3),
    length=st.integers(1, 40),
    # Heads with code of their own and others; widths that fill vectors and that do not.
    sizes=st.sampled_from([(1, 1), (6, 2), (12, 3), (30, 6), (40, 5), (64, 2)]),
    causal=st.booleans(),
    padded=st.booleans(),
    weighted=st.booleans(),
    dropout=st.sampled_from([0.0, 0.3, 1.0]),
    seed=st.integers(0, 2**20),
)
def test_block(
    batch: int,
    length: int,
    sizes: tuple[int, int],
    causal: bool,
    padded: bool,
    weighted: bool,
    dropout: float,
    seed: int,
) -> None:
    """Features, and gradients of everything, to 2e-5 of the largest figure; pads do not count."""
    width, heads = sizes
    with seeded(seed):
        block = TransformerBlock(width, heads, dropout)
        for parameter in block.parameters():
            torch.nn.init.normal_(parameter, std=0.4)
        x = torch.randn(batch, length, width).requires_grad_()
        first = torch.randint(length, (batch,)) if padded else None
        last = torch.randn(batch, length).requires_grad_() if weighted and causal else None
        real = torch.arange(length) >= (0 if first is None else first[:, None])
        real = real.expand(batch, -1)[:, :, None]
        upstream = torch.randn(batch, length, width) * real
    if width == 1:
        # One number has no variance: what comes of it is decided by rounding alone.
        block.norm_attention.eps = block.norm_feed.eps = 0.1
    attention = attention_of(Pattern(causal, first, last), length)
    leaves = [x, *block.parameters(), *([] if last is None else [last])]
    found = []
    for kernel in (True, False):
        with seeded(seed + 1):
            out = block(x, attention if kernel else attention.attend)
        assert ("_Block" in out.grad_fn.name()) == kernel
        gradients = torch.autograd.grad(out, leaves, upstream, retain_graph=True)
        found.append([(out * real).detach(), *gradients])
    for one, other in zip(*found, strict=True):
        assert float((one - other).abs().max()) <= 2e-5 * max(1.0, float(other.abs().max()))


def test_what_the_kernel_does_not_know_is_left_to_pytorch() -> None:
    block, x = TransformerBlock(8, 2, 0.1), torch.randn(2, 3, 8)
    known = attention_of(Pattern(causal=True), 3)
    unknown = PatternAttention(known.attend, lambda: None)
    assert block.step(x, known) is None, "no gradients are wanted"
    x.requires_grad_()
    assert block.step(x, known) is not None
    assert block.step(x, unknown) is None
    assert block.step(x, known.attend) is None
    with torch.autocast("cpu", torch.bfloat16):
        assert block.step(x, known) is None
    block.norm_feed.eps = 0.1
    assert block.step(x, known) is None, "it knows one eps"


def test_heads_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="do not divide"):
        TransformerBlock(10, 3, 0.0)


def test_frozen_weights_views_and_a_second_backward_pass() -> None:
    """All that autograd may ask for: views come in, some gradients are not wanted, some twice."""
    with seeded(7):
        block = TransformerBlock(12, 2, 0.0)
        wide = torch.randn(3, 12, 9).requires_grad_()
        last = torch.where(torch.arange(9) % 3 == 0, -torch.inf, torch.randn(3, 9))
        first = torch.tensor([0, 3, 8])
    block.feed_in.weight.requires_grad_(False)
    attention = attention_of(Pattern(True, first, last), 9)
    leaves = [wide, *(each for each in block.parameters() if each.requires_grad)]
    found = []
    for attend in (attention, attention.attend):
        out = block(wide.transpose(1, 2), attend)
        loss = torch.stack([row[at:].sum() for row, at in zip(out, first, strict=True)]).sum()
        once = torch.autograd.grad(loss, leaves, retain_graph=True)
        assert all(map(torch.equal, once, torch.autograd.grad(loss, leaves)))
        found.append(once)
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=5e-5, rtol=2e-5)


def test_no_windows_are_no_error() -> None:
    block, x = TransformerBlock(12, 2, 0.1), torch.randn(0, 5, 12).requires_grad_()
    out = block(x, attention_of(Pattern(causal=True), 5))
    assert out.shape == x.shape
    assert torch.autograd.grad(out.sum(), block.feed_in.weight)[0].abs().sum() == 0


def test_the_same_bits_every_time() -> None:
    found = []
    for _ in range(2):
        with seeded(5):
            block, x = TransformerBlock(30, 6, 0.2), torch.randn(3, 21, 30).requires_grad_()
            out = block(x, attention_of(Pattern(causal=True), 21))
            found.append([out, *torch.autograd.grad(out.square().sum(), [x, *block.parameters()])])
    assert all(map(torch.equal, *found))


def test_a_window_does_not_depend_on_the_others() -> None:
    with seeded(6):
        block, x = TransformerBlock(30, 6, 0.0), torch.randn(3, 21, 30).requires_grad_()
    causal = attention_of(Pattern(causal=True), 21)
    assert torch.equal(block(x, causal)[1:2], block(x[1:2], causal))


def test_kernels_are_found_by_their_signatures() -> None:
    kernels = operators.usable_kernels()
    assert all(hasattr(kernels, name) for name in library.SIGNATURES)
