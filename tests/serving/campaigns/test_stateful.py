"""Anything may happen in any order; what must hold, holds after every step, on both databases."""

from collections import Counter
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from influpath.planning.objectives import Objective
from influpath.serving.campaigns.people import MOST_GOALS
from influpath.serving.campaigns.service import Caller, Service
from influpath.serving.errors import ConflictError, NotFoundError
from influpath.serving.schemas import (
    CampaignChange,
    Event,
    Exclusions,
    GoalIn,
    Guardrails,
    ModelIn,
    Next,
    OptOutIn,
)
from influpath.serving.settings import ServerSettings
from influpath.serving.store.database import Database
from influpath.serving.store.tables import events, journeys, proposals, tenants
from serving.campaigns.acting import answer, ask, create, organic, send
from serving.conftest import Clock
from serving.fakes import FakeEngine

USERS = st.integers(1, 3)
ITEMS = st.integers(1, 14)
KINDS = st.sampled_from(["accepted", "rejected", "ignored"])
OBJECTIVES = st.sampled_from(
    [
        Objective.item(9),
        Objective.of_items([5, 7]),
        Objective.category("Drama"),
        Objective.category("Western"),
    ]
)


class Campaigns(RuleBasedStateMachine):
    """Users, campaigns, models and time, in any order."""

    store: Database

    @initialize()
    def begin(self) -> None:
        self.clock = Clock()
        self.engine = FakeEngine()
        # A tenant of its own is as good as a database of its own, and cheaper.
        tenant = f"t{uuid4().hex[:12]}"
        self.admin = Caller(tenant, "root", "admin")
        self.service = Service(
            self.store, self.engine, ServerSettings(), self.clock, self.engine.catalogue
        )
        self.service.register_model(self.admin, ModelIn(version="v1"))
        self.versions = ["v1"]
        self.open: dict[int, Next] = {}
        self.rejected: dict[int, set[int]] = {1: set(), 2: set(), 3: set()}
        self.out: set[int] = set()
        self.excluded: dict[int, set[int]] = {1: set(), 2: set(), 3: set()}
        self.sent: list[tuple[Event, str]] = []
        self.late: list[Next] = []
        self.ids: list[str] = []
        self.numbers = 0

    @rule(user=USERS)
    def ask(self, user: int) -> None:
        shown = ask(self.service, user, self.admin)
        assert ask(self.service, user, self.admin) == shown or shown.item is None
        if user in self.open and self.open[user].proposal_id != shown.proposal_id:
            self.late.append(self.open[user])
        if shown.item is None:
            self.open.pop(user, None)
            return
        self.open[user] = shown
        assert shown.item.id not in self.rejected[user]
        assert shown.item.id not in self.excluded[user]
        if user in self.out:
            assert shown.source != "campaign"
        if shown.campaign_id is not None:
            assert self.service.campaign(self.admin, shown.campaign_id).status == "running"
        if shown.step is not None and shown.horizon is not None:
            assert 1 <= shown.step <= shown.horizon

    def send(self, event: Event) -> str:
        return send(self.service, event, self.admin)

    def event(self, shown: Next, kind: str) -> Event:
        return answer(shown, kind, self.fresh())

    def fresh(self) -> str:
        self.numbers += 1
        return f"e{self.numbers}"

    @rule(user=USERS, kind=KINDS)
    def answer(self, user: int, kind: str) -> None:
        shown = self.open.pop(user, None)
        if shown is None or shown.item is None:
            return
        event = self.event(shown, kind)
        assert self.send(event) == "recorded"
        self.sent.append((event, "duplicate"))
        if kind == "rejected":
            assert isinstance(shown.item.id, int)
            self.rejected[user].add(shown.item.id)

    @precondition(lambda self: self.late)
    @rule(data=st.data(), kind=KINDS)
    def answer_late(self, data: st.DataObject, kind: str) -> None:
        shown = self.late.pop(data.draw(st.integers(0, len(self.late) - 1)))
        event = self.event(shown, kind)
        assert self.send(event) == "recorded"
        other = self.event(shown, kind)
        assert self.send(other) == "answered_before"
        assert shown.item is not None
        if kind == "rejected":
            assert isinstance(shown.item.id, int)
            assert isinstance(shown.user_id, int)
            self.rejected[shown.user_id].add(shown.item.id)
            open_now = self.open.get(shown.user_id)
            if open_now and open_now.item and open_now.item.id == shown.item.id:
                del self.open[shown.user_id]

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def send_again(self, data: st.DataObject) -> None:
        event, expected = data.draw(st.sampled_from(self.sent))
        assert self.send(event) == expected
        with pytest.raises(ConflictError):
            self.send(event.model_copy(update={"item_id": 99}))

    @rule(user=USERS, item=ITEMS)
    def take(self, user: int, item: int) -> None:
        event = organic(item, user, self.fresh())
        assert self.send(event) == "recorded"
        self.sent.append((event, "duplicate"))

    @rule(user=USERS, out=st.booleans())
    def opt_out(self, user: int, out: bool) -> None:
        got = self.service.opt_out(self.admin, user, OptOutIn(opted_out=out))
        assert got.opted_out == out
        (self.out.add if out else self.out.discard)(user)

    @rule(user=USERS, items=st.sets(st.integers(1, 12), max_size=3))
    def exclude(self, user: int, items: set[int]) -> None:
        self.service.exclude(self.admin, user, Exclusions(items=tuple(items)))
        self.excluded[user] = items

    @rule(user=USERS, objective=OBJECTIVES, horizon=st.integers(1, 4))
    def set_goal(self, user: int, objective: Objective, horizon: int) -> None:
        members = {int(item) for item in self.engine.known.members(objective)}
        # Where as many are open as may be, another is refused.
        full = (
            self.known(user)
            and sum(goal.status == "open" for goal in self.service.user(self.admin, user).goals)
            >= MOST_GOALS
        )
        if not members <= self.excluded[user] and not full:
            self.service.add_goal(self.admin, user, GoalIn(objective=objective, horizon=horizon))

    @rule(user=USERS)
    def give_up(self, user: int) -> None:
        if self.known(user):
            for goal in self.service.user(self.admin, user).goals:
                self.service.give_up_goal(self.admin, user, goal.id)

    @rule(user=USERS)
    def forget(self, user: int) -> None:
        before = self.effects()
        self.service.delete_user(self.admin, user)
        # What a report has shown does not change because somebody goes.
        assert self.effects() == before
        self.open.pop(user, None)
        self.late = [shown for shown in self.late if shown.user_id != user]
        self.sent = [(event, what) for event, what in self.sent if event.user_id != user]
        self.rejected[user], self.excluded[user] = set(), set()

    @rule(
        objective=OBJECTIVES,
        horizon=st.integers(1, 4),
        priority=st.integers(0, 1),
        holdout=st.sampled_from([0.0, 0.5]),
        days=st.sampled_from([None, 3.0]),
        least=st.sampled_from([0.0, 0.9]),
    )
    def create(
        self,
        objective: Objective,
        horizon: int,
        priority: int,
        holdout: float,
        days: float | None,
        least: float,
    ) -> None:
        made = create(
            self.service,
            self.admin,
            objective=objective,
            horizon=horizon,
            priority=priority,
            holdout=holdout,
            window_days=5,
            ends_at=None if days is None else self.clock() + (days * Clock.DAY),
            guardrails=Guardrails(min_feasibility=least),
        )
        self.ids.append(made.id)

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), status=st.sampled_from(["paused", "running", "ended"]))
    def change(self, data: st.DataObject, status: str) -> None:
        campaign = data.draw(st.sampled_from(self.ids))
        change = CampaignChange.model_validate({"status": status})
        if self.service.campaign(self.admin, campaign).status == "ended":
            with pytest.raises(ConflictError):
                self.service.change_campaign(self.admin, campaign, change)
        else:
            assert self.service.change_campaign(self.admin, campaign, change).status == status

    @rule()
    def new_model(self) -> None:
        version = f"v{len(self.versions) + 1}"
        self.versions.append(version)
        self.service.register_model(self.admin, ModelIn(version=version))
        assert self.service.activate_model(self.admin, version).active

    @precondition(lambda self: len(self.versions) > 2)
    @rule()
    def lose_model(self) -> None:
        # Never the active one.
        self.service.activate_model(self.admin, self.versions[-1])
        self.engine.gone.add(f"{self.admin.tenant}/{self.versions[-2]}")

    @rule(days=st.sampled_from([1, 4, 8]))
    def wait(self, days: int) -> None:
        self.clock.forward(days=days)

    @precondition(lambda self: self.ids)
    @rule(data=st.data())
    def look(self, data: st.DataObject) -> None:
        report = self.service.report(self.admin, data.draw(st.sampled_from(self.ids)))
        enrolled, *_, arrived = report.funnel
        for arm in ("treated", "control"):
            assert getattr(arrived, arm) <= getattr(enrolled, arm)
        over = report.uplift.treated.n + report.uplift.control.n
        assert over + report.uplift.pending == enrolled.treated + enrolled.control
        assert sum(day.shown for day in report.days) == sum(report.answers.values())

    def effects(self) -> list[tuple[object, ...]]:
        reports = [self.service.report(self.admin, campaign) for campaign in self.ids]
        return [(each.funnel, each.uplift, each.users_needed) for each in reports]

    def known(self, user: int) -> bool:
        try:
            self.service.user(self.admin, user)
        except NotFoundError:
            return False
        return True

    @invariant()
    def holds(self) -> None:
        if not hasattr(self, "admin"):
            return
        own = tenants.c.tenant_id == self.admin.tenant
        with self.store.reading() as connection:
            shown = connection.execute(
                select(proposals)
                .join(tenants, proposals.c.tenant_id == tenants.c.tenant_id)
                .where(own)
            ).all()
            kept = connection.execute(
                select(journeys).where(journeys.c.tenant_id == self.admin.tenant)
            ).all()
            used = Counter(
                connection.scalars(
                    select(events.c.journey_id).where(events.c.tenant_id == self.admin.tenant)
                )
            )
        at_once = Counter(row.user_ref for row in shown if row.status == "open")
        assert max(at_once.values(), default=0) <= 1
        for journey in kept:
            its = [row for row in shown if row.journey_id == journey.id]
            assert {row.version for row in its} <= {journey.version}
            counted = [row for row in its if row.status != "withdrawn"]
            assert len(counted) == journey.shown <= journey.horizon
            # Every slot that is over was used up by one event.
            closed = [row for row in counted if row.status != "open"]
            assert used[journey.id] == len(closed)
            if journey.arm == "control":
                assert not its
            if journey.status == "arrived":
                assert journey.arrived_at is not None


@pytest.fixture
def machine(store: Database) -> type[Campaigns]:
    return type("Campaigns", (Campaigns,), {"store": store})


def test_what_must_hold_holds_whatever_happens(machine: type[Campaigns]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=12,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
