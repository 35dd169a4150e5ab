"""Folded weights are those of now, and let go of with their network."""

import gc
from collections.abc import Callable

import pytest
import torch
from irn_networks import random_irn

from influpath.data.sequences import Sequences
from influpath.irn.folded import folded
from influpath.irn.network import IRNNetwork


def other(module: IRNNetwork) -> dict[str, torch.Tensor]:
    """Weights that differ everywhere."""
    return {name: weight + 0.01 for name, weight in module.state_dict().items()}


def load(module: IRNNetwork) -> None:
    module.load_state_dict(other(module))


def step(module: IRNNetwork) -> None:
    optimizer = torch.optim.Adam(module.parameters(), lr=0.1)
    for weight in module.parameters():
        weight.grad = torch.ones_like(weight)
    optimizer.step()


def write(module: IRNNetwork) -> None:
    with torch.no_grad():
        module.bias[3] = 7.0


@pytest.mark.parametrize("change", [load, step, write])
def test_changed_weights_are_folded_anew(change: Callable[[IRNNetwork], None]) -> None:
    model = random_irn.__wrapped__(seed=3)
    before = folded(model.module)
    assert folded(model.module) is before
    known = Sequences.from_rows([[1, 2, 3], [4]])
    said = model.log_probs(known)
    change(model.module)
    assert folded(model.module) is not before
    r_B, w_t_BL = torch.ones(2), torch.ones(2, model.config.l_max)
    slots = model.config.horizon - 1
    plain_BD = model.read(known, None, slots, r_B, w_t_BL, plain=True)
    weight_ID, bias_I = model.module.output()
    expected = torch.log_softmax(torch.nn.functional.linear(plain_BD, weight_ID, bias_I), dim=1)
    assert not torch.allclose(said, expected, atol=1e-3)
    torch.testing.assert_close(model.log_probs(known), expected.detach(), atol=2e-5, rtol=1e-5)


def test_what_was_folded_goes_with_the_network() -> None:
    model = random_irn.__wrapped__(seed=4)
    folded(model.module)
    gc.collect()
    count = len(folded.kept)
    del model
    gc.collect()
    assert len(folded.kept) == count - 1
