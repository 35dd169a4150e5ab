"""Planning with cached states equals planning without, whatever happens on the way."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from irn_networks import random_irn

from influpath.data.sequences import Sequences
from influpath.errors import ConfigError
from influpath.irn import reading as irn_reading
from influpath.irn.model import IRN
from influpath.planning import irn_reading as planning_reading
from influpath.planning.base import PlanBatch
from influpath.planning.irn import BELOW_FLOOR, IRNPlanner
from influpath.planning.irn_reading import FEW_ROWS
from influpath.planning.schedule import Ramp

HORIZON = 6
ITEMS = 30

DIALS: list[dict[str, Any]] = [
    {},
    {"guidance": 4.0},
    {"guidance": 0.0, "w_t": 0.3},
    {"guidance": (1.0, 1.0, 3.0), "floor": (0, 0, 5)},
    {"w_t": (0.0, 0.5, 1.0, 2.0, 3.0)},
    {"w_t": (2.0, 0.0, 1.0), "pace": 2, "guidance": 2.0, "floor": 8},
    {"pace": 3, "guidance": 3.0},
    {"guidance": {"start": 1, "end": 6}, "w_t": "0.5..2", "floor": 10},
    {"pace": 4, "w_t": (1.0, 1.5)},
    {"pace": (1, 1, 2, 2, 1), "floor": 10},
    {"pace": (3, 1), "w_t": (0.5, 2.0)},
    {"lookahead": 1.0, "floor": 8, "delivery": 2},
    {"lookahead": 0.5, "pace": 2, "lookahead_top": 4},
    {"lookahead": "0..2", "floor": 12, "pace": 3, "guidance": 2.0},
]
CONFIGS: list[dict[str, Any]] = [
    {"mask_type": 1},
    {"mask_type": 2, "w_h": 0.3},
    {"mask_type": 3},
    {"mask_type": 3, "aligned": False},
    # Histories that fill the window, and ones that leave most of it to the path.
    {"mask_type": 3, "l_max": 8, "layers": 1},
]


@st.composite
def batches(draw: st.DrawFn) -> PlanBatch:
    rows = draw(
        st.lists(st.lists(st.integers(1, ITEMS), max_size=14, unique=True), min_size=1, max_size=5)
    )
    objectives = [
        draw(st.sampled_from([i for i in range(1, ITEMS + 1) if i not in row])) for row in rows
    ]
    users = [draw(st.integers(-1, 4)) for _ in rows]
    return PlanBatch(
        np.array(users), Sequences.from_rows(rows), np.array(objectives), HORIZON, ITEMS
    )


def fresh(batch: PlanBatch) -> PlanBatch:
    return PlanBatch(
        batch.users_B, batch.histories, batch.objectives_B, batch.max_length, batch.items
    )


@pytest.mark.parametrize("few", [0, FEW_ROWS])
@settings(deadline=None, max_examples=60)
@given(st.data())
def test_cached_equals_uncached(few: int, data: st.DataObject) -> None:
    """Whether rows are few enough to be read with the objective shown and hidden at once or not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning_reading, "FEW_ROWS", few)
        compare_cached(data)


def compare_cached(data: st.DataObject) -> None:
    config = data.draw(st.sampled_from(CONFIGS))
    dials = data.draw(st.sampled_from(DIALS))
    model = random_irn(seed=data.draw(st.integers(0, 2)), **config)
    batch = data.draw(batches())
    planners = [IRNPlanner(model, **dials, cached=cached) for cached in (True, False)]
    states = [planner.start(fresh(batch)) for planner in planners]
    while states[0].step <= HORIZON and len(states[0]):
        what = data.draw(st.sampled_from(["show", "show", "show", "reject", "event", "drop"]))
        scores = [p.next_item_scores(s) for p, s in zip(planners, states, strict=True)]
        assert_same_scores(scores[0], scores[1], atol=1e-5 * guidance_of(dials))
        items = [p.step(s).items_B for p, s in zip(planners, states, strict=True)]
        # Two items whose scores are that close may change places.
        best = scores[1].topk(2, dim=1).values
        clear = (best[:, 0] - best[:, 1] > 1e-4).numpy()
        assert items[0][clear].tolist() == items[1][clear].tolist()
        shown = items[1]
        if what == "drop":
            rows = data.draw(st.permutations(range(len(shown))))
            keep = np.array(rows[: data.draw(st.integers(1, len(rows)))])
            for state in states:
                state.keep(keep)
        elif what == "reject":
            some = np.array(data.draw(st.lists(st.booleans(), min_size=5, max_size=5)))
            for state in states:
                state.reject(np.where(some[: len(shown)], shown, 0))
        elif what == "event":
            event = np.array([data.draw(st.integers(1, ITEMS)) for _ in shown])
            for state in states:
                state.append(event, shown=False)
        elif (shown > 0).all():
            for state in states:
                state.append(shown)
        else:
            break


def assert_same_scores(found_BI: torch.Tensor, expected_BI: torch.Tensor, atol: float) -> None:
    """The same items below the floor, and every item above it with the same score.

    Scores below the floor are only as exact as float32 is at the offset that puts them there.
    """
    below_BI = expected_BI < -BELOW_FLOOR / 2
    assert torch.equal(found_BI < -BELOW_FLOOR / 2, below_BI)
    torch.testing.assert_close(found_BI[~below_BI], expected_BI[~below_BI], atol=atol, rtol=0)
    step = float(np.spacing(np.float32(BELOW_FLOOR)))
    torch.testing.assert_close(found_BI[below_BI], expected_BI[below_BI], atol=2 * step, rtol=0)


def guidance_of(dials: dict[str, Any]) -> float:
    """Guidance stretches differences, those of rounding too."""
    guidance: float | tuple[float, ...] | dict[str, float] = dials.get("guidance", 1.0)
    if isinstance(guidance, dict):
        guidance = tuple(guidance.values())
    # So does the look-ahead, by its weight.
    return max(
        3.0 if "lookahead" in dials else 1.0,
        2.0 * max(guidance if isinstance(guidance, tuple) else (guidance,)),
    )


def test_looking_ahead_alone_is_the_greedy_look_ahead() -> None:
    """Without guidance and with all the weight on it, the best candidate by a plain loop wins."""
    model = random_irn(seed=2)
    batch = PlanBatch(
        np.array([0, 1]),
        Sequences.from_rows([[1, 2, 3], [4, 5]]),
        np.array([20, 21]),
        HORIZON,
        ITEMS,
    )
    planner = IRNPlanner(model, guidance=0.0, floor=6, lookahead=1e3, delivery=1)
    state = planner.start(batch)
    nobody = np.zeros(2, dtype=np.int64)
    for left in range(HORIZON, 1, -1):
        alone = model.log_probs_toward(state.known, nobody, state.users_B, left)
        top_BK = alone.masked_fill(state.barred_BI, -torch.inf).topk(6, dim=1).indices + 1
        shown = planner.step(state).items_B
        for row, objective in enumerate((20, 21)):
            if top_BK[row, 0] == objective:
                assert shown[row] == objective
                continue
            reach = {}
            for item in top_BK[row].tolist():
                longer = Sequences.from_rows([[*state.known.row(row).tolist(), item]])
                user = state.users_B[row : row + 1]
                after = model.log_probs_toward(longer, nobody[:1], user, left - 1)
                reach[item] = float(after[0, objective - 1])
            reach.pop(objective, None)
            assert reach[int(shown[row])] == pytest.approx(max(reach.values()), abs=1e-4)
        state.append(shown)


def test_a_look_ahead_without_a_floor_delivers_at_last() -> None:
    """With no floor the objective is shown as the last item whatever its rank, as without."""
    model = random_irn(seed=2)
    batch = PlanBatch(
        np.array([0]), Sequences.from_rows([[1, 2, 3]]), np.array([20]), HORIZON, ITEMS
    )
    planner = IRNPlanner(model, lookahead=0.5, delivery=1)
    state = planner.start(batch)
    for _ in range(HORIZON - 1):
        state.append(planner.step(state).items_B)
    if 20 not in state.known.row(0):
        assert planner.step(state).items_B.tolist() == [20]


@pytest.mark.parametrize(
    ("dial", "expected"),
    [(0.0, False), ((0.0, 0.0), False), ((0.0, 1.0), True), ("0..2", True), (1.0, True)],
)
def test_looking_ahead_at_any_step_counts(dial: Any, expected: bool) -> None:
    assert IRNPlanner(random_irn(seed=0), lookahead=dial).config.looks_ahead is expected


@dataclass
class Calls:
    """How often whole windows and single positions were read."""

    whole: list[int] = field(default_factory=list)
    single: list[int] = field(default_factory=list)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    made = Calls()
    read, advance = IRN.read, irn_reading.advance

    def count_read(*args: Any, **kwargs: Any) -> Any:
        made.whole.append(1)
        return read(*args, **kwargs)

    def count_advance(*args: Any, **kwargs: Any) -> Any:
        made.single.append(1)
        return advance(*args, **kwargs)

    monkeypatch.setattr(IRN, "read", count_read)
    monkeypatch.setattr(planning_reading, "advance", count_advance)
    return made


@pytest.mark.parametrize(
    ("dials", "together", "apart", "single"),
    [
        # One reading of the whole window, then one new position per step.
        ({}, 1, 1, 5),
        ({"guidance": 1.0, "floor": 0}, 1, 1, 5),
        # Few rows are read with the objective shown and hidden at once.
        ({"guidance": 2.0}, 1, 2, 10),
        ({"floor": 3}, 1, 2, 10),
        ({"cached": False}, 6, 6, 0),
        # M = 6 and pace 2 declare 2 2 1 1 0 0 slots: every other step moves the objective nearer.
        ({"pace": 2}, 4, 4, 2),
        ({"pace": 2, "floor": 3}, 4, 8, 4),
        ({"pace": 3}, 5, 5, 1),
        ({"pace": 9}, 6, 6, 0),
        # Guidance 0 leaves the objective out, from then on.
        ({"guidance": 0.0}, 1, 1, 5),
        ({"guidance": (2.0, 2.0, 0.0)}, 1, 2, 6),
        # The look-ahead goes on from the reading that has the objective hidden, but at the last
        # step, where its candidates need a slot that is not there any more.
        ({"lookahead": 1.0}, 2, 3, 10),
    ],
)
@pytest.mark.parametrize("rows", [1, FEW_ROWS + 1])
def test_what_is_read(
    calls: Calls, dials: dict[str, Any], together: int, apart: int, single: int, rows: int
) -> None:
    """The comparison above would mean nothing if nothing were cached."""
    planner = IRNPlanner(random_irn(seed=0), **dials)
    histories = Sequences.from_rows([[1, 2, 3]] * rows)
    state = planner.start(PlanBatch(np.full(rows, -1), histories, np.full(rows, 9), HORIZON, ITEMS))
    for _ in range(HORIZON):
        item = planner.step(state).items_B
        # Asking again, or after a rejection, reads nothing.
        planner.next_item_scores(state)
        state.reject(item)
        planner.step(state)
        state.append(item)
    assert (len(calls.whole), len(calls.single)) == (together if rows == 1 else apart, single)


def test_an_event_is_read_with_the_whole_window(calls: Calls) -> None:
    planner = IRNPlanner(random_irn(seed=0))
    state = planner.start(
        PlanBatch(np.array([0]), Sequences.from_rows([[1, 2]]), np.array([9]), HORIZON, ITEMS)
    )
    state.append(planner.step(state).items_B)
    planner.step(state)
    assert (len(calls.whole), len(calls.single)) == (1, 1)
    state.append(np.array([20]), shown=False)
    planner.step(state)
    assert (len(calls.whole), len(calls.single)) == (2, 1)


def test_the_leaking_variant_is_never_cached(calls: Calls) -> None:
    """There the objective's state changes with every item."""
    model = random_irn(seed=0, leak=True)
    batch = PlanBatch(np.array([0]), Sequences.from_rows([[1, 2]]), np.array([9]), HORIZON, ITEMS)
    planners = [IRNPlanner(model, cached=cached) for cached in (True, False)]
    states = [planner.start(batch) for planner in planners]
    for _ in range(HORIZON):
        scores = [p.next_item_scores(s) for p, s in zip(planners, states, strict=True)]
        assert torch.equal(*scores)
        for planner, state in zip(planners, states, strict=True):
            state.append(planner.step(state).items_B)
    assert len(calls.whole) == 2 * HORIZON
    assert not calls.single


def test_w_t_belongs_to_the_position_that_chooses(irn: IRN) -> None:
    """By hand: history positions have w_t(1), the position that chose item j has w_t(j)."""
    planner = IRNPlanner(irn, w_t=(0.5, 2.0, 3.0))
    # Item 3 is chosen at position 7, item 2 was at 6, item 1 at 5.
    weights = planner.aggressiveness(3, 6, 7)
    assert weights.tolist() == [*[0.5] * 6, 2.0, 3.0, *[0.5] * (irn.config.l_max - 8)]
    # From the last entry on, the schedule stays.
    assert planner.aggressiveness(5, 6, 9).tolist()[5:10] == [0.5, 2.0, 3.0, 3.0, 3.0]


def test_a_ramp_changes_by_the_same_amount_at_every_step() -> None:
    """Written out step by step, a ramp gives the same scores; it says itself what it is."""
    irn = random_irn(seed=0)
    ramp = IRNPlanner(irn, guidance="1..6", w_t={"start": 0.5, "end": 3})
    assert (ramp.config.guidance, str(ramp.config.guidance)) == (Ramp(start=1, end=6), "1..6")
    steps = range(1, 7)
    spelled = IRNPlanner(
        irn, guidance=tuple(float(k) for k in steps), w_t=tuple(0.5 * k for k in steps)
    )
    batch = PlanBatch(np.array([0]), Sequences.from_rows([[1, 2]]), np.array([9]), 6, ITEMS)
    first, second = ramp.start(batch), spelled.start(batch)
    for _ in steps:
        expected = spelled.next_item_scores(second)
        torch.testing.assert_close(ramp.next_item_scores(first), expected)
        for planner, state in ((ramp, first), (spelled, second)):
            state.append(planner.step(state).items_B)
    assert Ramp(start=1, end=6).at(1, 1) == 6.0
    with pytest.raises(ConfigError, match="guidance"):
        IRNPlanner(irn, guidance="1..much")
