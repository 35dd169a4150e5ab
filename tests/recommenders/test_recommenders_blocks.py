"""Short cuts of inference against the same written out."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from influpath.recommenders import blocks
from influpath.recommenders.blocks import (
    TransformerBlock,
    causal_attention,
    gelu,
    log_softmax_of,
    masked_attention,
)
from influpath.recommenders.causal import length_batches


def test_gelu_is_the_tanh_approximation() -> None:
    x = torch.cat([torch.linspace(-12, 12, 4001), torch.tensor([-1e4, 0.0, 1e4])])
    kept = x.clone()
    expected = F.gelu(x, approximate="tanh")
    torch.testing.assert_close(gelu(x), expected, atol=1e-6, rtol=1e-6)
    assert torch.equal(x, kept)
    # Where a gradient is wanted, too.
    x.requires_grad_()
    torch.testing.assert_close(gelu(x), expected, atol=1e-6, rtol=1e-6)
    (slope,) = torch.autograd.grad(gelu(x).sum(), x)
    (slope_of_torch,) = torch.autograd.grad(F.gelu(x, approximate="tanh").sum(), x)
    torch.testing.assert_close(slope, slope_of_torch, atol=2e-6, rtol=2e-6)


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("chunk", [1, 1 << 20])
def test_log_softmax_over_the_catalogue(
    biased: bool, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "CHUNK_BYTES", chunk)
    generator = torch.Generator().manual_seed(0)
    # Logits in the hundreds: sums of exponentials alone would overflow.
    hidden = torch.randn(41, 6, generator=generator) * 40
    weight = torch.randn(30, 6, generator=generator)
    bias = torch.randn(30, generator=generator) if biased else None
    expected = torch.log_softmax(F.linear(hidden, weight, bias).double(), dim=1)
    found = log_softmax_of(hidden, weight, bias)
    torch.testing.assert_close(found.double(), expected, atol=1e-4, rtol=1e-6)
    assert log_softmax_of(hidden[:0], weight, bias).shape == (0, 30)


@pytest.fixture
def block() -> TransformerBlock:
    torch.manual_seed(3)
    block = TransformerBlock(12, heads=3, dropout=0.5)
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return block.eval()


def test_inference_says_what_training_would_without_dropout(block: TransformerBlock) -> None:
    x_BLD = torch.randn(4, 7, 12)
    with torch.no_grad():
        found = block(x_BLD, causal_attention)
    torch.testing.assert_close(found, block(x_BLD, causal_attention), atol=1e-5, rtol=1e-5)
    # In training features are dropped, whether or not a gradient is wanted.
    block.train()
    with torch.no_grad():
        assert not torch.allclose(block(x_BLD, causal_attention), found, atol=1e-2)


def test_some_positions_equal_the_same_of_all(block: TransformerBlock) -> None:
    x_BLD = torch.randn(4, 7, 12)
    with torch.no_grad():
        whole = block(x_BLD, causal_attention)
        for position in range(7):
            seen = (torch.arange(7) <= position)[None, None, None]
            one = block(x_BLD, masked_attention(seen), position)
            torch.testing.assert_close(one, whole[:, [position]], atol=1e-5, rtol=1e-5)
        at_BQ = torch.tensor([[6, 0, 3], [1, 1, 2], [5, 6, 0], [0, 0, 0]])
        seen_BQL = torch.arange(7) <= at_BQ[..., None]
        some = block(x_BLD, masked_attention(seen_BQL[:, None]), at_BQ)
    torch.testing.assert_close(some, whole[torch.arange(4)[:, None], at_BQ], atol=1e-5, rtol=1e-5)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(0, 12), max_size=40).map(sorted), st.integers(1, 60))
def test_length_batches_hold_every_row_within_the_bound(lengths: list[int], tokens: int) -> None:
    batches = list(length_batches(np.array(lengths, dtype=np.int64), tokens))
    assert [row for batch in batches for row in batch] == list(range(len(lengths)))
    for batch in batches:
        fits = [
            size
            for size in range(1, len(lengths) - batch[0] + 1)
            if size == 1 or (lengths[batch[0] + size - 1] + 1) * size <= tokens
        ]
        assert len(batch) in fits
        if len(batch) < max(fits):
            assert lengths[batch[-1]] < lengths[batch[-1] + 1]
            assert 2 * len(batch) >= max(fits)


def test_length_batches_end_where_the_length_changes() -> None:
    """Seven positions fit: three rows of one item do, but the second half is another length."""
    lengths = np.array([0, 0, 0, 1, 1, 1])
    assert [batch.tolist() for batch in length_batches(lengths, 8)] == [[0, 1, 2], [3, 4, 5]]
    # In the first half it goes on.
    lengths = np.array([0, 1, 1, 1, 1, 1])
    assert [batch.tolist() for batch in length_batches(lengths, 8)] == [[0, 1, 2, 3], [4, 5]]
