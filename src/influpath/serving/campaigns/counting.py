"""What a campaign's report counts; users are counted once, in the arm that they were drawn into."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, case, exists, func, select

from influpath.serving.store.tables import events, journeys, proposals, users

SHOWN = ("open", "answered", "expired")
# Parameters of one statement.
CHUNK = 1_000


def enrolled(connection: Connection, campaign_id: str) -> list[Row[Any]]:
    """Return who was enrolled, in that order: arm, times, and how far the user came since.

    ``shown``, ``accepted`` and ``saw_objective`` count whatever the user was shown since, by the
    campaign or by others: the arms are only alike in that.
    """
    since = and_(
        proposals.c.user_ref == journeys.c.user_ref, proposals.c.turn >= journeys.c.enrolled_turn
    )
    was_shown = and_(since, proposals.c.item.is_not(None))
    query = (
        select(
            journeys.c.user_ref,
            journeys.c.arm,
            journeys.c.enrolled_at,
            journeys.c.enrolled_turn,
            journeys.c.arrived_at,
            journeys.c.shown.label("led"),
            exists().where(was_shown).label("shown"),
            exists().where(and_(since, proposals.c.answer == "accepted")).label("accepted"),
        )
        .where(journeys.c.campaign_id == campaign_id)
        .order_by(journeys.c.enrolled_at, journeys.c.id)
    )
    return list(connection.execute(query))


def answers(connection: Connection, campaign_id: str) -> dict[str, int]:
    """Return what became of what the campaign showed."""
    outcome = case(
        (proposals.c.answer.is_not(None), proposals.c.answer),
        (proposals.c.status == "expired", "ignored"),
        else_=proposals.c.status,
    )
    query = (
        select(outcome, func.count())
        .where(proposals.c.campaign_id == campaign_id, proposals.c.item.is_not(None))
        .group_by(outcome)
    )
    found = {"accepted": 0, "rejected": 0, "ignored": 0, "open": 0, "withdrawn": 0}
    return found | {row[0]: row[1] for row in connection.execute(query)}


def days(connection: Connection, campaign_id: str) -> list[tuple[datetime, dict[str, int]]]:
    """Return what happened on each day (UTC) on which something did."""
    found: dict[datetime, dict[str, int]] = {}

    def add(query: Any, name: Callable[[Row[Any]], str | None]) -> None:
        for row in connection.execute(query):
            what = name(row)
            if what is not None:
                day = row[0].replace(hour=0, minute=0, second=0, microsecond=0)
                counts = found.setdefault(
                    day, {"shown": 0, "accepted": 0, "rejected": 0, "arrived": 0}
                )
                counts[what] += row[-1]

    # Hours are enough of a grouping for databases that group by day each in its own way.
    shown = select(proposals.c.created_at, func.count()).where(
        proposals.c.campaign_id == campaign_id, proposals.c.item.is_not(None)
    )
    add(shown.group_by(proposals.c.created_at), lambda _: "shown")
    answered = (
        select(events.c.recorded_at, events.c.kind, func.count())
        .join(proposals, proposals.c.id == events.c.proposal_id)
        .where(proposals.c.campaign_id == campaign_id, events.c.kind.in_(("accepted", "rejected")))
        .group_by(events.c.recorded_at, events.c.kind)
    )
    add(answered, lambda row: str(row.kind))
    arrived = select(journeys.c.arrived_at, func.count()).where(
        journeys.c.campaign_id == campaign_id,
        journeys.c.arm == "treated",
        journeys.c.arrived_at.is_not(None),
    )
    add(arrived.group_by(journeys.c.arrived_at), lambda _: "arrived")
    return sorted(found.items())


def names(connection: Connection, user_refs: Sequence[int]) -> dict[int, Row[Any]]:
    """Return ``user_id`` and ``known`` of users by row."""
    found: dict[int, Row[Any]] = {}
    for start in range(0, len(user_refs), CHUNK):
        query = select(users.c.id, users.c.user_id, users.c.known).where(
            users.c.id.in_(user_refs[start : start + CHUNK])
        )
        found |= {row.id: row for row in connection.execute(query)}
    return found


def taken(connection: Connection, user_refs: Sequence[int]) -> list[Row[Any]]:
    """Return what users took, with the turn in which it was recorded."""
    found: list[Row[Any]] = []
    for start in range(0, len(user_refs), CHUNK):
        query = select(events.c.user_ref, events.c.turn, events.c.item).where(
            events.c.user_ref.in_(user_refs[start : start + CHUNK]),
            events.c.kind.in_(("accepted", "organic")),
        )
        found += connection.execute(query)
    return found
