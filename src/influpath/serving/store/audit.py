"""The audit log: entries are added, never changed and never taken out."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from influpath.serving.store.tables import audit

ADD = insert(audit)


def entry(
    at: datetime,
    actor: str,
    action: str,
    *,
    subject: str | None = None,
    campaign_id: str | None = None,
    model: str | None = None,
    **details: Any,
) -> dict[str, Any]:
    """Return an entry; its details hold no id of a user, and what is None is left out."""
    return {
        "at": at,
        "actor": actor,
        "action": action,
        "subject": subject,
        "campaign_id": campaign_id,
        "model": model,
        "details": {key: value for key, value in details.items() if value is not None},
    }


def add(connection: Connection, tenant: str, entries: Iterable[dict[str, Any]]) -> None:
    """Add entries, in order."""
    rows = [{"tenant_id": tenant, **each} for each in entries]
    if rows:
        connection.execute(ADD, rows)


def page(
    connection: Connection,
    tenant: str,
    after: int | None,
    limit: int,
    subject: str | None,
    campaign_id: str | None,
) -> list[Row[Any]]:
    """Return entries, oldest first; those of a subject or campaign where one is named."""
    query = select(audit).where(audit.c.tenant_id == tenant)
    if after is not None:
        query = query.where(audit.c.number > after)
    if subject is not None:
        query = query.where(audit.c.subject == subject)
    if campaign_id is not None:
        query = query.where(audit.c.campaign_id == campaign_id)
    return list(connection.execute(query.order_by(audit.c.number).limit(limit)))
