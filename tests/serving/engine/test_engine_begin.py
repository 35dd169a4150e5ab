"""Beginning is rating and then stepping, in one ask and with one reading."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from influpath.data.sequences import Sequences
from influpath.errors import ModelFileError, UnknownIdError
from influpath.irn.model import IRN
from influpath.planning.objectives import Objective
from influpath.serving.campaigns import choosing
from influpath.serving.engine.asks import Limits, Moment, Person, RateAsk, Rating, StepAsk
from influpath.serving.engine.begin_asks import BeginAnswer, BeginAsk, Candidate, may_begin
from influpath.serving.engine.engine import LocalEngine

from .tiny_bundle import AHEAD_VERSION, HORIZON, ITEMS, USERS, VERSION, limits, objectives, people

OBJECTIVE = Objective.item(ITEMS[3])
minimums = st.sampled_from([0.0, 0.01, 0.3, 0.6])


@st.composite
def begin_asks(draw: st.DrawFn) -> BeginAsk:
    """Return asks of what begins: some of one person, at equal objectives now and then."""
    version = draw(st.sampled_from([VERSION, AHEAD_VERSION]))
    person = draw(people)
    few = draw(st.lists(objectives, min_size=1, max_size=2))
    steps = st.builds(
        StepAsk,
        version=st.just(version),
        person=st.just(person),
        objective=st.sampled_from(few),
        horizon=st.sampled_from([HORIZON - 1, HORIZON]),
        aggressiveness=st.sampled_from([0.0, 1.0, 3.0]),
        limits=limits,
    )
    candidates = st.builds(Candidate, steps, minimums)
    return BeginAsk(tuple(draw(st.lists(candidates, min_size=1, max_size=3))))


def check(answer: BeginAnswer, engine: LocalEngine, ask: BeginAsk) -> None:
    """Check an answer against rating, and then stepping where it is most feasible."""
    alone = engine.rate(tuple(each.rating for each in ask.candidates))
    for rating, own in zip(answer.ratings, alone, strict=True):
        assert replace(rating, feasibility=None) == replace(own, feasibility=None)
        assert rating.feasibility == pytest.approx(own.feasibility, rel=1e-4)
    able = [
        place
        for place, (rating, each) in enumerate(zip(alone, ask.candidates, strict=True))
        if rating.reachable and (rating.feasibility or 0.0) >= each.minimum
    ]
    if not able:
        assert (answer.chosen, answer.step) == (None, None)
        return
    most = max(alone[place].feasibility or 0.0 for place in able)
    assert answer.chosen in able
    assert alone[answer.chosen].feasibility == pytest.approx(most, rel=1e-4)
    first = engine.step(ask.candidates[answer.chosen].ask)
    assert answer.step is not None
    assert replace(answer.step, acceptance=None, reason=None) == replace(
        first, acceptance=None, reason=None
    )
    assert (answer.step.acceptance or 0.0) == pytest.approx(first.acceptance or 0.0, rel=1e-4)


@settings(max_examples=40, deadline=None)
@given(ask=begin_asks())
def test_it_is_rating_and_then_stepping(engine: LocalEngine, ask: BeginAsk) -> None:
    check(engine.begin(ask), engine, ask)


@settings(max_examples=10, deadline=None)
@given(asks=st.lists(begin_asks(), min_size=2, max_size=8))
def test_it_does_not_depend_on_who_else_begins(engine: LocalEngine, asks: list[BeginAsk]) -> None:
    for ask, answer in zip(asks, engine.begins(asks), strict=True):
        check(answer, engine, ask)


@dataclass
class FakeLeg:
    """What ``choosing.winner`` looks at."""

    feasibility: float | None
    began_turn: int | None = None


@given(
    given=st.lists(
        st.tuples(st.booleans(), st.sampled_from([None, 0.0, 0.2, 0.2000001, 0.7]), minimums),
        min_size=1,
        max_size=5,
    )
)
def test_what_begins_is_what_wins(given: Sequence[tuple[bool, float | None, float]]) -> None:
    """The rule of ``campaigns/choosing.py`` among journeys that have not begun."""
    ratings = [Rating("1", feasibility, reachable) for reachable, feasibility, _ in given]
    step = StepAsk(VERSION, Person(None), objective=OBJECTIVE)
    ask = BeginAsk(tuple(Candidate(step, minimum) for *_, minimum in given))
    legs: list[Any] = [FakeLeg(feasibility) for _, feasibility, _ in given]
    able = [
        leg
        for leg, rating, each in zip(legs, ratings, ask.candidates, strict=True)
        if may_begin(rating, each.minimum)
    ]
    chosen = ask.chosen(ratings)
    if chosen is None:
        assert not able
    else:
        assert legs[chosen] is choosing.winner(able)


def test_everybody_is_read_once(engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The objective hidden, at least; the planner's own readings are its own affair."""
    read: list[int] = []
    plain = IRN.log_probs

    def counted(self: IRN, histories: Sequences, users: Any = None) -> Any:
        read.append(len(histories))
        return plain(self, histories, users)

    monkeypatch.setattr(IRN, "log_probs", counted)
    asks = [
        BeginAsk(
            tuple(
                Candidate(StepAsk(VERSION, Person(user), objective=each, horizon=HORIZON), 0.0)
                for each in (OBJECTIVE, Objective.category("Drama"))
            )
        )
        for user in USERS[:5]
    ]
    assert all(answer.step is not None for answer in engine.begins(asks))
    assert read == [5]


def test_what_is_asked_wrongly_is_said_as_before(engine: LocalEngine) -> None:
    step = StepAsk(VERSION, Person(None), objective=OBJECTIVE, horizon=HORIZON)
    far = engine.begin(BeginAsk((Candidate(replace(step, horizon=99), 0.0),)))
    assert (far.chosen, far.step) == (0, None), "who asks for the step by itself hears why"
    with pytest.raises(UnknownIdError, match="'x'"):
        engine.begin(BeginAsk((Candidate(replace(step, objective=Objective.item("x"))),)))
    with pytest.raises(ModelFileError):
        engine.begin(BeginAsk((Candidate(replace(step, version="default/none")),)))
    with pytest.raises(ValueError, match="one person"):
        BeginAsk((Candidate(step), Candidate(replace(step, person=Person(USERS[1])))))
    with pytest.raises(ValueError, match="before anything happened"):
        engine.begin(BeginAsk((Candidate(replace(step, moments=(Moment(ITEMS[0], "organic"),))),)))
    excluding = Limits(excluded_items=frozenset(ITEMS))
    none = engine.begin(BeginAsk((Candidate(replace(step, limits=excluding), 0.0),)))
    assert none.step is not None
    assert none.step.item is None
    rate = RateAsk(VERSION, Person(None), OBJECTIVE, 0.0)
    assert none.ratings == engine.rate((rate,))
