"""Totals of the softmax by the kernel against PyTorch's."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from influpath.native import operators
from influpath.native.output import Tiles

pytestmark = pytest.mark.skipif(operators.usable() is None, reason="no C compiler here")


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 110),
    features=st.integers(1, 70),
    items=st.integers(1, 90),
    scale=st.sampled_from([0.0, 0.1, 1.0]),
    seed=st.integers(0, 99),
)
def test_totals_are_those_of_the_logits(
    rows: int, features: int, items: int, scale: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    hidden_NF = torch.randn(rows, features, generator=generator) * scale
    hidden_NF[:, -1] = 1.0
    weight_FI = torch.randn(features, items, generator=generator)
    tiles = Tiles.of(weight_FI)
    assert tiles is not None
    found_N = tiles.log_totals(hidden_NF)
    if found_N is None:
        largest = hidden_NF.norm(dim=1).amax() * weight_FI.norm(dim=0).amax()
        assert largest > 60
        return
    expected_N = torch.logsumexp(hidden_NF.double() @ weight_FI.double(), dim=1)
    torch.testing.assert_close(found_N.double(), expected_N, atol=2e-5, rtol=2e-6)


@pytest.mark.parametrize("wrong", [1e3, float("nan"), float("inf")])
def test_what_the_kernel_cannot_hold_is_left_to_others(wrong: float) -> None:
    tiles = Tiles.of(torch.ones(3, 5))
    assert tiles is not None
    hidden_NF = torch.ones(4, 3)
    assert tiles.log_totals(hidden_NF) is not None
    hidden_NF[2, 1] = wrong
    assert tiles.log_totals(hidden_NF) is None
    assert tiles.log_totals(hidden_NF[:0]) is None
    assert tiles.log_totals(torch.ones(4, 3, dtype=torch.float64)) is None
