"""Whole paths, their figures by the judge, ratings and audiences."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import influpath as ip
from influpath.errors import ConfigError, UnknownIdError
from influpath.planning.aims import aim
from influpath.planning.audience import audience
from influpath.planning.objectives import Objective
from influpath.serving.engine.asks import (
    AudienceAsk,
    Limits,
    Moment,
    PathAsk,
    Person,
    RateAsk,
    StepAsk,
)
from influpath.serving.engine.engine import LocalEngine
from influpath.testing import tiny_pairs

from .tiny_bundle import HORIZON, ITEMS, TINY, USERS, VERSION, limits, objectives, people

# So low that nothing is hopeless.
ANYTHING = 0.0


@pytest.mark.parametrize("planner", ["irn", "vanilla", "rec2inf", "lookahead", "ipg", "direct"])
def test_a_path_and_its_figures_are_those_of_plan_and_evaluate(
    engine: LocalEngine, planner: str
) -> None:
    bundle = engine.load(VERSION).bundle
    pairs = tiny_pairs(TINY, 6)
    planned = ip.plan(bundle.planners[planner], pairs, TINY, max_length=HORIZON)
    table = ip.evaluate(bundle.judge, pairs, planned, TINY).values["planner"]
    for place, pair in enumerate(pairs.iter_rows(named=True)):
        ask = PathAsk(
            VERSION,
            Person(str(pair["user_id"])),
            Objective.item(pair["objective_id"]),
            planner,
            HORIZON,
            minimum=ANYTHING,
        )
        answer = engine.path(ask)
        assert [step.item for step in answer.steps] == planned.items_of(pair["pair_id"])
        figures = answer.figures
        assert figures.length == len(answer.steps)
        assert figures.reached == bool(table["sr"][place])
        assert figures.accepted == bool(table["accepted_sr@20"][place])
        for name, value in (
            ("ioi", figures.increase_of_interest),
            ("log_ppl", figures.log_perplexity),
            ("worst_step", figures.worst_step),
        ):
            assert value == pytest.approx(table[name][place], abs=1e-4)
        assert answer.judge == bundle.judge.name
        perplexity = -np.mean(np.log([step.acceptance for step in answer.steps]))
        assert figures.log_perplexity == pytest.approx(perplexity, abs=1e-4)
        assert answer.end_probability is not None
        increase = np.log(answer.end_probability) - np.log(answer.steps[0].objective_probability)
        assert figures.increase_of_interest == pytest.approx(increase, abs=1e-4)
        assert all(step.reason for step in answer.steps)
        assert answer.target == pair["objective_id"]


@settings(max_examples=15, deadline=None)
@given(person=people, item=st.sampled_from(ITEMS), within=limits)
def test_a_path_is_what_step_after_step_shows(
    engine: LocalEngine, person: Person, item: str, within: Limits
) -> None:
    objective = Objective.item(item)
    path = engine.path(
        PathAsk(VERSION, person, objective, "irn", HORIZON, limits=within, minimum=ANYTHING)
    )
    moments: tuple[Moment, ...] = ()
    for step in path.steps:
        ask = StepAsk(VERSION, person, moments, objective, HORIZON, adapts=False, limits=within)
        answer = engine.step(ask)
        assert answer.item == step.item
        assert answer.is_objective == step.is_objective
        moments = (*moments, Moment(step.item, "accepted"))
    if not any(step.is_objective for step in path.steps):
        ask = StepAsk(VERSION, person, moments, objective, HORIZON, adapts=False, limits=within)
        assert engine.step(ask).item is None


def test_the_frontier_is_what_each_aggressiveness_comes_to(engine: LocalEngine) -> None:
    pair = tiny_pairs(TINY, 1).row(0, named=True)
    ask = PathAsk(
        VERSION,
        Person(pair["user_id"]),
        Objective.item(pair["objective_id"]),
        horizon=HORIZON,
        frontier=(0.0, 0.5, 2.0),
        minimum=ANYTHING,
    )
    for push, figures in zip(ask.frontier, engine.path(ask).frontier, strict=True):
        alone = engine.path(replace(ask, aggressiveness=push, frontier=())).figures
        assert figures.aggressiveness == push
        assert (figures.length, figures.reached) == (alone.length, alone.reached)
        assert figures.log_perplexity == pytest.approx(alone.log_perplexity, abs=1e-4)


def test_a_path_goes_on_after_a_rejection(engine: LocalEngine) -> None:
    pair = tiny_pairs(TINY, 1).row(0, named=True)
    ask = PathAsk(
        VERSION,
        Person(pair["user_id"]),
        Objective.item(pair["objective_id"]),
        "vanilla",
        HORIZON,
        minimum=ANYTHING,
    )
    before = engine.path(ask)
    first, second = before.steps[:2]
    moments = (Moment(first.item, "accepted"), Moment(second.item, "rejected"))
    after = engine.path(replace(ask, moments=moments))
    assert after.steps[0].number == 2
    assert not {first.item, second.item} & {step.item for step in after.steps}
    assert len(after.steps) <= HORIZON - 2


def test_what_was_answered_is_judged_as_it_was_before(engine: LocalEngine) -> None:
    pair = tiny_pairs(TINY, 1).row(0, named=True)
    person, objective = Person(pair["user_id"]), Objective.item(pair["objective_id"])
    ask = PathAsk(VERSION, person, objective, "vanilla", HORIZON, minimum=ANYTHING)
    whole = engine.path(ask)
    first, second, third, *_ = whole.steps
    moments = (Moment(first.item, "accepted"), Moment(second.item, "rejected"))
    before = engine.path(replace(ask, moments=(*moments, Moment(third.item, "accepted")))).before
    assert [step.number for step in before] == [1, 2, 2]
    assert [step.answer for step in before] == ["accepted", "rejected", "accepted"]
    for step, same in zip(before, (first, second), strict=False):
        assert (step.item, step.rank) == (same.item, same.rank)
        assert step.acceptance == pytest.approx(same.acceptance, abs=1e-6)
        assert step.objective_probability == pytest.approx(same.objective_probability, abs=1e-6)
    # The third was judged after the first alone, for the second was not taken.
    assert before[2].objective_probability == before[1].objective_probability
    hopeless = engine.path(replace(ask, minimum=1.0, moments=moments)).before
    # The same but for rounding: fewer were judged at once.
    for step, same in zip(hopeless, before[:2], strict=True):
        assert (step.number, step.item, step.rank) == (same.number, same.item, same.rank)
        assert step.acceptance == pytest.approx(same.acceptance, rel=1e-5)
        assert step.objective_probability == pytest.approx(same.objective_probability, rel=1e-5)
    assert whole.before == ()


@settings(max_examples=15, deadline=None)
@given(person=people, objective=objectives, within=limits)
def test_a_path_keeps_its_limits_and_ends_with_any_member(
    engine: LocalEngine, person: Person, objective: Objective, within: Limits
) -> None:
    ask = PathAsk(VERSION, person, objective, horizon=HORIZON, limits=within, minimum=ANYTHING)
    answer = engine.path(ask)
    members = {ITEMS[number - 1] for number in objective.members(TINY)}
    genres = dict(zip(ITEMS, TINY.catalogue["genres"].to_list(), strict=True))
    for place, step in enumerate(answer.steps):
        assert step.item not in within.excluded_items
        assert not within.excluded_categories & set(genres[step.item])
        assert step.is_objective == (step.item in members)
        assert not step.is_objective or place == len(answer.steps) - 1
    if answer.figures.reached:
        assert answer.target == answer.steps[-1].item


def test_a_hopeless_path_is_not_begun(engine: LocalEngine) -> None:
    pair = tiny_pairs(TINY, 1).row(0, named=True)
    ask = PathAsk(VERSION, Person(pair["user_id"]), Objective.item(pair["objective_id"]))
    answer = engine.path(replace(ask, horizon=HORIZON, minimum=1.0))
    assert answer.steps == ()
    assert not answer.rating.reachable
    assert answer.rating.note == "feasibility below 1"
    with pytest.raises(UnknownIdError, match="'spaceship' is not in the bundle"):
        engine.path(replace(ask, planner="spaceship"))
    with pytest.raises(ConfigError):
        engine.path(replace(ask, horizon=99, minimum=ANYTHING))


# Ratings and audiences ----------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(
    wanted=st.lists(st.tuples(st.sampled_from(USERS), objectives), min_size=1, max_size=5),
    minimum=st.sampled_from([0.0, 0.3]),
)
def test_ratings_are_those_of_aim(
    engine: LocalEngine, wanted: list[tuple[str, Objective]], minimum: float
) -> None:
    bundle = engine.load(VERSION).bundle
    asked = tuple(RateAsk(VERSION, Person(user), each, minimum) for user, each in wanted)
    for (user, objective), rating in zip(wanted, engine.rate(asked), strict=True):
        frame = aim(bundle.model, objective, TINY, bundle.feasibility, [user], minimum)
        row = frame.row(0, named=True)
        assert rating.target == row["objective_id"]
        assert rating.feasibility == pytest.approx(row["feasibility"], abs=1e-5)
        assert (rating.reachable, rating.note) == (row["reachable"], row["note"])


def test_the_audience_is_that_of_the_package(engine: LocalEngine) -> None:
    bundle = engine.load(VERSION).bundle
    assert bundle.feasibility is not None
    objective = Objective.category("War")
    frame = audience(bundle.model, objective, TINY, bundle.feasibility, minimum=0.2)
    wanted = frame.filter("reachable")
    for _ in range(2):
        # The second time from memory.
        answer = engine.audience(AudienceAsk(VERSION, objective, 0.2, top=5))
        assert answer.total == len(TINY.users)
        assert answer.reachable == wanted.height
        assert [member.user for member in answer.members] == wanted["user_id"].to_list()[:5]
        assert [member.target for member in answer.members] == wanted["item_id"].to_list()[:5]
    assert engine.audience(AudienceAsk(VERSION, objective, 0.0)).reachable > wanted.height
    with pytest.raises(ConfigError, match="probability"):
        engine.audience(AudienceAsk(VERSION, objective, 2.0))
