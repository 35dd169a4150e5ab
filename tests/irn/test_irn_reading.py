"""Reading windows to plan says what the whole network says, position by position."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from irn_networks import random_irn
from torch import Tensor

from influpath.data.sequences import Sequences
from influpath.irn import reading, state_cache
from influpath.irn.model import IRN
from influpath.irn.reading import advance, peek, read_windows
from influpath.irn.state_cache import StateCache
from influpath.irn.window import plan_window
from influpath.recommenders.blocks import TransformerBlock
from influpath.recommenders.folded import OWN

ITEM = st.integers(1, 30)
CONFIGS: list[dict[str, Any]] = [
    {"mask_type": 1},
    {"mask_type": 2, "w_h": 0.3},
    {"mask_type": 3},
    {"mask_type": 3, "layers": 1},
    # Heads that are wide enough for another way to attend from a single position.
    {"mask_type": 3, "embedding_size": 32},
]


@pytest.fixture(autouse=True)
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are read in several chunks."""
    monkeypatch.setattr(reading, "READ_POSITIONS", 20)


def forward(
    model: IRN, known: Sequences, objectives: Any, slots: int, r_B: Tensor, w_t_BL: Tensor
) -> Tensor:
    """What the whole network says at the choosing position."""
    hidden = np.zeros(len(known), dtype=np.int64) if objectives is None else np.array(objectives)
    items_BL = plan_window(known, hidden, slots, model.config.l_max)
    with torch.no_grad():
        said: Tensor = model.module(items_BL, items_BL[:, -1] > 0, r_B, w_t_BL)
    return said[:, model.config.l_max - 2 - slots]


def assert_close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("staying", [0.0, state_cache.STAYING])
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_reading_on_equals_the_whole_network(staying: float, data: st.DataObject) -> None:
    """The windows first, then items one by one, rows dropping out meanwhile.

    Whether those that stay are moved or not.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state_cache, "STAYING", staying)
        compare_reading_on(data)


def compare_reading_on(data: st.DataObject) -> None:
    config = data.draw(st.sampled_from(CONFIGS))
    model = random_irn(seed=data.draw(st.integers(0, 2)), **config)
    module, l_max = model.module, model.config.l_max
    rows = data.draw(st.lists(st.lists(ITEM, max_size=14), min_size=1, max_size=6))
    known = Sequences.from_rows(rows)
    objectives = data.draw(
        st.none() | st.lists(st.integers(0, 30), min_size=len(rows), max_size=len(rows))
    )
    slots = data.draw(st.integers(0, l_max - 2))
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 9)))
    r_B = torch.rand(len(rows), generator=generator) * 2
    w_t_BL = torch.rand(len(rows), l_max, generator=generator) * 3
    shown = None if objectives is None else torch.tensor(objectives)
    cache = StateCache.blank(model.config, len(rows)) if data.draw(st.booleans()) else None
    if cache is not None and data.draw(st.booleans()):
        # What stands in it from before does not matter.
        cache.states_XBLF[..., OWN].fill_(3.0)
    with torch.no_grad():
        found = read_windows(module, known, shown, slots, r_B, w_t_BL, cache)
    assert_close(found, forward(model, known, objectives, slots, r_B, w_t_BL))
    while cache is not None and slots > 0:
        if len(known) > 1 and data.draw(st.booleans()):
            order = data.draw(st.permutations(range(len(known))))
            keep = np.array(order[: data.draw(st.integers(1, len(known)))])
            index = torch.from_numpy(keep)
            known, r_B, w_t_BL = known.take(keep), r_B[index], w_t_BL[index]
            objectives = None if objectives is None else [objectives[row] for row in keep]
            cache.keep(index)
        items = np.array(data.draw(st.lists(ITEM, min_size=len(known), max_size=len(known))))
        known = known.extend(Sequences.from_lengths(items, np.ones(len(known), np.int64)))
        slots -= 1
        position = l_max - 2 - slots
        with torch.no_grad():
            found = advance(
                module, torch.from_numpy(items), position, r_B, w_t_BL[:, position], cache
            )
        assert_close(found, forward(model, known, objectives, slots, r_B, w_t_BL))


@pytest.mark.parametrize("size", [16, 32])
@pytest.mark.parametrize("slots", [1, 3])
def test_peeking_equals_reading_each_candidate(slots: int, size: int) -> None:
    """As if each item stood there alone; and what was read is as it was."""
    model = random_irn(seed=1, embedding_size=size)
    module, l_max = model.module, model.config.l_max
    histories = Sequences.from_rows([[1, 2, 3], [], [4], list(range(5, 18))])
    r_B, w_t_BL = torch.ones(4), torch.ones(4, l_max)
    cache = StateCache.blank(model.config, 4)
    candidates_BK = torch.tensor([[7, 8, 9, 20], [1, 2, 3, 4], [1, 2, 29, 30], [3, 2, 1, 9]])
    position = l_max - 2 - slots
    with torch.no_grad():
        read_windows(module, histories, None, slots, r_B, w_t_BL, cache)
        before = cache.states_XBLF.clone()
        found_BKD = peek(module, candidates_BK, position + 1, cache)
        again_BKD = peek(module, candidates_BK, position + 1, cache)
    assert torch.equal(found_BKD, again_BKD)
    assert torch.equal(cache.states_XBLF, before)
    for place in range(candidates_BK.shape[1]):
        longer = histories.extend(Sequences.from_rows(candidates_BK[:, place : place + 1].tolist()))
        assert_close(found_BKD[:, place], forward(model, longer, None, slots - 1, r_B, w_t_BL))


@pytest.mark.parametrize("embedding_size", [16, 32])
@pytest.mark.parametrize("factor", [30.0, -30.0])
def test_logits_beyond_what_powers_can_hold(factor: float, embedding_size: int) -> None:
    """Hundreds either way, where exponentials as they are overflow, or all vanish."""
    model = random_irn(seed=9, embedding_size=embedding_size)
    with torch.no_grad():
        # A copy, since the model is shared.
        module = random_irn.__wrapped__(seed=9, embedding_size=embedding_size).module
        for block in module.blocks:
            assert isinstance(block, TransformerBlock)
            # Queries and keys that mostly agree, or mostly disagree.
            block.query_key_value.bias[:embedding_size] = factor
            block.query_key_value.bias[embedding_size : 2 * embedding_size] = 30.0
    sharp = IRN(model.config)
    sharp._items, sharp._users, sharp.module = model._items, model._users, module.eval()
    known = Sequences.from_rows([[1, 2, 3, 4], [7], [9, 8, 7, 6, 5, 4]])
    r_B, w_t_BL = torch.ones(3), torch.full((3, sharp.config.l_max), 1.5)
    objectives = [20, 0, 22]
    cache = StateCache.blank(sharp.config, 3)
    with torch.no_grad():
        found = read_windows(module, known, torch.tensor(objectives), 3, r_B, w_t_BL, cache)
        torch.testing.assert_close(
            found, forward(sharp, known, objectives, 3, r_B, w_t_BL), atol=1e-3, rtol=1e-3
        )
        position = sharp.config.l_max - 4
        items = torch.tensor([11, 12, 13])
        found = advance(module, items, position, r_B, w_t_BL[:, position], cache)
        longer = known.extend(Sequences.from_rows([[11], [12], [13]]))
        torch.testing.assert_close(
            found, forward(sharp, longer, objectives, 2, r_B, w_t_BL), atol=1e-3, rtol=1e-3
        )


def test_a_window_without_room_is_refused() -> None:
    model = random_irn(seed=0)
    slots = model.config.l_max - 1
    with pytest.raises(ValueError, match="no room"):
        read_windows(
            model.module,
            Sequences.from_rows([[1]]),
            None,
            slots,
            torch.ones(1),
            torch.ones(1, slots + 1),
        )


def test_the_plain_way_says_the_same() -> None:
    model = random_irn(seed=4)
    known = Sequences.from_rows([[1, 2, 3], [], [5] * 20])
    r_B, w_t_BL = torch.ones(3), torch.ones(3, model.config.l_max)
    for objectives in (None, np.array([4, 5, 0])):
        plain = model.read(known, objectives, 2, r_B, w_t_BL, plain=True)
        assert_close(model.read(known, objectives, 2, r_B, w_t_BL), plain)
