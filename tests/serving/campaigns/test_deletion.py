"""Whoever is deleted is gone, also amid everything else, and stays a number in reports."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Connection, select

from influpath.planning.objectives import Objective
from influpath.serving.campaigns.service import Service
from influpath.serving.errors import NotFoundError
from influpath.serving.schemas import Audience, AudienceIn, GoalIn, OptOutIn
from influpath.serving.store import audit, users
from influpath.serving.store.tables import metadata
from serving.campaigns.acting import FILM_9, answer, ask, create, organic, send
from serving.conftest import SERVER, VIEWER, Clock
from serving.fakes import FakeEngine

OUT = OptOutIn(opted_out=True)


def test_a_deletion_while_the_engine_thinks_holds(service: Service, engine: FakeEngine) -> None:
    def hook(_: object) -> None:
        engine.hook = None
        service.delete_user(SERVER, 3)

    engine.hook = hook
    shown = ask(service, 3)
    assert send(service, answer(shown)) == "recorded"
    ask(service, 3)
    assert not engine.asked[-1].person.known


def test_the_data_of_a_user_is_deleted_everywhere(service: Service) -> None:
    name = "user-zoe-4711"
    create(service, audience=Audience(kind="users", users=(name, "other")))
    service.add_goal(SERVER, name, GoalIn(objective=Objective.item(10)))
    shown = ask(service, name)
    send(service, answer(shown))
    send(service, organic(4, name))
    service.opt_out(SERVER, name, OUT)
    service.delete_user(SERVER, name)
    with service.store.reading() as connection:
        for table in metadata.sorted_tables:
            assert name not in str(connection.execute(select(table)).all()), table.name
    with pytest.raises(NotFoundError):
        service.audit(VIEWER, user_id=name)
    with pytest.raises(NotFoundError):
        send(service, answer(shown))
    # Who comes again is as new, but still left alone.
    assert ask(service, name).source == "plain"
    assert service.user(VIEWER, name).opted_out


def test_who_goes_stays_a_number_and_counts_once(service: Service, clock: Clock) -> None:
    campaign = create(service, window_days=1.5)
    ask(service, 1)
    send(service, organic(9, 1))
    ask(service, 2)
    service.delete_user(SERVER, 1)
    service.delete_user(SERVER, 2)
    report = service.report(VIEWER, campaign.id)
    assert [stage.treated for stage in report.funnel] == [2, 2, 0, 1]
    assert (report.uplift.treated.n, report.uplift.pending) == (0, 2)
    # Their windows are over at noon of the next day, and count from the midnight after.
    clock.forward(days=2)
    # Who comes again is led again.
    assert ask(service, 1).source == "campaign"
    uplift = service.report(VIEWER, campaign.id).uplift
    assert (uplift.treated.n, uplift.treated.value, uplift.pending) == (2, 0.5, 0)
    service.delete_user(SERVER, 1)
    assert service.report(VIEWER, campaign.id).uplift == uplift
    # A campaign that is created after that has never met them.
    shown = ask(service, 2)
    later = create(service)
    send(service, answer(shown))
    ask(service, 2)
    assert service.report(VIEWER, later.id).funnel[0].treated == 1


def test_a_deleted_history_no_longer_counts(service: Service, engine: FakeEngine) -> None:
    service.delete_user(SERVER, 3)
    assert service.search_users(VIEWER, "3").users == ()
    assert all(
        each.user_id != 3 for each in service.audience(VIEWER, AudienceIn(objective=FILM_9)).members
    )
    ask(service, 3)
    assert not engine.asked[-1].person.known


@pytest.mark.parametrize(
    "come",
    [
        lambda service: ask(service, 3),
        lambda service: send(service, organic(5, 3)),
        lambda service: service.opt_out(SERVER, 3, OUT),
    ],
    ids=["next", "feedback", "opt-out"],
)
def test_who_comes_for_the_first_time_amid_the_own_deletion_is_not_known(
    service: Service, come: Callable[[Service], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    amid, go_on, add = Event(), Event(), audit.add

    def pausing(connection: Connection, tenant: str, entries: Any) -> None:
        entries = list(entries)
        add(connection, tenant, entries)
        if entries[0]["action"] == "user.deleted":
            amid.set()
            assert go_on.wait(10)

    monkeypatch.setattr(audit, "add", pausing)
    with ThreadPoolExecutor(2) as pool:
        deletion = pool.submit(service.delete_user, SERVER, 3)
        assert amid.wait(10)
        coming = pool.submit(come, service)
        # Whoever waits for nothing is done by then.
        wait([coming], timeout=0.5)
        go_on.set()
        deletion.result()
        coming.result()
    with service.store.reading() as connection:
        row = users.find(connection, "default", "3")
    assert row is not None
    assert not row.known
