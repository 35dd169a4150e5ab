"""Rows with a sparse gradient move as PyTorch's Adam moves them; clipping counts them right."""

import copy
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from influpath.training.optimizer import RowwiseAdamW, clip_gradients


def sparse(rows: list[int], values: Tensor, shape: torch.Size) -> Tensor:
    return torch.sparse_coo_tensor(
        torch.tensor([rows]), values, shape, is_coalesced=False, check_invariants=True
    )


@settings(deadline=None, max_examples=30)
@given(
    steps=st.integers(1, 5),
    decay=st.sampled_from([0.0, 0.1]),
    rate=st.sampled_from([1e-3, 0.3]),
    seed=st.integers(0, 2**20),
)
def test_a_sparse_gradient_of_all_rows_is_the_dense_step(
    steps: int, decay: float, rate: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    dense = nn.Parameter(torch.randn(6, 3, generator=generator))
    rowwise = nn.Parameter(dense.detach().clone())
    plain = torch.optim.AdamW([dense], lr=rate, weight_decay=decay)
    ours = RowwiseAdamW([rowwise], lr=rate, weight_decay=decay, fused=True)
    for _ in range(steps):
        # Rows come twice, as items of a batch do; their gradients add up.
        rows = [*range(6), 4, 0]
        values = torch.randn(len(rows), 3, generator=generator)
        rowwise.grad = sparse(rows, values, rowwise.shape)
        dense.grad = rowwise.grad.to_dense()
        plain.step()
        ours.step()
    torch.testing.assert_close(rowwise, dense)


def test_other_rows_stay_and_cost_nothing() -> None:
    table = nn.Parameter(torch.ones(5, 2))
    optimizer = RowwiseAdamW([table], lr=0.1, weight_decay=0.5, fused=True)
    for row in (1, 3):
        table.grad = sparse([row], torch.ones(1, 2), table.shape)
        optimizer.step()
    moved = (table != 1).any(1)
    assert moved.tolist() == [False, True, False, True, False]
    assert (optimizer.state[table]["exp_avg"] != 0).any(1).equal(moved)


def test_dense_parameters_are_pytorchs_own() -> None:
    torch.manual_seed(0)
    ours = nn.Linear(4, 3)
    theirs = copy.deepcopy(ours)
    pairs: list[Any] = [
        (ours, RowwiseAdamW(ours.parameters(), lr=0.1, weight_decay=0.1, fused=True)),
        (theirs, torch.optim.AdamW(theirs.parameters(), lr=0.1, weight_decay=0.1, fused=True)),
    ]
    x = torch.randn(8, 4)
    for _ in range(3):
        for module, optimizer in pairs:
            optimizer.zero_grad()
            module(x).square().sum().backward()
            optimizer.step()
    assert torch.equal(ours.weight, theirs.weight)


def test_state_of_rows_is_restored() -> None:
    def step(table: nn.Parameter, optimizer: RowwiseAdamW) -> None:
        table.grad = sparse([0, 2], torch.tensor([[1.0, -2.0], [0.5, 3.0]]), table.shape)
        optimizer.step()

    first = nn.Parameter(torch.zeros(3, 2))
    optimizer = RowwiseAdamW([first], lr=0.1, fused=True)
    step(first, optimizer)
    second = nn.Parameter(first.detach().clone())
    resumed = RowwiseAdamW([second], lr=0.1, fused=True)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    step(first, optimizer)
    step(second, resumed)
    assert torch.equal(first, second)


@pytest.mark.parametrize("bound", [0.3, 5.0, 1e6])
def test_clipping_is_pytorchs_own(bound: float) -> None:
    generator = torch.Generator().manual_seed(1)
    ours = [nn.Parameter(torch.zeros(size)) for size in (7, 3, 2)]
    theirs = [nn.Parameter(torch.zeros(size)) for size in (7, 3, 2)]
    for one, other in zip(ours[:2], theirs[:2], strict=True):
        one.grad = torch.randn(one.shape, generator=generator) * 9
        other.grad = one.grad.clone()
    clip_gradients(ours, bound)
    nn.utils.clip_grad_norm_(theirs, bound)
    for one, other in zip(ours[:2], theirs[:2], strict=True):
        assert one.grad is not None
        assert other.grad is not None
        assert torch.equal(one.grad, other.grad)
    assert ours[2].grad is None


def test_clipping_adds_up_what_is_of_one_row() -> None:
    """Two entries of a row that cancel have no norm."""
    table, other = nn.Parameter(torch.zeros(4, 2)), nn.Parameter(torch.zeros(2))
    table.grad = sparse(
        [1, 3, 1], torch.tensor([[5.0, 5.0], [3.0, 0.0], [-5.0, -5.0]]), table.shape
    )
    other.grad = torch.tensor([0.0, 4.0])
    clip_gradients([table, other], 1.0)
    torch.testing.assert_close(table.grad.to_dense()[3], torch.tensor([0.6, 0.0]))
    torch.testing.assert_close(other.grad, torch.tensor([0.0, 0.8]))
