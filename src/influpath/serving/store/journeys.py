"""Journeys and the goals of users."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, or_, select, update

from influpath.planning.objectives import Objective
from influpath.serving.store.tables import goals, journeys

CHUNK = 5_000

OF_USER = (
    select(journeys, goals.c.objective, goals.c.objective_words)
    .outerjoin(goals, goals.c.id == journeys.c.goal_id)
    .where(journeys.c.user_ref == bindparam("user"))
    .order_by(journeys.c.enrolled_turn, journeys.c.id)
)
NOT_ARRIVED = (
    select(journeys, goals.c.objective)
    .outerjoin(goals, goals.c.id == journeys.c.goal_id)
    .where(
        journeys.c.user_ref.in_(bindparam("users", expanding=True)),
        journeys.c.arrived_at.is_(None),
        # A goal that was given up or is over is no longer looked at.
        or_(journeys.c.campaign_id.is_not(None), journeys.c.status == "open"),
    )
)
ADD = insert(journeys)
CHANGE = update(journeys).where(
    journeys.c.id == bindparam("journey"), journeys.c.status == bindparam("was")
)


def of_user(connection: Connection, user_ref: int) -> list[Row[Any]]:
    """Return a user's journeys with the objectives of own goals, in the order of enrolment."""
    return list(connection.execute(OF_USER, {"user": user_ref}))


def not_arrived(connection: Connection, user_refs: Collection[int]) -> list[Row[Any]]:
    """Return the journeys of users that have not arrived, with the objectives of own goals."""
    found: list[Row[Any]] = []
    refs = list(user_refs)
    for start in range(0, len(refs), CHUNK):
        found += connection.execute(NOT_ARRIVED, {"users": refs[start : start + CHUNK]})
    return found


def add(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Add journeys."""
    if rows:
        connection.execute(ADD, rows)


def change(connection: Connection, journey_id: str, was: str, **values: Any) -> bool:
    """Change a journey if its status is still the one that was read; return whether it was."""
    done = connection.execute(CHANGE, {"journey": journey_id, "was": was, **values})
    return done.rowcount == 1


def give_back(connection: Connection, journey_id: str) -> None:
    """Count one item less: its proposal was withdrawn."""
    connection.execute(
        update(journeys).where(journeys.c.id == journey_id).values(shown=journeys.c.shown - 1)
    )


def change_many(connection: Connection, changes: Sequence[dict[str, Any]]) -> None:
    """Keep how journeys stand: status, ended_at, arrived_at by id."""
    if changes:
        connection.execute(
            update(journeys)
            .where(journeys.c.id == bindparam("journey"))
            .values({key: bindparam(f"new_{key}") for key in ("status", "ended_at", "arrived_at")}),
            [
                {"journey": each["id"], **{f"new_{key}": each[key] for key in each if key != "id"}}
                for each in changes
            ],
        )


def stop_campaign(connection: Connection, campaign_id: str, note: str, now: datetime) -> None:
    """Stop the open journeys of a campaign that has ended."""
    connection.execute(
        update(journeys)
        .where(journeys.c.campaign_id == campaign_id, journeys.c.status == "open")
        .values(status="stopped", note=note, ended_at=now)
    )


def add_goal(
    connection: Connection,
    tenant: str,
    user_ref: int,
    goal_id: str,
    objective: Objective,
    objective_words: str,
    horizon: int,
    now: datetime,
) -> None:
    """Add a goal."""
    connection.execute(
        insert(goals),
        {
            "id": goal_id,
            "tenant_id": tenant,
            "user_ref": user_ref,
            "objective": objective.to_dict(),
            "objective_words": objective_words,
            "horizon": horizon,
            "created_at": now,
        },
    )


def goals_of(connection: Connection, user_ref: int, goal_id: str | None = None) -> list[Row[Any]]:
    """Return a user's goals, the oldest first, with their journeys' id, status and note."""
    query = (
        select(goals, journeys.c.id.label("journey_id"), journeys.c.status, journeys.c.note)
        .join(journeys, journeys.c.goal_id == goals.c.id)
        .where(goals.c.user_ref == user_ref)
        .order_by(goals.c.created_at, goals.c.id)
    )
    if goal_id is not None:
        query = query.where(goals.c.id == goal_id)
    return list(connection.execute(query))
