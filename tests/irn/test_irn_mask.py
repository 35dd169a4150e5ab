"""The mask: what each position sees, how strongly, and that nothing leaks."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from irn_networks import random_irn
from torch import Tensor

from influpath.irn.mask import objective_weight, visible
from influpath.training.fused_loss import fused_cross_entropy

MASK_TYPES = [1, 2, 3]
LENGTH = 9
ITEM = st.integers(1, 30)


def read(model: Any, items_BL: Tensor, shown: Any = True, w_t: Any = 1.0) -> Tensor:
    """Hidden states, with known users 0, 1, ... row by row."""
    rows, length = items_BL.shape
    with torch.no_grad():
        hidden: Tensor = model.module(
            items_BL,
            torch.as_tensor(shown).expand(rows),
            model.module.r_u(torch.arange(rows) % 5),
            torch.as_tensor(w_t).expand(rows, length).contiguous(),
        )
    return hidden


@st.composite
def windows(draw: st.DrawFn) -> Tensor:
    """A pre-padded window with the objective at its end, and maybe empty slots before that."""
    pads = draw(st.integers(0, LENGTH - 2))
    slots = draw(st.integers(0, LENGTH - 2 - pads))
    items = draw(st.lists(ITEM, min_size=LENGTH - 1 - pads - slots, max_size=LENGTH - 1))
    items = items[: LENGTH - 1 - pads - slots]
    return torch.tensor([[0] * pads + items + [0] * slots + [draw(ITEM)]])


@pytest.mark.parametrize("mask_type", MASK_TYPES)
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_later_items_change_nothing_but_the_objective_does(
    mask_type: int, data: st.DataObject
) -> None:
    model = random_irn(seed=data.draw(st.integers(0, 3)), mask_type=mask_type)
    window = data.draw(windows())
    j = data.draw(st.integers(0, LENGTH - 2))
    other = window.clone()
    later = data.draw(st.lists(st.integers(0, 30), min_size=LENGTH, max_size=LENGTH))
    other[0, j + 1 : -1] = torch.tensor(later[j + 1 : -1], dtype=torch.int64)
    before, after = read(model, window), read(model, other)
    assert torch.equal(before[:, : j + 1], after[:, : j + 1])
    # The objective sees nothing but itself, so it does not change either.
    assert torch.equal(before[:, -1], after[:, -1])
    # And the same in a batch.
    both = read(model, torch.cat([window, other]))
    same_user = read(model, torch.cat([window, window]))
    assert torch.equal(both[1, : j + 1], same_user[1, : j + 1])


@pytest.mark.parametrize("mask_type", MASK_TYPES)
@pytest.mark.parametrize("j", range(LENGTH - 2))
def test_the_literal_variant_leaks(mask_type: int, j: int) -> None:
    """With the objective's row seeing the items, every earlier position sees the next item."""
    window = torch.tensor([[*range(1, LENGTH), 30]])
    other = window.clone()
    other[0, j + 1] = 25
    for leak in (True, False):
        model = random_irn(seed=1, mask_type=mask_type, leak=leak)
        before, after = read(model, window), read(model, other)
        assert torch.equal(before[0, j], after[0, j]) is not leak
        assert not torch.equal(before[0, j + 1], after[0, j + 1])


@pytest.mark.parametrize("mask_type", MASK_TYPES)
@settings(deadline=None, max_examples=40)
@given(window=windows(), objective=ITEM, leak=st.booleans())
def test_a_hidden_objective_plays_no_part(
    mask_type: int, window: Tensor, objective: int, leak: bool
) -> None:
    model = random_irn(seed=2, mask_type=mask_type, leak=leak)
    other = window.clone()
    other[0, -1] = objective
    w_t = torch.linspace(0, 3, LENGTH)
    before, after = read(model, window, shown=False), read(model, other, shown=False, w_t=w_t)
    assert torch.equal(before[:, :-1], after[:, :-1])
    if objective != window[0, -1]:
        # Shown, it changes every position.
        before, after = read(model, window), read(model, other)
        assert ((before - after).abs().amax(2) > 1e-6).all()


@pytest.mark.parametrize("mask_type", MASK_TYPES)
def test_rows_may_differ_in_whether_they_see_the_objective(mask_type: int) -> None:
    model = random_irn(seed=2, mask_type=mask_type)
    items = torch.randint(1, 31, (4, LENGTH), generator=torch.Generator().manual_seed(0))
    shown = torch.tensor([True, False, True, False])
    mixed = read(model, items, shown)
    torch.testing.assert_close(mixed[shown], read(model, items, True)[shown])
    torch.testing.assert_close(mixed[~shown], read(model, items, False)[~shown])


def dense_mask(
    mask_type: int, items: list[int], shown: bool, r_u: float, w_t: list[float], w_h: float
) -> Tensor:
    """The mask of one row as a matrix of numbers, entry by entry from the paper's words."""
    length = len(items)
    mask = torch.full((length, length), -torch.inf)
    if mask_type == 1:
        w_h, w_t = 0.0, [0.0] * length
    for query in range(length - 1):
        for key in range(query + 1):
            if items[key] > 0 or key == query:
                mask[query, key] = w_h
        if shown:
            mask[query, -1] = (r_u if mask_type == 3 else 1.0) * w_t[query]
    mask[-1, -1] = 0.0
    return mask


def dense_network(
    network: Any, items: list[int], mask_LL: Tensor, heads: int, l_max: int
) -> Tensor:
    """The network of one row, head by head, with softmax(QK/sqrt(d) + mask) V written out."""
    length = len(items)
    x_LD = network.item.weight[torch.tensor(items)] * network.config.embedding_size**0.5
    x_LD = x_LD + network.position.weight[l_max - length :]
    for block in network.blocks:
        normed = block.norm_attention(x_LD)
        query, key, value = block.query_key_value(normed).chunk(3, dim=1)
        size = query.shape[1] // heads
        mixed = []
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            logits_LL = query[:, part] @ key[:, part].T / size**0.5 + mask_LL
            mixed.append(torch.softmax(logits_LL, dim=1) @ value[:, part])
        x_LD = x_LD + block.output(torch.cat(mixed, dim=1))
        fed = block.feed_in(block.norm_feed(x_LD))
        x_LD = x_LD + block.feed_out(F.gelu(fed, approximate="tanh"))
    result: Tensor = network.norm(x_LD)
    return result


@pytest.mark.parametrize("mask_type", MASK_TYPES)
@settings(deadline=None, max_examples=40)
@given(
    rows=st.lists(windows(), min_size=1, max_size=3),
    shown=st.booleans(),
    w_h=st.sampled_from([0.0, 0.7, -1.0]),
    w_t=st.lists(st.floats(-1, 4, width=32), min_size=LENGTH, max_size=LENGTH),
    seed=st.integers(0, 3),
)
def test_attention_equals_a_dense_additive_mask(
    mask_type: int, rows: list[Tensor], shown: bool, w_h: float, w_t: list[float], seed: int
) -> None:
    model = random_irn(seed=seed, mask_type=mask_type, w_h=w_h)
    items_BL = torch.cat(rows)
    found = read(model, items_BL, shown, torch.tensor(w_t))
    r_u = model.impressionability().tolist()
    for row, items in enumerate(items_BL.tolist()):
        mask_LL = dense_mask(mask_type, items, shown, r_u[row % 5], w_t, w_h)
        with torch.no_grad():
            expected = dense_network(model.module, items, mask_LL, heads=2, l_max=12)
        torch.testing.assert_close(found[row], expected, atol=2e-5, rtol=1e-4)


def test_impressionability_matters_for_type_3_only() -> None:
    window = torch.tensor([[1, 2, 3, 4, 5, 6, 7, 8, 30]] * 2)
    for mask_type in MASK_TYPES:
        hidden = read(random_irn(seed=1, mask_type=mask_type), window)
        # Rows 0 and 1 are users of different r_u with the same window.
        assert torch.allclose(hidden[0, :-1], hidden[1, :-1], atol=1e-5) is (mask_type != 3)
        weights = read(random_irn(seed=1, mask_type=mask_type), window, w_t=2.5)
        assert torch.allclose(weights[:, :-1], hidden[:, :-1], atol=1e-5) is (mask_type == 1)


def test_objective_weight() -> None:
    r_u, w_t = torch.tensor([0.5, 2.0]), torch.tensor([[1.0, 3.0], [1.0, 3.0]])
    assert objective_weight(1, r_u, w_t, 0.25).tolist() == [[0, 0], [0, 0]]
    assert objective_weight(2, r_u, w_t, 0.25).tolist() == [[0.75, 2.75], [0.75, 2.75]]
    assert objective_weight(3, r_u, w_t, 0.25).tolist() == [[0.25, 1.25], [1.75, 5.75]]


def test_visible_by_hand() -> None:
    """Columns: pad, item, item, empty slot, objective."""
    items = torch.tensor([[0, 4, 5, 0, 9]])
    o, x = False, True
    shown, hidden = torch.tensor([True]), torch.tensor([False])
    assert visible(items, shown).tolist() == [
        [
            [x, o, o, o, x],
            [o, x, o, o, x],
            [o, x, x, o, x],
            [o, x, x, x, x],
            [o, o, o, o, x],
        ]
    ]
    assert visible(items, hidden)[0, :, -1].tolist() == [o, o, o, o, x]
    assert visible(items, shown, leak=True)[0, -1].tolist() == [o, x, x, o, x]
    assert visible(items, hidden, leak=True)[0, -1].tolist() == [o, x, x, o, x]


@pytest.mark.parametrize("mask_type", MASK_TYPES)
def test_pads_make_no_nan(mask_type: int) -> None:
    """Neither forward nor backward, even where a row is nothing but pads."""
    model = random_irn(seed=1, mask_type=mask_type)
    items = torch.zeros(3, LENGTH, dtype=torch.int64)
    items[1, -2:] = torch.tensor([3, 4])
    items[2, -1] = 4
    for shown in (True, False):
        hidden = read(model, items, shown)
        assert torch.isfinite(hidden).all()
    module = model.module
    hidden = module(items, torch.tensor([True]).expand(3), torch.ones(3), torch.ones(3, LENGTH))
    weight, bias = module.output()
    loss = fused_cross_entropy(hidden[1, -2:-1], weight, torch.tensor([3]), bias)
    parameters = [p for p in module.parameters() if p.requires_grad]
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    assert all(torch.isfinite(g).all() for g in gradients if g is not None)


def test_pads_do_not_matter() -> None:
    """A window may leave its leading pads away."""
    model = random_irn(seed=3)
    window = torch.tensor([[0, 0, 0, 5, 6, 7, 0, 9]])
    whole, short = read(model, window), read(model, window[:, 3:])
    torch.testing.assert_close(whole[:, 3:], short, atol=1e-5, rtol=0)


@pytest.mark.parametrize("leak", [True, False])
@pytest.mark.parametrize("shown", [True, False])
def test_one_asked_position_equals_the_same_of_all(leak: bool, shown: bool) -> None:
    """The last layer may compute a single position."""
    model = random_irn(seed=3, leak=leak, l_max=LENGTH)
    items = torch.tensor([[0, 0, 5, 6, 7, 8, 0, 0, 9], [1, 2, 3, 4, 5, 6, 0, 0, 7]])
    rows = (torch.tensor([shown] * 2), torch.tensor([0.7, 1.4]), torch.rand(2, LENGTH))
    with torch.no_grad():
        whole = model.module(items, *rows)
        for position in range(LENGTH):
            one = model.module(items, *rows, at=position)
            torch.testing.assert_close(one, whole[:, [position]], atol=1e-5, rtol=0)
