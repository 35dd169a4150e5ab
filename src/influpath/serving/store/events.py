"""What was proposed to users and what they did."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from influpath.serving.store.tables import events, proposals


def of_user(connection: Connection, user_ref: int) -> list[Row[Any]]:
    """Return what a user did, in the order in which it was recorded."""
    query = select(events.c.turn, events.c.kind, events.c.item, events.c.journey_id)
    return list(
        connection.execute(query.where(events.c.user_ref == user_ref).order_by(events.c.turn))
    )


def taken(connection: Connection, user_refs: Collection[int]) -> list[Row[Any]]:
    """Return the items that users took, in the order in which it was recorded."""
    query = (
        select(events.c.user_ref, events.c.turn, events.c.item, events.c.at, events.c.recorded_at)
        .where(events.c.user_ref.in_(user_refs), events.c.kind.in_(("accepted", "organic")))
        .order_by(events.c.user_ref, events.c.turn)
    )
    return list(connection.execute(query))


def recorded(connection: Connection, tenant: str, event_ids: Collection[str]) -> list[Row[Any]]:
    """Return which events there are already."""
    query = select(events).where(events.c.tenant_id == tenant, events.c.event_id.in_(event_ids))
    return list(connection.execute(query))


def add(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Add events."""
    if rows:
        connection.execute(insert(events), rows)


def open_proposal(connection: Connection, user_ref: int) -> Row[Any] | None:
    """Return the proposal that a user has not answered."""
    return connection.execute(
        select(proposals).where(proposals.c.user_ref == user_ref, proposals.c.status == "open")
    ).first()


def find_proposals(
    connection: Connection, tenant: str, proposal_ids: Collection[str]
) -> dict[str, Row[Any]]:
    """Return proposals by id."""
    query = select(proposals).where(
        proposals.c.tenant_id == tenant, proposals.c.id.in_(proposal_ids)
    )
    return {row.id: row for row in connection.execute(query)}


def propose(connection: Connection, row: dict[str, Any]) -> None:
    """Add a proposal."""
    connection.execute(insert(proposals), row)


def close_proposal(connection: Connection, proposal_id: str, status: str, now: datetime) -> None:
    """Close a proposal that nobody answered: "expired" or "withdrawn"."""
    connection.execute(
        update(proposals)
        .where(proposals.c.id == proposal_id, proposals.c.status == "open")
        .values(status=status, closed_at=now)
    )


def answer_proposals(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Keep the answers to proposals: ``proposal``, ``said``, ``now_status`` and ``now_closed``."""
    if rows:
        connection.execute(
            update(proposals)
            .where(proposals.c.id == bindparam("proposal"))
            .values(
                answer=bindparam("said"),
                status=bindparam("now_status"),
                closed_at=bindparam("now_closed"),
            ),
            rows,
        )
