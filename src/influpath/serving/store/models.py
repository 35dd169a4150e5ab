"""Versions of the model, and which of them is active."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, ScalarSelect, func, insert, select, update

from influpath.serving.engine.asks import BundleCard
from influpath.serving.store import tenants
from influpath.serving.store.tables import activations, journeys, models


def active_query(tenant: Any) -> ScalarSelect[str]:
    """Return the query for a tenant's active version: the last activation not rolled back."""
    return (
        select(activations.c.version)
        .where(activations.c.tenant_id == tenant, activations.c.rolled_back.is_(False))
        .order_by(activations.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )


def active(connection: Connection, tenant: str) -> str | None:
    """Return the active version."""
    return connection.scalar(select(active_query(tenant)))


def anything_active(connection: Connection) -> bool:
    """Whether any tenant has an active version."""
    query = select(activations.c.id).where(activations.c.rolled_back.is_(False)).limit(1)
    return connection.execute(query).first() is not None


def register(
    connection: Connection, tenant: str, version: str, card: BundleCard, now: datetime
) -> None:
    """Keep a version that is new."""
    connection.execute(
        insert(models),
        {"tenant_id": tenant, "version": version, "card": asdict(card), "registered_at": now},
    )


def activate(connection: Connection, tenant: str, version: str, now: datetime) -> None:
    """Make a version active."""
    tenants.touch(connection, tenant)
    connection.execute(insert(activations), {"tenant_id": tenant, "version": version, "at": now})


def roll_back(connection: Connection, tenant: str) -> tuple[str, str] | None:
    """Take the last activation back.

    Returns:
        The version that was active and the one that is now; None where there is no earlier one.
    """
    tenants.touch(connection, tenant)
    last = _last_two(connection, tenant)
    if len(last) < 2:
        return None
    connection.execute(
        update(activations).where(activations.c.id == last[0].id).values(rolled_back=True)
    )
    return last[0].version, last[1].version


def previous(connection: Connection, tenant: str) -> str | None:
    """Return the version that ``roll_back`` goes to; None where there is no earlier one."""
    last = _last_two(connection, tenant)
    return last[1].version if len(last) == 2 else None


def _last_two(connection: Connection, tenant: str) -> list[Row[Any]]:
    query = (
        select(activations.c.id, activations.c.version)
        .where(activations.c.tenant_id == tenant, activations.c.rolled_back.is_(False))
        .order_by(activations.c.id.desc())
        .limit(2)
    )
    return list(connection.execute(query))


def listed(connection: Connection, tenant: str, version: str | None = None) -> list[Row[Any]]:
    """Return versions with when they were last activated and how many open journeys use them."""
    activated = (
        select(func.max(activations.c.at))
        .where(
            activations.c.tenant_id == models.c.tenant_id,
            activations.c.version == models.c.version,
        )
        .scalar_subquery()
    )
    used = (
        select(func.count())
        .where(
            journeys.c.tenant_id == models.c.tenant_id,
            journeys.c.version == models.c.version,
            journeys.c.status == "open",
            journeys.c.arm == "treated",
        )
        .scalar_subquery()
    )
    query = select(models, activated.label("activated_at"), used.label("journeys")).where(
        models.c.tenant_id == tenant
    )
    if version is not None:
        query = query.where(models.c.version == version)
    return list(
        connection.execute(query.order_by(models.c.registered_at.desc(), models.c.version.desc()))
    )
