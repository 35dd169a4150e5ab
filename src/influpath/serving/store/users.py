"""Users: who opted out, what they exclude, and who is to be forgotten."""

import hashlib
import hmac
import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from influpath.serving.schemas import Exclusions
from influpath.serving.store import tenants
from influpath.serving.store.glance import Account
from influpath.serving.store.tables import (
    audiences,
    erased,
    events,
    goals,
    journeys,
    proposals,
    users,
)

# Parameters of one statement, well below what SQLite takes.
CHUNK = 5_000

ADD = insert(users).returning(users.c.id)
ENSURE = {
    "sqlite": sqlite.insert(users).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(users).on_conflict_do_nothing(),
}
LOCK = (
    select(users)
    .where(
        users.c.tenant_id == bindparam("tenant"),
        users.c.user_id.in_(bindparam("names", expanding=True)),
    )
    .order_by(users.c.id)
    .with_for_update()
)
ADVANCE = (
    update(users)
    .where(users.c.id == bindparam("ref"), users.c.turn == bindparam("was"))
    .values(turn=users.c.turn + bindparam("by"))
)
SET_TURN = update(users).where(users.c.id == bindparam("ref")).values(turn=bindparam("now"))
TOMBSTONES = select(erased.c.digest, erased.c.opted_out).where(
    erased.c.digest.in_(bindparam("digests", expanding=True))
)


def find(connection: Connection, tenant: str, user_id: str) -> Row[Any] | None:
    """Return a user's row."""
    return connection.execute(
        select(users).where(users.c.tenant_id == tenant, users.c.user_id == user_id)
    ).first()


def ensure(connection: Connection, tenant: str, user_ids: Collection[str], now: datetime) -> None:
    """Add users, unless they are there; one whose data was deleted is not known any more."""
    tenants.ensure(connection, tenant)
    forgotten = tombstones(connection, tenant, user_ids)
    connection.execute(
        ENSURE[connection.dialect.name],
        [
            row_of(new_account(user_id, forgotten), tenant, user_id, now)
            for user_id in sorted(user_ids)
        ],
    )


def new_account(user_id: str, forgotten: Mapping[str, bool]) -> Account:
    """Return what is known of a user who is new.

    Args:
        user_id: Theirs.
        forgotten: As ``tombstones`` says.
    """
    return Account(
        id=None,
        subject=f"u_{secrets.token_hex(10)}",
        turn=0,
        # What was deleted does not come back, and who had opted out still has.
        opted_out=forgotten.get(user_id, False),
        known=user_id not in forgotten,
        excluded=Exclusions().model_dump(mode="json"),
    )


def row_of(account: Account, tenant: str, user_id: str, now: datetime) -> dict[str, Any]:
    """Return the row of a user who is new."""
    row = {**vars(account), "tenant_id": tenant, "user_id": user_id, "created_at": now}
    del row["id"]
    return row


def add(connection: Connection, account: Account, tenant: str, user_id: str, now: datetime) -> int:
    """Add a user and return the number of the row.

    Raises:
        IntegrityError: The user is there already.
    """
    return int(connection.scalar(ADD, row_of(account, tenant, user_id, now)))


def lock(connection: Connection, tenant: str, user_ids: Collection[str]) -> dict[str, Row[Any]]:
    """Return the rows of users that are there, by id, and let nobody else change them meanwhile.

    Always in the same order, so that two that lock never wait for each other.
    """
    found: dict[str, Row[Any]] = {}
    wanted = sorted(user_ids)
    for start in range(0, len(wanted), CHUNK):
        names = {"tenant": tenant, "names": wanted[start : start + CHUNK]}
        found |= {row.user_id: row for row in connection.execute(LOCK, names)}
    return found


def lock_one(connection: Connection, tenant: str, user_id: str, now: datetime) -> Row[Any]:
    """Return a user's row, made where it is new; see ``lock``."""
    ensure(connection, tenant, [user_id], now)
    return lock(connection, tenant, [user_id])[user_id]


def advance(connection: Connection, user_ref: int, turn: int, by: int = 1) -> bool:
    """Count up a user's turn if it is still the one that was read; return whether it was."""
    done = connection.execute(ADVANCE, {"ref": user_ref, "was": turn, "by": by})
    return done.rowcount == 1


def set_turns(connection: Connection, turns: dict[int, int]) -> None:
    """Keep the turns of users that are locked."""
    if turns:
        connection.execute(SET_TURN, [{"ref": ref, "now": turn} for ref, turn in turns.items()])


def change(connection: Connection, user_ref: int, **values: Any) -> None:
    """Change a user and count up the turn."""
    connection.execute(
        update(users).where(users.c.id == user_ref).values(turn=users.c.turn + 1, **values)
    )


def digest(salt: str, user_id: str) -> str:
    """Return what is kept of a user whose data was deleted."""
    return hmac.new(salt.encode(), user_id.encode(), hashlib.sha256).hexdigest()


def tombstones(connection: Connection, tenant: str, user_ids: Collection[str]) -> dict[str, bool]:
    """Return which users' data was deleted, and whether they had opted out."""
    salt = tenants.salt(connection, tenant)
    return {} if salt is None else among_erased(connection, salt, user_ids)


def among_erased(connection: Connection, salt: str, user_ids: Collection[str]) -> dict[str, bool]:
    """Return the same as ``tombstones`` where the tenant's salt is known."""
    by_digest = {digest(salt, user_id): user_id for user_id in user_ids}
    found: dict[str, bool] = {}
    digests: Sequence[str] = list(by_digest)
    for start in range(0, len(digests), CHUNK):
        asked = {"digests": digests[start : start + CHUNK]}
        rows = connection.execute(TOMBSTONES, asked)
        found |= {by_digest[row.digest]: row.opted_out for row in rows}
    return found


def opted_out(connection: Connection, tenant: str, user_ids: Collection[str]) -> set[str]:
    """Return which of some users have opted out."""
    found: set[str] = set()
    wanted = list(user_ids)
    for start in range(0, len(wanted), CHUNK):
        query = select(users.c.user_id).where(
            users.c.tenant_id == tenant,
            users.c.opted_out,
            users.c.user_id.in_(wanted[start : start + CHUNK]),
        )
        found |= set(connection.scalars(query))
    return found


def left_alone(connection: Connection, tenant: str) -> int:
    """Return how many users have opted out or had their data deleted."""
    out = select(func.count()).where(users.c.tenant_id == tenant, users.c.opted_out)
    gone = select(func.count()).where(erased.c.tenant_id == tenant)
    return (connection.scalar(out) or 0) + (connection.scalar(gone) or 0)


def erase(
    connection: Connection, tenant: str, user_id: str, row: Row[Any] | None
) -> tuple[int, int, int]:
    """Delete everything about a user but the audit log, which knows nobody.

    The tenant's revision must have been counted up in the same transaction.

    Args:
        connection: Of the transaction.
        tenant: Whose user.
        user_id: Theirs.
        row: The user's, locked; None where there is none.

    Returns:
        How many events, proposals and journeys that were.
    """
    before = tombstones(connection, tenant, [user_id])
    counts = (0, 0, 0)
    out = before.get(user_id, False)
    if row is not None:
        ref, out = row.id, row.opted_out
        counts = (
            connection.execute(delete(events).where(events.c.user_ref == ref)).rowcount,
            connection.execute(delete(proposals).where(proposals.c.user_ref == ref)).rowcount,
            connection.execute(delete(journeys).where(journeys.c.user_ref == ref)).rowcount,
        )
        connection.execute(delete(goals).where(goals.c.user_ref == ref))
        connection.execute(delete(users).where(users.c.id == ref))
    connection.execute(
        delete(audiences).where(audiences.c.tenant_id == tenant, audiences.c.user_id == user_id)
    )
    own = digest(str(tenants.salt(connection, tenant)), user_id)
    connection.execute(delete(erased).where(erased.c.digest == own))
    connection.execute(insert(erased), {"tenant_id": tenant, "digest": own, "opted_out": out})
    return counts
