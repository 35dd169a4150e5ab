"""API keys: ``ip_<key id>_<secret>``, of which only a hash is kept.

The secret has 256 random bits, so a plain SHA-256 cannot be turned back.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from sqlalchemy import Connection, and_, insert, or_, select, update

from influpath.errors import ConfigError
from influpath.serving.errors import ConflictError, NotFoundError
from influpath.serving.schemas import Role
from influpath.serving.store import audit, tenants
from influpath.serving.store.database import Database
from influpath.serving.store.tables import keys

TENANT_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
KEY_PATTERN = re.compile(r"ip_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True)
class Key:
    """A key, without its secret.

    Attributes:
        key_id: Its public part.
        tenant: Whose it is.
        name: For people and the audit log.
        role: What it may do.
        ends_in: The last letters of the secret, to tell keys apart.
        created_at: When.
        expires_at: Until when it holds; None is for ever.
        revoked_at: When it was taken back.
    """

    key_id: str
    tenant: str
    name: str
    role: Role
    ends_in: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


COLUMNS = (
    keys.c.key_id,
    keys.c.tenant_id,
    keys.c.name,
    keys.c.role,
    keys.c.ends_in,
    keys.c.created_at,
    keys.c.expires_at,
    keys.c.revoked_at,
)


def create(
    database: Database,
    tenant: str,
    name: str,
    role: Role,
    now: datetime,
    expires_at: datetime | None = None,
) -> tuple[Key, str]:
    """Make a key.

    Args:
        database: Where.
        tenant: Whose; it is made where it is new.
        name: For people; no two keys that hold have the same.
        role: What it may do.
        now: The time.
        expires_at: Until when it holds; None is for ever.

    Returns:
        The key, and its text, which nobody can find out later.

    Raises:
        ConfigError: A value cannot be used.
        ConflictError: There is a key of that name.
    """
    if not TENANT_PATTERN.fullmatch(tenant):
        raise ConfigError(
            f"tenant {tenant!r}: use letters, digits, '.', '_' and '-' (it names a folder)."
        )
    if not name.strip() or len(name) > 200:
        raise ConfigError("name: give the key a name of 1 to 200 letters.")
    if role not in get_args(Role):
        raise ConfigError(f"role {role!r}: use one of {', '.join(get_args(Role))}.")
    if expires_at is not None and expires_at <= now:
        raise ConfigError(f"expires_at: {expires_at.isoformat()} is over; give a later time.")
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    key = Key(key_id, tenant, name, role, secret[-4:], now, expires_at, None)
    with database.writing() as connection:
        tenants.touch(connection, tenant)
        if any(known.name == name for known in _of(connection, tenant) if holds(known, now)):
            raise ConflictError(f"a key {name!r} is there already; revoke it or take another name.")
        row = {**vars(key), "tenant_id": tenant, "sha256": digest(secret)}
        del row["tenant"]
        connection.execute(insert(keys), row)
        entry = audit.entry(now, "system", "key.created", name=name, role=role, key=key_id)
        audit.add(connection, tenant, [entry])
    return key, f"ip_{key_id}_{secret}"


def listed(database: Database, tenant: str | None = None) -> tuple[Key, ...]:
    """Return the keys of a tenant, or of all, the oldest first."""
    with database.reading() as connection:
        return _of(connection, tenant)


def revoke(database: Database, key_id: str, now: datetime) -> Key:
    """Take a key back, for ever; nothing happens where it was.

    Raises:
        NotFoundError: There is no such key.
    """
    with database.writing() as connection:
        found = connection.execute(select(*COLUMNS).where(keys.c.key_id == key_id)).first()
        if found is None:
            raise NotFoundError(f"there is no key {key_id!r}; list them with: influpath keys list.")
        key = Key(*found)
        if key.revoked_at is None:
            connection.execute(update(keys).where(keys.c.key_id == key_id).values(revoked_at=now))
            entry = audit.entry(now, "system", "key.revoked", name=key.name, key=key_id)
            audit.add(connection, key.tenant, [entry])
    return key


def authenticate(database: Database, text: str, now: datetime) -> Key | None:
    """Return the key that a text is, or None where it is none that holds."""
    parts = KEY_PATTERN.fullmatch(text)
    if parts is None:
        return None
    with database.reading() as connection:
        found = connection.execute(
            select(keys.c.sha256, *COLUMNS).where(keys.c.key_id == parts[1])
        ).first()
    # Compared also where there is no such key, so that the time tells nothing.
    right = hmac.compare_digest(digest(parts[2]), found[0] if found else digest(""))
    if found is None or not right:
        return None
    key = Key(*found[1:])
    return key if holds(key, now) else None


def any_admin(database: Database, now: datetime) -> bool:
    """Whether a key of an admin holds: without one nobody could change anything."""
    live = and_(
        keys.c.revoked_at.is_(None), or_(keys.c.expires_at.is_(None), keys.c.expires_at > now)
    )
    with database.reading() as connection:
        return (
            connection.execute(select(keys.c.key_id).where(live, keys.c.role == "admin")).first()
            is not None
        )


def holds(key: Key, now: datetime) -> bool:
    """Whether a key is neither revoked nor expired."""
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > now)


def digest(secret: str) -> str:
    """Return what is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _of(connection: Connection, tenant: str | None) -> tuple[Key, ...]:
    query = select(*COLUMNS).order_by(keys.c.created_at, keys.c.key_id)
    if tenant is not None:
        query = query.where(keys.c.tenant_id == tenant)
    return tuple(Key(*row) for row in connection.execute(query))
