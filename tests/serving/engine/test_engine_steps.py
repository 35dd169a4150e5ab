"""The next item: that of a session that lived through it all, within limits, whoever else asks."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from influpath.data.sequences import IntArray, Sequences
from influpath.errors import ConfigError, ModelFileError, UnknownIdError
from influpath.planning.aims import Aim
from influpath.planning.base import PlanBatch
from influpath.planning.objectives import Objective
from influpath.planning.responses import Response
from influpath.planning.sensitivity import Sensitivity
from influpath.planning.session import Session
from influpath.recommenders.base import Recommender
from influpath.serving.engine.asks import Limits, Moment, Person, StepAnswer, StepAsk
from influpath.serving.engine.engine import LocalEngine
from influpath.serving.engine.steps import GONE, HAD

from .tiny_bundle import AHEAD_VERSION, HORIZON, ITEMS, TINY, USERS, VERSION, asks

RESPONSES = {
    "accepted": Response.ACCEPTED,
    "rejected": Response.REJECTED,
    "ignored": Response.IGNORED,
}
# Scores as close as that are equal but for rounding.
CLOSE = 1e-4


def number(item: str) -> int:
    return ITEMS.index(item) + 1


def history(person: Person) -> list[int]:
    """Return what a person had before, found out anew."""
    since = [number(item) for item in person.since]
    if person.user not in USERS or not person.known:
        return since
    return [*TINY.sequences.row(USERS.index(person.user)).tolist(), *since]


def row_of(person: Person, model: Recommender) -> int:
    known = person.known and person.user in USERS
    return int(model.users.encode([person.user], unknown="mark")[0]) if known else -1


def excluded(limits: Limits) -> torch.Tensor:
    """Return which items are excluded, [I], found out anew."""
    genres = TINY.catalogue["genres"].to_list()
    out = [
        item in limits.excluded_items or bool(limits.excluded_categories & set(own))
        for item, own in zip(ITEMS, genres, strict=True)
    ]
    return torch.tensor(out)


def ranks(log_prob_I: torch.Tensor, had: set[int]) -> dict[int, int]:
    """Return the rank of every item that was not had, counted one by one."""
    left = {item: float(log_prob_I[item - 1]) for item in range(1, 25) if item not in had}
    return {item: 1 + sum(other > value for other in left.values()) for item, value in left.items()}


def had_by(ask: StepAsk) -> set[int]:
    taken = [number(m.item) for m in ask.moments if m.answer in ("accepted", "organic")]
    return {*history(ask.person), *taken}


def lived(engine: LocalEngine, ask: StepAsk) -> tuple[int, torch.Tensor, IntArray]:
    """Return target, scores of what may be shown [I] and members, by a session that lived it all.

    It proposes at every slot, as it happens.
    """
    loaded = engine.load(ask.version)
    plain = ask.objective is None
    planner = loaded.plain if plain else loaded.bundle.planner
    members = np.array([1]) if ask.objective is None else ask.objective.members(TINY)
    batch = PlanBatch(
        users_B=np.array([row_of(ask.person, planner.model)]),
        histories=Sequences.from_rows([history(ask.person)]),
        objectives_B=members[:1],
        max_length=HORIZON,
        items=24,
    )
    session = Session(planner, batch, Sensitivity())
    for moment in ask.moments:
        item = np.array([number(moment.item)])
        if moment.answer == "organic":
            session.observe(item)
        else:
            session.propose()
            session.respond(item, np.array([RESPONSES[moment.answer]], dtype=np.int8))
    state = session.state
    learned = state.push_B if ask.adapts else np.ones(1)
    state.push_B = np.minimum(ask.aggressiveness * learned, ask.most)
    open_BI = state.barred_BI
    state.barred_BI = open_BI | excluded(ask.limits)
    target = 0
    if not plain:
        aim = Aim(planner.model, members, loaded.bundle.feasibility)
        target = int(aim.choose(state).members_P[0])
        if not target:
            back = open_BI.clone()
            back[0, state.resting_BN[state.resting_BN > 0] - 1] = False
            state.barred_BI = back | excluded(ask.limits)
            target = int(aim.choose(state).members_P[0])
            state.barred_BI = open_BI | excluded(ask.limits)
        if target:
            session.retarget(np.array([target]))
    if ask.limits.floor:
        log_probs = planner.model.log_probs(state.known, batch.users_B)[0]
        for other, rank in ranks(log_probs, had_by(ask)).items():
            if rank > ask.limits.floor:
                state.barred_BI[0, other - 1] = True
    with torch.inference_mode():
        scores = planner.next_item_scores(state)
    assert scores is not None
    return target, scores[0].masked_fill(state.barred_BI[0], -torch.inf), members


@pytest.mark.parametrize("version", [VERSION, AHEAD_VERSION])
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_the_next_item_is_that_of_a_session_that_lived_through_it(
    engine: LocalEngine, version: str, data: st.DataObject
) -> None:
    ask = data.draw(asks(version))
    answer = engine.step(ask)
    target, scores_I, members = lived(engine, ask)
    if ask.objective is not None:
        assert answer.target == (ITEMS[target - 1] if target else None)
    if not scores_I.isfinite().any() or (ask.objective is not None and not target):
        assert answer.item is None
        assert answer.note
        return
    assert answer.item is not None
    assert scores_I[number(answer.item) - 1] >= scores_I.max() - CLOSE
    assert answer.is_objective == (
        ask.objective is not None and number(answer.item) in members.tolist()
    )


@settings(max_examples=30, deadline=None)
@given(ask=asks())
def test_nothing_beyond_the_limits_is_ever_shown(engine: LocalEngine, ask: StepAsk) -> None:
    answer = engine.step(ask)
    if answer.item is None:
        return
    item, had = number(answer.item), had_by(ask)
    assert not excluded(ask.limits)[item - 1]
    assert item not in had
    assert answer.item not in {m.item for m in ask.moments if m.answer == "rejected"}
    bundle = engine.load(VERSION).bundle
    model = bundle.plain if ask.objective is None else bundle.model
    known = [*history(ask.person)]
    known += [number(m.item) for m in ask.moments if m.answer in ("accepted", "organic")]
    log_probs_I = model.log_probs(
        Sequences.from_rows([known]), np.array([row_of(ask.person, model)])
    )[0]
    rank = ranks(log_probs_I, had)[item]
    assert rank <= ask.limits.floor or not ask.limits.floor
    assert answer.rank == rank
    assert answer.acceptance == pytest.approx(float(log_probs_I[item - 1].exp()), rel=1e-3)
    assert answer.reason is not None
    assert f"rank {rank}" in answer.reason
    assert answer.aggressiveness <= ask.most


@settings(max_examples=12, deadline=None)
@given(
    many=st.lists(st.one_of(asks(), asks(AHEAD_VERSION)), min_size=2, max_size=8),
    alike=st.booleans(),
)
def test_an_answer_does_not_depend_on_who_else_asks(
    engine: LocalEngine, many: list[StepAsk], alike: bool
) -> None:
    if alike:
        # All in one session: nothing shown yet.
        many = [
            StepAsk(VERSION, ask.person, objective=Objective.item(ITEMS[3]), horizon=HORIZON)
            for ask in many
        ]
    for ask, answer in zip(many, engine.steps(many), strict=True):
        alone = engine.step(ask)
        assert isinstance(answer, StepAnswer)
        assert (answer.item, answer.target, answer.rank) == (alone.item, alone.target, alone.rank)
        assert answer.note == alone.note
        if alone.acceptance is not None:
            assert answer.acceptance == pytest.approx(alone.acceptance, rel=1e-4)


def test_whoever_is_wrong_fails_alone(engine: LocalEngine) -> None:
    good = StepAsk(VERSION, Person(USERS[0]), objective=Objective.item(ITEMS[3]), horizon=HORIZON)
    bad = StepAsk(VERSION, Person(USERS[0]), objective=Objective.item("x"), horizon=HORIZON)
    far = StepAsk(VERSION, Person(USERS[0]), objective=Objective.item(ITEMS[3]), horizon=99)
    none = StepAsk("default/none", Person(USERS[0]))
    answers = engine.steps([good, bad, far, none, good])
    assert answers[0] == answers[4] == engine.step(good)
    assert [type(answer) for answer in answers[1:4]] == [
        UnknownIdError,
        ConfigError,
        ModelFileError,
    ]


def test_a_history_may_be_empty_or_of_nobody(engine: LocalEngine) -> None:
    objective = Objective.item(ITEMS[3])
    nobody = engine.step(StepAsk(VERSION, Person(None), objective=objective, horizon=HORIZON))
    stranger = engine.step(
        StepAsk(VERSION, Person("stranger"), objective=objective, horizon=HORIZON)
    )
    erased = engine.step(
        StepAsk(VERSION, Person(USERS[0], known=False), objective=objective, horizon=HORIZON)
    )
    assert nobody == stranger == erased
    assert nobody.item is not None
    assert engine.step(StepAsk(VERSION, Person(None))).item is not None


def test_what_cannot_be_read_is_left_out_but_of_a_pasted_history(engine: LocalEngine) -> None:
    person = Person(USERS[0], since=("a new film",))
    moments = (Moment("a new film", "organic"),)
    assert engine.step(StepAsk(VERSION, person, moments)) == engine.step(
        StepAsk(VERSION, Person(USERS[0]))
    )
    with pytest.raises(UnknownIdError, match="a new film"):
        engine.step(StepAsk(VERSION, Person(None, since=("a new film",))))
    with pytest.raises(UnknownIdError, match="a new film"):
        engine.step(StepAsk(VERSION, person, (Moment("a new film", "accepted"),)))


def test_notes_say_why_there_is_nothing(engine: LocalEngine) -> None:
    person = Person(None, since=(ITEMS[0],))

    def note(objective: Objective, **more: object) -> str | None:
        ask = StepAsk(VERSION, person, objective=objective, horizon=HORIZON, **more)  # type: ignore[arg-type]
        answer = engine.step(ask)
        assert answer.item is None
        return answer.note

    assert note(Objective.item(ITEMS[0])) == HAD
    excluding = Limits(excluded_items=frozenset({ITEMS[1]}))
    assert note(Objective.item(ITEMS[1]), limits=excluding) == GONE
    rejected = (Moment(ITEMS[1], "rejected"),)
    assert note(Objective.of_items(ITEMS[:2]), moments=rejected) == GONE
    over = tuple(Moment(item, "rejected") for item in ITEMS[4 : 4 + HORIZON])
    assert note(Objective.item(ITEMS[1]), moments=over) == "all 6 items of the journey were shown"
    ask = StepAsk(VERSION, person, objective=Objective.item(ITEMS[1]), horizon=HORIZON)
    best = engine.step(replace(ask, aggressiveness=0.0))
    assert best.rank == 1
    assert best.item is not None
    tight = Limits(excluded_items=frozenset({best.item}), floor=1)
    other = next(item for item in ITEMS[1:] if item != best.item)
    wanted = "none of the user's 1 most probable items may be shown"
    assert note(Objective.item(other), limits=tight) == wanted


def test_more_rejections_push_less_up_to_the_cap(engine: LocalEngine) -> None:
    def pushed(answers: str, adapts: bool = True, aggressiveness: float = 1.0) -> float:
        words = {"a": "accepted", "r": "rejected", "i": "ignored"}
        moments = tuple(
            Moment(ITEMS[place], words[answer])  # type: ignore[arg-type]
            for place, answer in enumerate(answers)
        )
        ask = StepAsk(
            VERSION,
            Person(USERS[3]),
            moments,
            Objective.category("Drama"),
            HORIZON,
            aggressiveness,
            adapts,
            most=1.5,
        )
        return engine.step(ask).aggressiveness

    assert pushed("rrr") < pushed("r") < pushed("i") == pushed("") == 1.0 < pushed("a")
    assert pushed("aaaaa") == pushed("", aggressiveness=9.0) == 1.5
    assert pushed("rrr", adapts=False) == 1.0
