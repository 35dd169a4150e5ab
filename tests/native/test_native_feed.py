"""The feed-forward layer of the kernels against the same in PyTorch."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from influpath.native import operators
from influpath.native import reading as native
from influpath.recommenders.bert4rec_candidates import fed_candidates
from influpath.recommenders.blocks import TransformerBlock
from influpath.recommenders.folded import FoldedBlock

pytestmark = pytest.mark.skipif(operators.usable() is None, reason="no C compiler here")


def assert_close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-4)


def random_block(heads: int, width: int, inner: int) -> TransformerBlock:
    block = TransformerBlock(heads * width, heads, dropout=0.0, inner=inner).eval()
    with torch.no_grad():
        for weight in block.parameters():
            weight.add_(torch.randn_like(weight), alpha=0.3)
    return block


@settings(max_examples=40, deadline=None)
@given(
    width=st.integers(1, 70),
    inner=st.integers(1, 5),
    rows=st.integers(0, 60),
    seed=st.integers(0, 99),
)
def test_the_layer_is_added(width: int, inner: int, rows: int, seed: int) -> None:
    torch.manual_seed(seed)
    block = random_block(1, width, inner)
    x_ND = torch.randn(rows, width)
    with torch.no_grad():
        normed_ND = block.norm_feed(x_ND)
        fed = torch.nn.functional.gelu(block.feed_in(normed_ND), approximate="tanh")
        expected_ND = x_ND + block.feed_out(fed)
        folded = FoldedBlock.of(block)
        assert folded.feeding is not None
        found_ND = x_ND.clone()
        assert folded.feed(found_ND) is found_ND
    assert_close(found_ND, expected_ND)


@settings(max_examples=40, deadline=None)
@given(
    heads=st.integers(1, 3),
    width=st.integers(1, 23),
    batch=st.integers(0, 3),
    count=st.integers(0, 5),
    positions=st.integers(0, 40),
    seed=st.integers(0, 99),
)
def test_candidates_change_what_they_share(
    heads: int, width: int, batch: int, count: int, positions: int, seed: int
) -> None:
    torch.manual_seed(seed)
    features = heads * width

    def numbers(*shape: int) -> Tensor:
        return torch.randn(batch, *shape)

    given = (
        numbers(positions, features),
        numbers(heads, positions, features),
        numbers(heads, count, positions).sigmoid(),
        numbers(heads, count, features),
        numbers(count, features),
    )
    with torch.no_grad():
        block = FoldedBlock.of(random_block(heads, width, 4))
        found = fed_candidates(block, *given)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("influpath.native.feed.reads", lambda *_: False)
            expected = fed_candidates(block, *given)
    assert_close(found, expected)


def test_features_elsewhere_are_left_to_pytorch() -> None:
    with torch.no_grad():
        block = FoldedBlock.of(random_block(2, 4, 4))
    assert block.feeding is not None
    assert not block.feeding.add_(torch.randn(3, 8, dtype=torch.float64))
    assert not block.feeding.add_(torch.randn(8, 3).T)
    assert native.lanes() > 0
