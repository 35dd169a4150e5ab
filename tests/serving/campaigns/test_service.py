"""What is promised of campaigns, one thing at a time, on both databases."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from threading import Event as Signal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from influpath.errors import ConfigError, InfluPathError, ModelFileError, UnknownIdError
from influpath.planning.objectives import Objective
from influpath.serving.campaigns import managing, people
from influpath.serving.campaigns.catalogues import LoadedCatalogues
from influpath.serving.campaigns.holdout import arm_of, share_of
from influpath.serving.campaigns.service import Service
from influpath.serving.engine.catalogue import Catalogue
from influpath.serving.errors import ConflictError, ForbiddenError, NotFoundError, NotReadyError
from influpath.serving.schemas import (
    Campaign,
    CampaignChange,
    CampaignIn,
    Event,
    Exclusions,
    GoalIn,
    Guardrails,
    ModelIn,
    NextIn,
    OptOutIn,
    PlanIn,
)
from influpath.serving.settings import ServerSettings
from influpath.serving.store import tenants
from serving.campaigns.acting import FILM_9, answer, ask, create, organic, send, send_all
from serving.conftest import ADMIN, SERVER, VIEWER, Clock
from serving.fakes import FakeCatalogue, FakeEngine

OUT = OptOutIn(opted_out=True)


def test_a_user_is_led_to_the_objective(service: Service) -> None:
    campaign = create(service)
    for step in (1, 2, 3):
        shown = ask(service)
        assert (shown.campaign_id, shown.step) == (campaign.id, step)
        send(service, answer(shown))
    assert shown.is_objective
    assert service.user(VIEWER, 1).journeys[0].status == "arrived"
    assert ask(service).source == "plain"


def test_highest_priority_then_feasibility_then_one_at_a_time(
    service: Service, engine: FakeEngine
) -> None:
    low = create(service, priority=0)
    assert ask(service).campaign_id == low.id
    high = create(service, priority=5, objective=Objective.item(10))
    # As many as may lead do: the other waits until the first is over.
    send(service, answer(ask(service)))
    assert ask(service).campaign_id == low.id
    assert ask(service, 2).campaign_id == high.id


def test_who_is_not_feasible_is_counted_and_not_led(service: Service, engine: FakeEngine) -> None:
    engine.feasibility["1"] = 0.001
    campaign = create(service)
    assert ask(service).source == "plain"
    assert service.user(VIEWER, 1).journeys[0].status == "over"
    assert service.report(VIEWER, campaign.id).funnel[0].treated == 1


def test_the_hold_out_gets_the_plain_recommender_and_arrives_by_itself(service: Service) -> None:
    campaign = create(service, holdout=0.9)
    control = next(
        user for user in range(1, 50) if arm_of(campaign.id, str(user), 0.9) == "control"
    )
    shown = ask(service, control)
    assert (shown.source, shown.campaign_id, shown.step) == ("plain", None, None)
    send(service, organic(9, control))
    report = service.report(VIEWER, campaign.id)
    assert (report.funnel[0].control, report.funnel[-1].control) == (1, 1)


@given(st.text(min_size=1), st.text(min_size=1))
def test_shares_are_in_the_unit_interval_and_arms_nested(campaign: str, user: str) -> None:
    share = share_of(campaign, user)
    assert 0 <= share < 1
    assert arm_of(campaign, user, share) == "treated"
    assert arm_of(campaign, user, min(share + 1e-9, 1.0)) == "control"


def test_shares_are_uniform_and_independent_between_campaigns() -> None:
    # 20,000 users: three standard errors of a share of 0.3 are 0.0097.
    arms = [
        [arm_of(campaign, str(user), 0.3) == "control" for user in range(20_000)]
        for campaign in ("a", "b")
    ]
    assert sum(arms[0]) / 20_000 == pytest.approx(0.3, abs=0.0097)
    assert sum(map(all, zip(*arms, strict=True))) / 20_000 == pytest.approx(0.09, abs=0.0061)


def test_an_opt_out_holds_on_the_very_next_call(service: Service) -> None:
    create(service)
    shown = ask(service)
    assert shown.source == "campaign"
    service.opt_out(SERVER, 1, OUT)
    assert ask(service).source == "plain"
    # What was shown before may still be answered.
    assert send(service, answer(shown, "rejected")) == "recorded"


def test_an_opt_out_while_the_engine_thinks_holds(service: Service, engine: FakeEngine) -> None:
    create(service)

    def hook(_: object) -> None:
        engine.hook = None
        service.opt_out(SERVER, 1, OUT)

    send(service, answer(ask(service)))
    engine.hook = hook
    assert ask(service).source == "plain"


def test_goals_come_first_and_survive_an_opt_out(service: Service) -> None:
    create(service)
    goal = service.add_goal(SERVER, 1, GoalIn(objective=Objective.item(10)))
    service.opt_out(SERVER, 1, OUT)
    shown = ask(service)
    assert (shown.source, shown.goal_id) == ("goal", goal.id)
    assert service.give_up_goal(SERVER, 1, goal.id).status == "given_up"
    assert ask(service).source == "plain"


def test_an_excluded_item_is_withdrawn_at_once(service: Service) -> None:
    create(service)
    shown = ask(service)
    assert shown.item is not None
    service.set_exclusions(ADMIN, Exclusions(categories=(shown.item.categories[0].upper(),)))
    again = ask(service)
    assert again.item is not None
    assert again.item.categories != shown.item.categories
    with pytest.raises(UnknownIdError):
        service.exclude(SERVER, 1, Exclusions(items=(99,)))
    with pytest.raises(ConfigError, match="excluded"):
        create(service, guardrails=Guardrails(excluded=Exclusions(items=(9,))))


def test_a_proposal_that_nobody_answers_counts_as_ignored(service: Service, clock: Clock) -> None:
    campaign = create(service)
    shown = ask(service)
    clock.forward(days=8)
    second = ask(service)
    assert (second.step, second.item != shown.item) == (2, True)
    assert service.report(VIEWER, campaign.id).answers["ignored"] == 1
    assert send(service, answer(shown)) == "recorded"
    assert service.report(VIEWER, campaign.id).answers["accepted"] == 1


@pytest.mark.parametrize("met", [False, True], ids=["somebody new", "somebody led"])
def test_a_campaign_that_ends_while_an_item_is_chosen_leads_nobody_any_more(
    service: Service, met: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = create(service)
    if met:
        send(service, answer(ask(service)))
    reads = {name: getattr(tenants, name) for name in ("revision", "held_revision")}
    with ThreadPoolExecutor(1) as pool:
        endings: list[Future[Campaign]] = []

        def reading(name: str) -> Callable[[Connection, str], int | None]:
            def read(connection: Connection, tenant: str) -> int | None:
                revision: int | None = reads[name](connection, tenant)
                if not endings:
                    end = CampaignChange(status="ended")
                    endings.append(pool.submit(service.change_campaign, ADMIN, campaign.id, end))
                    wait(endings, timeout=0.5)
                return revision

            return read

        for name in reads:
            monkeypatch.setattr(tenants, name, reading(name))
        ask(service)
        assert endings[0].result().status == "ended"
    assert [each.status for each in service.user(VIEWER, 1).journeys] == ["stopped"]
    assert ask(service).source == "plain"


def test_a_campaign_ends_with_its_time(service: Service, clock: Clock) -> None:
    campaign = create(service, ends_at=clock() + Clock.DAY)
    assert ask(service).source == "campaign"
    clock.forward(days=2)
    assert ask(service).source == "plain"
    assert service.campaign(VIEWER, campaign.id).status == "ended"
    assert service.user(VIEWER, 1).journeys[0].status == "stopped"


def test_a_journey_keeps_its_model_until_that_is_gone(service: Service, engine: FakeEngine) -> None:
    create(service)
    send(service, answer(ask(service)))
    service.register_model(ADMIN, ModelIn(version="v2"))
    service.activate_model(ADMIN, "v2")
    assert (ask(service).model, ask(service, 2).model) == ("v1", "v2")
    engine.gone.add("default/v1")
    assert (ask(service).model, ask(service).source) == ("v2", "plain")
    assert service.user(VIEWER, 1).journeys[0].status == "stopped"
    with pytest.raises(ModelFileError):
        service.roll_back(ADMIN)
    assert [model.version for model in service.models(VIEWER) if model.active] == ["v2"]
    engine.gone.clear()
    assert service.roll_back(ADMIN).version == "v1"
    with pytest.raises(ConflictError):
        service.roll_back(ADMIN)


def test_feedback_is_recorded_once_and_all_or_nothing(service: Service) -> None:
    shown = ask(service)
    own = answer(shown, name="a")
    with pytest.raises(NotFoundError):
        send_all(service, own, answer(shown, name="b").model_copy(update={"user_id": 2}))
    assert ask(service) == shown
    assert [each.status for each in send_all(service, own, own)] == ["recorded", "duplicate"]
    assert send(service, answer(shown, name="c")) == "answered_before"
    with pytest.raises(ConflictError):
        send(service, answer(shown, "rejected", name="a"))


def test_as_many_campaigns_and_goals_are_open_as_may_be(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(managing, "MOST_OPEN", 1)
    monkeypatch.setattr(people, "MOST_GOALS", 1)
    campaign = create(service)
    goal = service.add_goal(SERVER, 1, GoalIn(objective=FILM_9))
    with pytest.raises(ConflictError, match="end one"):
        create(service)
    with pytest.raises(ConflictError, match="give up one"):
        service.add_goal(SERVER, 1, GoalIn(objective=FILM_9))
    service.change_campaign(ADMIN, campaign.id, CampaignChange(status="ended"))
    service.give_up_goal(SERVER, 1, goal.id)
    assert create(service)
    assert service.add_goal(SERVER, 1, GoalIn(objective=FILM_9))


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_times_that_are_none_in_utc_are_refused(at: str) -> None:
    for build in (
        lambda: Event.model_validate(
            {"event_id": "e", "user_id": 1, "kind": "organic", "item_id": 1, "at": at}
        ),
        lambda: CampaignIn.model_validate({"name": "c", "objective": FILM_9, "ends_at": at}),
    ):
        with pytest.raises(ValueError, match="year 1 to 9999"):
            build()


def test_who_waits_for_a_catalogue_keeps_nobody_else_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, read = Signal(), Signal(), []

    def load(folder: Path) -> FakeCatalogue:
        read.append(folder.name)
        if folder.name == "slow":
            begun.set()
            assert go_on.wait(10)
        return FakeCatalogue()

    monkeypatch.setattr(Catalogue, "load", load)
    catalogues = LoadedCatalogues(tmp_path, held=2)
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(catalogues, "slow") for _ in range(2)]
        assert begun.wait(10)
        assert catalogues("quick")
        go_on.set()
        assert waiting[0].result() is waiting[1].result()
    assert sorted(read) == ["quick", "slow"]
    catalogues("third")
    assert catalogues("slow") is waiting[0].result()


def test_the_log_of_a_user_reads_as_plain_language(service: Service) -> None:
    create(service, name="Spring")
    send(service, answer(ask(service), "rejected"))
    said = [entry.words for entry in service.audit(VIEWER, user_id=1).entries]
    assert said[0] == "The user was enrolled in the campaign Spring."
    assert said[1].startswith("Film 2 (item 2) was shown as step 1 of at most 20")
    assert said[2] == "The user rejected Film 2 (item 2); it is not shown again."


@pytest.mark.parametrize(("cap", "pushes"), [(0.0, 1), (2.0, 6), (2.5, 6), (10.0, 9)])
def test_the_frontier_goes_as_far_as_campaigns_may(
    service: Service, cap: float, pushes: int
) -> None:
    service.settings = ServerSettings(max_aggressiveness=cap)
    asked = PlanIn(user_id=1, objective=FILM_9, frontier=True)
    frontier = [point.aggressiveness for point in service.plan(VIEWER, asked).frontier]
    assert len(frontier) == pushes
    assert frontier == sorted(set(frontier))
    assert max(frontier) <= cap
    assert service.plan(VIEWER, asked.model_copy(update={"frontier": False})).frontier == ()


def test_feasibility_is_said_of_the_planner_of_campaigns_alone(service: Service) -> None:
    asked = PlanIn(user_id=1, objective=FILM_9)
    for planner, feasibility in ((None, 0.5), ("irn", 0.5), ("vanilla", None)):
        plan = service.plan(VIEWER, asked.model_copy(update={"planner": planner}))
        assert plan.feasibility == feasibility
        assert any("Of users like this one" in said for said in plan.words) == bool(feasibility)


def test_roles(service: Service) -> None:
    for call in (
        lambda caller: service.create_campaign(caller, CampaignIn(name="c", objective=FILM_9)),
        lambda caller: service.register_model(caller, ModelIn(version="v9")),
        lambda caller: service.roll_back(caller),
        lambda caller: service.set_exclusions(caller, Exclusions()),
    ):
        for caller in (VIEWER, SERVER):
            with pytest.raises(ForbiddenError):
                call(caller)
    for act in (
        lambda: service.next(VIEWER, NextIn(user_id=1)),
        lambda: service.opt_out(VIEWER, 1, OUT),
        lambda: service.delete_user(VIEWER, 1),
        lambda: service.add_goal(VIEWER, 1, GoalIn(objective=FILM_9)),
    ):
        with pytest.raises(ForbiddenError):
            act()
    assert service.plan(VIEWER, PlanIn(user_id=1, objective=FILM_9)).target


def test_many_calls_at_once_agree(service: Service) -> None:
    create(service)
    with ThreadPoolExecutor(8) as pool:
        shown = set(pool.map(lambda _: ask(service).proposal_id, range(24)))
    assert len(shown) == 1
    proposal = ask(service)
    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda _: send(service, answer(proposal, name="same")), range(16)))
    assert sorted(said) == ["duplicate"] * 15 + ["recorded"]


def test_ready_says_what_is_missing(service: Service, engine: FakeEngine) -> None:
    service.ready()
    with service.store.writing() as connection:
        connection.exec_driver_sql("DELETE FROM activations")
    with pytest.raises(NotReadyError):
        service.ready()
    assert issubclass(NotReadyError, InfluPathError)
    assert ServerSettings().max_journeys == 1
