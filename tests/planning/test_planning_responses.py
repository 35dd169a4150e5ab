"""What answers leave in a state, how hard users are pushed, and the deaf planner."""

import dataclasses
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from influpath.data.dataset import Dataset
from influpath.data.sequences import Sequences
from influpath.errors import ConfigError
from influpath.irn.model import IRN
from influpath.planning.algorithm import plan
from influpath.planning.base import REST, PlanBatch, Planner, State
from influpath.planning.direct import DirectPlanner
from influpath.planning.ipg import IPGPlanner
from influpath.planning.irn import IRNPlanner
from influpath.planning.last_offer import LastOfferPlanner
from influpath.planning.lookahead import LookaheadPlanner
from influpath.planning.open_loop import OpenLoopPlanner
from influpath.planning.rec2inf import Rec2InfPlanner
from influpath.planning.responses import Response, respond
from influpath.planning.sensitivity import Sensitivity
from influpath.planning.session import Session
from influpath.planning.vanilla import VanillaPlanner
from influpath.recommenders.sasrec import SASRec
from influpath.testing import tiny_pairs
from influpath.testing.planner_conformance import assert_same_paths, make_batch

M = 6
ACCEPTED, REJECTED, IGNORED = (
    int(answer) for answer in (Response.ACCEPTED, Response.REJECTED, Response.IGNORED)
)


@pytest.fixture
def pairs(tiny: Dataset) -> pl.DataFrame:
    return tiny_pairs(tiny, count=12, seed=2)


@pytest.fixture
def batch(irn: IRN, pairs: pl.DataFrame, tiny: Dataset) -> PlanBatch:
    return make_batch(IRNPlanner(irn), pairs, tiny, M)


def barred(state: State, row: int) -> list[int]:
    return (torch.nonzero(state.barred_BI[row])[:, 0] + 1).tolist()


def test_what_answers_leave() -> None:
    histories = Sequences.from_rows([[1], [1], [1], [1]])
    state = State.begin(PlanBatch(np.full(4, -1), histories, np.full(4, 9), max_length=9, items=9))
    respond(state, np.array([2, 3, 4, 0]), np.array([ACCEPTED, REJECTED, IGNORED, 0], np.int8))
    assert state.shown == 1
    assert [state.known.row(r).tolist() for r in range(4)] == [[1, 2], [1], [1], [1]]
    assert [barred(state, r) for r in range(4)] == [[1, 2], [1, 3], [1, 4], [1]]
    nothing = np.zeros(4, dtype=np.int64)
    for slot in range(REST):
        assert barred(state, 2) == [1, 4], f"it rests in slot {slot + 1} after"
        respond(state, nothing, np.zeros(4, np.int8))
    assert [barred(state, r) for r in range(4)] == [[1, 2], [1, 3], [1], [1]]


@pytest.mark.parametrize("how", ["known", "taken", "rejected"])
def test_what_is_barred_for_good_stays_so_when_it_is_ignored(how: str) -> None:
    """Such as what was taken unasked while it was shown."""
    known = Sequences.from_rows([[2] if how == "known" else []])
    state = State.begin(PlanBatch(np.array([-1]), known, np.array([3]), max_length=9, items=4))
    if how == "taken":
        state.append(np.array([2]), shown=False)
    elif how == "rejected":
        state.reject(np.array([2]))
    for item in (2, *[0] * (REST + 1)):
        respond(state, np.array([item]), np.array([IGNORED], np.int8))
        assert barred(state, 0) == [2]


def test_what_is_ignored_again_rests_anew() -> None:
    state = State.begin(
        PlanBatch(np.array([-1]), Sequences.from_rows([[]]), np.array([3]), max_length=9, items=4)
    )
    for item in (2, 2, *[0] * (REST - 1)):
        respond(state, np.array([item]), np.array([IGNORED], np.int8))
        assert barred(state, 0) == [2]
    for _ in range(2):
        respond(state, np.array([0]), np.array([IGNORED], np.int8))
    assert barred(state, 0) == []


@pytest.mark.parametrize("how", ["taken", "rejected"])
def test_what_was_taken_or_rejected_while_at_rest_does_not_come_back(how: str) -> None:
    state = State.begin(
        PlanBatch(np.array([-1]), Sequences.from_rows([[]]), np.array([3]), max_length=9, items=4)
    )
    respond(state, np.array([2]), np.array([IGNORED], np.int8))
    if how == "taken":
        state.append(np.array([2]), shown=False)
    else:
        state.reject(np.array([2]))
    for _ in range(REST + 1):
        respond(state, np.array([0]), np.zeros(1, np.int8))
    assert barred(state, 0) == [2]


@given(
    answers=st.lists(st.integers(0, 3), max_size=60),
    target=st.floats(0.05, 0.95),
    rate=st.floats(0.01, 5),
    lower=st.floats(0.05, 0.9),
    upper=st.floats(1.1, 8),
)
def test_sensitivity_stays_in_bounds_and_learns_both_ways(
    answers: list[int], target: float, rate: float, lower: float, upper: float
) -> None:
    config = Sensitivity(target=target, rate=rate, lower=lower, upper=upper)
    push = np.ones(1)
    for answer in answers:
        after = config.after(push, np.array([answer], np.int8))
        assert lower <= after[0] <= upper
        if answer == ACCEPTED:
            assert after[0] > push[0] or after[0] == upper
        elif answer == REJECTED:
            assert after[0] < push[0] or after[0] == lower
        else:
            assert after[0] == push[0]
        push = after


def test_sensitivity_rests_at_its_target() -> None:
    config = Sensitivity(target=0.75, rate=0.1, lower=0.01, upper=100.0)
    push = np.ones(1)
    for answer in [ACCEPTED, ACCEPTED, ACCEPTED, REJECTED] * 5:
        push = config.after(push, np.array([answer], np.int8))
    assert push[0] == pytest.approx(1.0)
    with pytest.raises(ConfigError, match="rate = 0"):
        Sensitivity.parse({"lower": 1.0, "upper": 1.0}, "here")


def pushed(
    planner: Planner, batch: PlanBatch, push_B: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Return items and scores of three slots, [B, 6], if rows are pushed by different factors."""
    session = Session(planner, batch)
    shown: list[np.ndarray[Any, Any]] = []
    for _ in range(3):
        session.state.push_B = push_B
        proposal = session.propose()
        shown += [proposal.items_B, proposal.scores_B]
        session.respond(proposal.items_B, np.full(len(session), ACCEPTED, np.int8))
    return np.stack(shown, axis=1)


@pytest.mark.parametrize(
    ("kind", "dials", "stronger"),
    [
        ("irn", {"guidance": 2.0, "floor": 9}, {"guidance": 3.0, "floor": 9}),
        ("irn", {}, {"guidance": 1.5}),
        (
            "irn",
            {"guidance": (2.0, 1.0), "lookahead": 2.0, "pace": 2},
            {"guidance": (3.0, 1.5), "lookahead": 3.0, "pace": 2},
        ),
        ("rec2inf", {"k": (4, 6)}, {"k": (6, 9)}),
        ("lookahead", {"k": 4}, {"k": 6}),
        ("ipg", {"k": 4}, {"k": 6}),
    ],
)
def test_push_multiplies_the_aggressive_dials(
    sasrec: SASRec,
    irn: IRN,
    batch: PlanBatch,
    kind: str,
    dials: dict[str, Any],
    stronger: dict[str, Any],
) -> None:
    """Rows pushed by 1.5 beside rows that are not are as rows under stronger dials."""
    make: Any = {"rec2inf": Rec2InfPlanner, "lookahead": LookaheadPlanner, "ipg": IPGPlanner}.get(
        kind, IRNPlanner
    )
    model = irn if kind == "irn" else sasrec
    ones, factor = np.ones(len(batch.users_B)), np.tile([1.0, 1.5], 6)
    mild = pushed(make(model, **dials), batch, ones)
    strong = pushed(make(model, **stronger), batch, ones)
    assert not np.allclose(mild, strong)
    found = pushed(make(model, **dials), batch, factor)
    expected = np.where(np.arange(12)[:, None] % 2, strong, mild)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_session_learns(sasrec: SASRec, batch: PlanBatch) -> None:
    config = Sensitivity(lower=0.5, upper=1.5)
    session = Session(Rec2InfPlanner(sasrec, k=5), batch, config)
    responses = np.tile([ACCEPTED, REJECTED, IGNORED], 4).astype(np.int8)
    for _ in range(M):
        session.respond(session.propose().items_B, responses)
    assert session.state.push_B.tolist() == [1.5, 0.5, 1.0] * 4
    session.keep(np.array([1, 3]))
    assert session.state.push_B.tolist() == [0.5, 1.5]


@pytest.mark.parametrize("cached", [True, False])
def test_irn_reads_every_row_as_if_anew(irn: IRN, batch: PlanBatch, cached: bool) -> None:
    """Caches that go on, rest and are read anew row by row say what a plain reading says."""
    rng = np.random.default_rng(5)
    dials: dict[str, Any] = {"guidance": 2.0, "floor": 12, "w_t": (0.5, 1.0, 2.0), "pace": 2}
    found = Session(IRNPlanner(irn, cached=cached, **dials), batch)
    plain = Session(IRNPlanner(irn, cached=False, **dials), batch)
    for _ in range(M):
        proposal, expected = found.propose(), plain.propose()
        assert proposal.items_B.tolist() == expected.items_B.tolist()
        np.testing.assert_allclose(proposal.scores_B, expected.scores_B, atol=1e-4)
        responses = rng.integers(1, 4, size=len(found)).astype(np.int8)
        event = int(rng.integers(1, batch.items + 1))
        events = np.where(rng.random(len(found)) < 0.3, event, 0)
        for session in (found, plain):
            session.respond(proposal.items_B, responses)
            session.observe(events)


def test_a_rejection_is_not_read(
    irn: IRN, batch: PlanBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At pace 1 only rows whose item was not accepted are read anew, once."""
    read: list[int] = []
    reading = type(irn).read

    def counting(self: Any, known: Any, *rest: Any, **more: Any) -> Any:
        read.append(len(known))
        return reading(self, known, *rest, **more)

    monkeypatch.setattr(type(irn), "read", counting)
    session = Session(IRNPlanner(irn), batch)
    responses = np.array([ACCEPTED, REJECTED, ACCEPTED] * 4, np.int8)
    for _ in range(3):
        items_B = session.propose().items_B
        session.propose()
        session.respond(items_B, responses)
    assert read == [12, 4, 4]


def test_open_loop_shows_the_plan(irn: IRN, pairs: pl.DataFrame, tiny: Dataset) -> None:
    planner = IRNPlanner(irn, guidance=3.0, floor=12)
    paths, expected = (
        plan(one, pairs, tiny, max_length=M) for one in (OpenLoopPlanner(planner), planner)
    )
    assert_same_paths(paths, expected)


def test_open_loop_skips_and_never_listens(irn: IRN, batch: PlanBatch) -> None:
    planner = OpenLoopPlanner(IRNPlanner(irn, guidance=3.0))
    session = Session(planner, batch)
    path_BM = session.state.path_BM.copy()  # type: ignore[attr-defined]
    # A rejects all, B takes the second item of its plan on its own, C ignores the first.
    first = session.propose().items_B
    responses = np.full(len(session), REJECTED, np.int8)
    responses[2] = IGNORED
    session.respond(first, responses)
    session.observe(np.where(np.arange(len(session)) == 1, path_BM[:, 1], 0))
    second = session.propose().items_B
    assert first.tolist() == path_BM[:, 0].tolist()
    assert second[0] == path_BM[0, 1]
    assert second[1] == path_BM[1, 2]
    assert second[2] == path_BM[2, 1]
    session.keep(np.array([2]))
    shown = [int(second[2])]
    for _ in range(M - 2):
        session.respond(np.array(shown[-1:]), np.array([REJECTED], np.int8))
        shown.append(int(session.propose().items_B[0]))
    # What was ignored comes again once its rest is over; rejected items do not.
    assert shown[: REST + 1] == [*path_BM[2, 1 : REST + 1], path_BM[2, 0]]


def test_the_last_offer_is_the_objective(sasrec: SASRec, batch: PlanBatch) -> None:
    """Where it may not be shown any more, it is what the wrapped planner shows."""
    planner = VanillaPlanner(sasrec)
    wrapped, plain = Session(LastOfferPlanner(planner), batch), Session(planner, batch)
    had = np.arange(len(plain)) < 3
    for session in (wrapped, plain):
        session.observe(np.where(had, batch.objectives_B, 0))
    for slot in range(M):
        found, expected = wrapped.propose().items_B, plain.propose().items_B
        if slot == M - 1:
            expected = np.where(had, expected, batch.objectives_B)
        assert found.tolist() == expected.tolist()
        had |= found == batch.objectives_B
        for session in (wrapped, plain):
            session.respond(found, np.full(len(plain), REJECTED, np.int8))


def test_direct_gives_up_only_after_a_rejection(tiny: Dataset, batch: PlanBatch) -> None:
    session = Session(DirectPlanner(tiny.items), batch)
    responses = np.full(len(session), REJECTED, np.int8)
    responses[0] = IGNORED
    shown = []
    for _ in range(REST + 2):
        shown.append(session.propose().items_B)
        session.respond(shown[-1], np.where(shown[-1] > 0, responses, 0).astype(np.int8))
    assert [int(items_B[1]) for items_B in shown] == [batch.objectives_B[1], 0, 0, 0, 0]
    ignored = batch.objectives_B[0]
    assert [int(items_B[0]) for items_B in shown] == [ignored, 0, 0, 0, ignored]


def test_a_state_is_complete(batch: PlanBatch) -> None:
    """``keep`` and ``retarget`` forget no field that has one entry per row."""
    state = State.begin(batch)
    rows = np.array([3, 0])
    state.keep(rows)
    for field in dataclasses.fields(state):
        value = getattr(state, field.name)
        if not isinstance(value, int):
            assert len(value) == 2, field.name
    state.retarget(np.array([5, 6]))
    assert state.objectives_B.tolist() == [5, 6]
