"""What platforms and their users do, in one call each, and what is kept of it."""

from typing import Any

from sqlalchemy import select

from influpath.planning.objectives import Objective
from influpath.serving.campaigns.service import Caller, Service
from influpath.serving.schemas import (
    Campaign,
    CampaignIn,
    Event,
    FeedbackIn,
    Next,
    NextIn,
    Recorded,
)
from influpath.serving.store.database import Database
from influpath.serving.store.tables import metadata
from serving.conftest import ADMIN, SERVER

FILM_9 = Objective.item(9)


def create(service: Service, caller: Caller = ADMIN, **terms: Any) -> Campaign:
    """Create a campaign to film 9 without a hold-out, unless the terms say otherwise."""
    given = {"name": "c", "objective": FILM_9, "holdout": 0, **terms}
    return service.create_campaign(caller, CampaignIn(**given))


def ask(service: Service, user: Any = 1, caller: Caller = SERVER) -> Next:
    """Ask for a user's next item."""
    return service.next(caller, NextIn(user_id=user))


def answer(shown: Next, kind: str = "accepted", name: str | None = None) -> Event:
    """Return an answer to a proposal."""
    return Event.model_validate(
        {
            "event_id": name or f"{shown.proposal_id}-{kind}",
            "user_id": shown.user_id,
            "kind": kind,
            "proposal_id": shown.proposal_id,
        }
    )


def organic(item: Any, user: Any = 1, name: str = "organic") -> Event:
    """Return that a user took an item unasked."""
    return Event(event_id=name, user_id=user, kind="organic", item_id=item)


def send(service: Service, event: Event, caller: Caller = SERVER) -> str:
    """Send an event; return what became of it."""
    return send_all(service, event, caller=caller)[0].status


def send_all(service: Service, *events: Event, caller: Caller = SERVER) -> tuple[Recorded, ...]:
    """Send events in one call."""
    return service.feedback(caller, FeedbackIn(events=events)).results


def rows_of(store: Database, tenant: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return all that is kept of a tenant."""
    with store.reading() as connection:
        return {
            table.name: sorted(
                map(tuple, connection.execute(select(table).where(table.c.tenant_id == tenant))),
                key=repr,
            )
            for table in metadata.sorted_tables
        }
