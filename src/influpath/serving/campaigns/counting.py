"""What a campaign's report counts; users are counted once, in the arm that they were drawn into."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Row,
    and_,
    case,
    func,
    literal_column,
    select,
)

from influpath.serving.campaigns.departing import ACCEPTED, COUNTED, SHOWN
from influpath.serving.store.campaigns import Kept
from influpath.serving.store.tables import campaigns, departed, events, journeys, proposals, users

ARMS = ("treated", "control")
# Parameters of one statement.
CHUNK = 1_000


@dataclass
class Tally:
    """Users of an arm, each counted once.

    Attributes:
        users: Who were enrolled.
        shown: To whom anything was shown since, by the campaign or by others: the arms are only
            alike in that.
        accepted: Who accepted any of it.
        arrived: Who took the objective.
        over: Whose window is over.
        in_time: Of those, who took the objective within it.
    """

    users: int = 0
    shown: int = 0
    accepted: int = 0
    arrived: int = 0
    over: int = 0
    in_time: int = 0

    def add(self, **numbers: int | None) -> None:
        """Add users to it."""
        for name, number in numbers.items():
            setattr(self, name, getattr(self, name) + int(number or 0))


def tallies(connection: Connection, kept: Kept, now: datetime) -> dict[str, Tally]:
    """Return how far the users of a campaign came, by arm; also those whose data was deleted."""
    found = {arm: Tally() for arm in ARMS}
    window = timedelta(days=kept.terms.window_days)
    joined = journeys.join(users, users.c.id == journeys.c.user_ref).join(
        campaigns, campaigns.c.id == journeys.c.campaign_id
    )
    theirs = and_(journeys.c.campaign_id == kept.id, COUNTED)
    there = (
        select(
            journeys.c.arm,
            func.count().label("users"),
            number_of(SHOWN).label("shown"),
            number_of(ACCEPTED).label("accepted"),
            number_of(journeys.c.enrolled_at <= now - window).label("over"),
        )
        .select_from(joined)
        .where(theirs)
        .group_by(journeys.c.arm)
    )
    for row in connection.execute(there):
        found[row.arm].add(**{key: row._mapping[key] for key in row._fields if key != "arm"})
    arrivals = (
        select(journeys.c.arm, journeys.c.enrolled_at, journeys.c.arrived_at)
        .select_from(joined)
        .where(theirs, journeys.c.arrived_at.is_not(None))
    )
    for arm, enrolled_at, arrived_at in connection.execute(arrivals):
        due = enrolled_at + window
        found[arm].add(arrived=1, in_time=due <= now and arrived_at <= due)
    for row in connection.execute(select(departed).where(departed.c.campaign_id == kept.id)):
        over = row.counts_from <= now
        come = {name: row._mapping[name] for name in ("users", "shown", "accepted", "arrived")}
        found[row.arm].add(
            **come, over=row.users if over else 0, in_time=row.in_time if over else 0
        )
    return found


def number_of(condition: ColumnElement[bool]) -> ColumnElement[int]:
    """Return how many rows fulfil a condition."""
    return func.sum(case((condition, 1), else_=0))


def first(connection: Connection, campaign_id: str, arm: str, most: int) -> list[Row[Any]]:
    """Return who was enrolled first in an arm: ``user_ref`` and ``enrolled_turn``."""
    query = (
        select(journeys.c.user_ref, journeys.c.enrolled_turn)
        .where(journeys.c.campaign_id == campaign_id, journeys.c.arm == arm)
        .order_by(journeys.c.enrolled_at, journeys.c.id)
        .limit(most)
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

    def add(of: FromClause, at: ColumnElement[datetime], what: Any, *where: Any) -> None:
        day = day_of(connection, at)
        query = select(what.label("what"), day, func.count()).select_from(of).where(*where)
        for said, on, number in connection.execute(query.group_by("what", day)):
            none = {"shown": 0, "accepted": 0, "rejected": 0, "arrived": 0}
            date = datetime.fromisoformat(on).replace(tzinfo=UTC)
            found.setdefault(date, none)[said] += number

    its = proposals.c.campaign_id == campaign_id
    shown: ColumnElement[str] = literal_column("'shown'")
    add(proposals, proposals.c.created_at, shown, its, proposals.c.item.is_not(None))
    answered = events.join(proposals, proposals.c.id == events.c.proposal_id)
    kinds = events.c.kind.in_(("accepted", "rejected"))
    add(answered, events.c.recorded_at, events.c.kind, its, kinds)
    led = and_(journeys.c.campaign_id == campaign_id, journeys.c.arm == "treated")
    arrived: ColumnElement[str] = literal_column("'arrived'")
    add(journeys, journeys.c.arrived_at, arrived, led, journeys.c.arrived_at.is_not(None))
    return sorted(found.items())


def day_of(connection: Connection, at: ColumnElement[datetime]) -> ColumnElement[str]:
    """Return the day of a time (UTC) as databases write it, such as 2026-03-04."""
    if connection.dialect.name == "sqlite":
        return func.date(at)
    in_utc = func.timezone(literal_column("'UTC'"), at)
    return func.to_char(in_utc, literal_column("'YYYY-MM-DD'"))


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
