"""What was proposed to users and what they did."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from influpath.serving.store.tables import PROPOSAL_IS_OPEN, events, journeys, proposals

OF_USER = (
    select(events.c.turn, events.c.kind, events.c.item, events.c.journey_id)
    .where(events.c.user_ref == bindparam("user"))
    .order_by(events.c.turn)
)
RECORDED = select(events).where(
    events.c.tenant_id == bindparam("tenant"),
    events.c.event_id.in_(bindparam("names", expanding=True)),
)
ADD = insert(events)
FIND_PROPOSALS = select(proposals).where(
    proposals.c.tenant_id == bindparam("tenant"),
    proposals.c.id.in_(bindparam("names", expanding=True)),
)
PROPOSE = insert(proposals)
ANSWER = (
    update(proposals)
    .where(proposals.c.id == bindparam("proposal"))
    .values(
        answer=bindparam("said"),
        status=bindparam("now_status"),
        closed_at=bindparam("now_closed"),
    )
)


class Happened(NamedTuple):
    """Something that a user did: when in turn, what, and of which journey it used up a slot."""

    turn: int
    kind: str
    item: str
    journey_id: str | None


def of_user(connection: Connection, user_ref: int) -> list[Happened]:
    """Return what a user did, in the order in which it was recorded."""
    return [Happened(*row) for row in connection.execute(OF_USER, {"user": user_ref})]


def recorded(connection: Connection, tenant: str, event_ids: Collection[str]) -> list[Row[Any]]:
    """Return which events there are already."""
    return list(connection.execute(RECORDED, {"tenant": tenant, "names": list(event_ids)}))


def add(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Add events."""
    if rows:
        connection.execute(ADD, rows)


def open_proposal(connection: Connection, user_ref: int) -> Row[Any] | None:
    """Return the proposal that a user has not answered, with the status of its journey."""
    return connection.execute(
        select(proposals, journeys.c.status.label("journey_status"))
        .outerjoin(journeys, journeys.c.id == proposals.c.journey_id)
        .where(proposals.c.user_ref == user_ref, PROPOSAL_IS_OPEN)
    ).first()


def find_proposals(
    connection: Connection, tenant: str, proposal_ids: Collection[str]
) -> dict[str, Row[Any]]:
    """Return proposals by id."""
    asked = {"tenant": tenant, "names": list(proposal_ids)}
    return {row.id: row for row in connection.execute(FIND_PROPOSALS, asked)}


def propose(connection: Connection, row: dict[str, Any]) -> None:
    """Add a proposal."""
    connection.execute(PROPOSE, row)


def close_proposal(connection: Connection, proposal_id: str, status: str, now: datetime) -> None:
    """Close a proposal that nobody answered: "expired" or "withdrawn"."""
    connection.execute(
        update(proposals)
        .where(proposals.c.id == proposal_id, PROPOSAL_IS_OPEN)
        .values(status=status, closed_at=now)
    )


def answer_proposals(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Keep the answers to proposals: ``proposal``, ``said``, ``now_status`` and ``now_closed``."""
    if rows:
        connection.execute(ANSWER, rows)
