"""Tenants: what concerns all users of one."""

import secrets
from typing import Any

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite

from influpath.serving.schemas import Exclusions
from influpath.serving.store.tables import tenants

REVISION = select(tenants.c.revision).where(tenants.c.tenant_id == bindparam("tenant"))
# PostgreSQL waits for whoever is changing it; SQLite has one writer at a time in any case.
HOLD = REVISION.with_for_update(read=True)
SALT = select(tenants.c.salt).where(tenants.c.tenant_id == bindparam("tenant"))
ENSURE = {
    "sqlite": sqlite.insert(tenants).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(tenants).on_conflict_do_nothing(),
}


def ensure(connection: Connection, tenant: str) -> None:
    """Add a tenant, unless it is there."""
    row = {
        "tenant_id": tenant,
        "excluded": Exclusions().model_dump(mode="json"),
        "salt": secrets.token_hex(16),
    }
    connection.execute(ENSURE[connection.dialect.name], row)


def touch(connection: Connection, tenant: str) -> None:
    """Count up the tenant's revision: something changed that concerns all its users.

    The row is locked until the transaction is over, so that such changes come one by one.
    """
    ensure(connection, tenant)
    connection.execute(
        update(tenants).where(tenants.c.tenant_id == tenant).values(revision=tenants.c.revision + 1)
    )


def revision(connection: Connection, tenant: str) -> int | None:
    """Return the tenant's revision; None where it is unknown."""
    return connection.scalar(REVISION, {"tenant": tenant})


def held_revision(connection: Connection, tenant: str) -> int | None:
    """Return the tenant's revision, which nobody changes until the transaction is over."""
    return connection.scalar(HOLD, {"tenant": tenant})


def excluded(connection: Connection, tenant: str) -> Exclusions:
    """Return what nobody is shown."""
    found: dict[str, Any] | None = connection.scalar(
        select(tenants.c.excluded).where(tenants.c.tenant_id == tenant)
    )
    return Exclusions() if found is None else Exclusions.model_validate(found)


def set_excluded(connection: Connection, tenant: str, exclusions: Exclusions) -> None:
    """Keep what nobody is shown."""
    touch(connection, tenant)
    connection.execute(
        update(tenants)
        .where(tenants.c.tenant_id == tenant)
        .values(excluded=exclusions.model_dump(mode="json"))
    )


def salt(connection: Connection, tenant: str) -> str | None:
    """Return what goes into hashes of the tenant's users; None where the tenant is unknown."""
    return connection.scalar(SALT, {"tenant": tenant})
