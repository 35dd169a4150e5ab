"""Where items, empty slots and the objective lie in the window (the horizon)."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from irn_networks import random_irn

from influpath.data.sequences import Sequences
from influpath.irn import model as irn_model
from influpath.irn.config import IRNConfig
from influpath.irn.examples import cut, training_pieces, training_stretches
from influpath.irn.model import IRN
from influpath.irn.window import empty_slots, plan_window, training_window
from influpath.planning.base import PlanBatch
from influpath.planning.irn import IRNPlanner

# M = 3, l_max = 6.  History h1..h5 is 11..15, path p1, p2 is 21, 22, the objective t is 99, and _
# is an empty slot.  The star is the query: the position that chooses the item.
H1, H2, H3, H4, H5, P1, P2, T, _ = 11, 12, 13, 14, 15, 21, 22, 99, 0
WORKED = [
    # pace, k, window, the query's position
    (1, 1, [H3, H4, H5, _, _, T], 2),
    (1, 2, [H3, H4, H5, P1, _, T], 3),
    (1, 3, [H3, H4, H5, P1, P2, T], 4),
    (3, 1, [H1, H2, H3, H4, H5, T], 4),
    (3, 2, [H2, H3, H4, H5, P1, T], 4),
    (3, 3, [H3, H4, H5, P1, P2, T], 4),
]


@pytest.mark.parametrize(("pace", "k", "window", "star"), WORKED)
def test_worked_example(pace: int, k: int, window: list[int], star: int) -> None:
    known = Sequences.from_rows([[H1, H2, H3, H4, H5, *[P1, P2][: k - 1]]])
    slots = empty_slots(step=k, max_length=3, pace=pace)
    found = plan_window(known, np.array([T]), slots, l_max=6)
    assert found.tolist() == [window]
    # The query is the last known item: everything between it and the objective is empty.
    assert star == 6 - 2 - slots
    assert window[star] == known.row(0)[-1]
    assert window[star + 1 : -1] == [_] * slots


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("pace", [1, 3])
def test_the_planner_reads_the_worked_example(
    monkeypatch: pytest.MonkeyPatch, pace: int, cached: bool
) -> None:
    """The windows of the table, and the choice is made at the star."""
    model = random_irn(seed=1, items=99, l_max=6, l_min=2, horizon=3)
    planner = IRNPlanner(model, pace=pace, cached=cached)
    history = Sequences.from_rows([[H1, H2, H3, H4, H5]])
    state = planner.start(PlanBatch(np.array([0]), history, np.array([T]), 3, 99))
    windows: list[torch.Tensor] = []

    def recorded(*args: Any) -> torch.Tensor:
        windows.append(plan_window(*args))
        return windows[-1]

    monkeypatch.setattr(irn_model, "plan_window", recorded)
    expected = [(window, star) for c, _k, window, star in WORKED if c == pace]
    for k, (window, star) in enumerate(expected, start=1):
        scores = planner.next_item_scores(state)
        if not cached:
            assert windows[-1].tolist() == [window]
            assert len(windows) == k
        shown = torch.ones(1, dtype=torch.bool)
        ones = torch.ones(1, 6)
        with torch.no_grad():
            r_B = model.module.r_u(torch.zeros(1, dtype=torch.int64))
            hidden = model.module(torch.tensor([window]), shown, r_B, ones)[:, star]
            whole = model.log_probs_of(hidden).masked_fill(state.barred_BI, -torch.inf)
        torch.testing.assert_close(scores, whole, atol=1e-5, rtol=0)
        if k < 3:
            state.append(np.array([[P1, P2][k - 1]]))


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 40), st.integers(1, 12))
def test_declared_slots_are_the_items_that_may_still_come(horizon: int, pace: int) -> None:
    for k in range(1, horizon + 1):
        assert empty_slots(k, horizon, pace) == (horizon - k) // pace
        assert empty_slots(k, horizon, pace, aligned=False) == 0
    # The last item is always chosen right before the objective.
    assert empty_slots(horizon, horizon, pace) == 0


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.lists(st.integers(1, 50), max_size=12), min_size=1, max_size=4),
    st.integers(3, 12),
    st.data(),
)
def test_plan_window_layout(rows: list[list[int]], l_max: int, data: st.DataObject) -> None:
    slots = data.draw(st.integers(0, l_max - 2))
    objectives = np.arange(100, 100 + len(rows))
    found = plan_window(Sequences.from_rows(rows), objectives, slots, l_max).tolist()
    room = l_max - 1 - slots
    for row, window, objective in zip(rows, found, objectives, strict=True):
        recent = row[-room:]
        pads = [0] * (room - len(recent))
        assert window == [*pads, *recent, *[0] * slots, objective]


def test_a_window_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="no room"):
        plan_window(Sequences.from_rows([[1]]), np.array([2]), slots=5, l_max=6)


def test_training_puts_no_slot_before_the_objective(tiny: Any) -> None:
    config = IRNConfig(l_max=9, l_min=3, horizon=4)
    for pieces in training_pieces(tiny.sequences, config):
        windows = training_window(pieces.sequences)
        assert windows.shape[1] == pieces.sequences.lengths.max() <= config.l_max
        assert (windows[:, -2:] > 0).all()
        for row in range(len(windows)):
            piece = pieces.sequences.row(row).tolist()
            assert windows[row].tolist() == [0] * (windows.shape[1] - len(piece)) + piece


def test_training_pieces_train_or_validate_and_know_their_user(tiny: Any) -> None:
    config = IRNConfig(l_max=9, l_min=3, horizon=4, seed=5)
    training, validation = training_pieces(tiny.sequences, config)
    share = len(validation.users) / (len(training.users) + len(validation.users))
    assert share == pytest.approx(0.1, abs=0.02)
    pieces: dict[int, list[list[int]]] = {row: [] for row in range(len(tiny.sequences))}
    for part in (training, validation):
        for number, user in enumerate(part.users.tolist()):
            pieces[user].append(part.sequences.row(number).tolist())
    for row, found in pieces.items():
        history = tiny.sequences.row(row).tolist()
        # In the order of the history, the pieces are the history.
        found.sort(key=lambda piece: history.index(piece[0]))
        assert [item for piece in found for item in piece] == history
    again = training_pieces(tiny.sequences, config)[0]
    assert again.sequences.values.tolist() == training.sequences.values.tolist()
    other = training_pieces(tiny.sequences, config.model_copy(update={"seed": 6}))[0]
    assert other.sequences.offsets.tolist() != training.sequences.offsets.tolist()


@given(rows=st.lists(st.integers(0, 30), min_size=1, max_size=12), seed=st.integers(0, 99))
def test_pieces_cut_anew_have_the_items_of_the_training_pieces_and_no_validating_one(
    rows: list[int], seed: int
) -> None:
    config = IRNConfig(l_max=9, l_min=3, horizon=4, seed=seed)
    numbers = iter(range(1, 1000))
    sequences = Sequences.from_rows([[next(numbers) for _ in range(n)] for n in rows])
    training, validation = training_pieces(sequences, config)
    stretches = training_stretches(sequences, config)
    assert stretches.sequences.values.tolist() == training.sequences.values.tolist()
    owner = dict(zip(sequences.values.tolist(), sequences.row_of_value.tolist(), strict=True))
    apart = set(validation.sequences.values.tolist())
    for part in (stretches, cut(stretches, config, np.random.default_rng(seed + 1))):
        for number, user in enumerate(part.users.tolist()):
            piece = part.sequences.row(number).tolist()
            # Numbers count up along histories: nothing lies between a piece's items.
            assert piece == list(range(piece[0], piece[0] + len(piece)))
            assert {owner[item] for item in piece} == {user}
            assert not apart & set(piece)
    # Nothing but a validating piece lies between two stretches of a user.
    for number, user in enumerate(stretches.users[1:].tolist(), start=1):
        if user == stretches.users[number - 1]:
            gap = range(
                stretches.sequences.row(number - 1)[-1] + 1, stretches.sequences.row(number)[0]
            )
            assert gap
            assert apart.issuperset(gap)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"embedding_size": 10, "heads": 4}, "heads must divide"),
        ({"l_max": 30, "l_min": 20}, "twice l_min"),
        ({"l_max": 20, "l_min": 4, "horizon": 19}, "exceed horizon"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(values: dict[str, Any], match: str) -> None:
    with pytest.raises(Exception, match=match):
        IRN(**values)
