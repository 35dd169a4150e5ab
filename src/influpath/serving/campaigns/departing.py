"""What reports keep of users whose data is deleted: bare numbers of each campaign and arm.

Else a deletion would change the effect that a report has shown already, and in the campaign's
favour where those delete their data whom it annoyed.  A number counts from a day on, the one on
which the user's window is over; nothing says who it was.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, exists, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from influpath.serving.store.tables import campaigns, departed, journeys, proposals, users

NUMBERS = ("users", "shown", "accepted", "arrived", "in_time")
# What happened to a user since the enrolment, by the campaign or by others.
SINCE = and_(
    proposals.c.user_ref == journeys.c.user_ref, proposals.c.turn >= journeys.c.enrolled_turn
)
SHOWN = exists().where(SINCE, proposals.c.item.is_not(None))
ACCEPTED = exists().where(SINCE, proposals.c.answer == "accepted")
# Whose data was deleted and who came back may have been counted before, and counts once.
COUNTED = or_(users.c.known, users.c.created_at <= campaigns.c.created_at)


def keep(connection: Connection, user_ref: int, now: datetime) -> None:
    """Count a user whose data is about to be deleted, and who is locked, among the departed."""
    query = (
        select(
            journeys.c.tenant_id,
            journeys.c.campaign_id,
            journeys.c.arm,
            journeys.c.enrolled_at,
            journeys.c.arrived_at,
            campaigns.c.terms,
            SHOWN.label("shown"),
            ACCEPTED.label("accepted"),
        )
        .join(campaigns, campaigns.c.id == journeys.c.campaign_id)
        .join(users, users.c.id == journeys.c.user_ref)
        .where(journeys.c.user_ref == user_ref, COUNTED)
        # Always in the same order, so that two deletions never wait for each other.
        .order_by(journeys.c.campaign_id)
    )
    for row in connection.execute(query).all():
        due = row.enrolled_at + timedelta(days=row.terms["window_days"])
        add(
            connection,
            {
                "campaign_id": row.campaign_id,
                "tenant_id": row.tenant_id,
                "arm": row.arm,
                "counts_from": day_of(due, now),
                "users": 1,
                "shown": int(row.shown),
                "accepted": int(row.accepted),
                "arrived": int(row.arrived_at is not None),
                "in_time": int(row.arrived_at is not None and row.arrived_at <= due),
            },
        )


def day_of(due: datetime, now: datetime) -> datetime:
    """Return the day from which a user counts: never sooner, and never later, than by now."""
    day = due.replace(hour=0, minute=0, second=0, microsecond=0)
    return day if due <= now else day + timedelta(days=1)


def add(connection: Connection, row: dict[str, Any]) -> None:
    """Add numbers to those of the same campaign, arm and day."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    insert = dialect.insert(departed)
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=list(departed.primary_key.columns),
            set_={name: departed.c[name] + insert.excluded[name] for name in NUMBERS},
        ),
        row,
    )
