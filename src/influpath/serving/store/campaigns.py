"""Campaigns, and who is in the audiences that name users."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from influpath.serving.schemas import Audience, CampaignIn, CampaignStatus
from influpath.serving.store.tables import audiences, campaigns


@dataclass(frozen=True)
class Kept:
    """A campaign as it is kept.

    Attributes:
        id: Its name here.
        status: As it was set; one whose time is over may still say "running".
        terms: What was asked for, but for the users that the audience names.
        named: Whether the audience names users.
        objective_words: The objective as people read it.
        created_at: When.
        ended_at: When it ended.
    """

    id: str
    status: CampaignStatus
    terms: CampaignIn
    named: bool
    objective_words: str
    created_at: datetime
    ended_at: datetime | None

    def is_due(self, now: datetime) -> bool:
        """Whether it has run out of time, and nobody has ended it yet."""
        ends = self.terms.ends_at
        return self.status != "ended" and ends is not None and ends <= now

    def leads(self, now: datetime) -> bool:
        """Whether it may lead users now."""
        begun = self.terms.starts_at is None or self.terms.starts_at <= now
        return self.status == "running" and begun and not self.is_due(now)


def add(connection: Connection, tenant: str, kept: Kept, users: Iterable[str]) -> None:
    """Keep a new campaign and the users that its audience names."""
    connection.execute(
        insert(campaigns),
        {
            "id": kept.id,
            "tenant_id": tenant,
            "status": kept.status,
            "terms": kept.terms.model_dump(mode="json"),
            "named": kept.named,
            "objective_words": kept.objective_words,
            "created_at": kept.created_at,
        },
    )
    rows = [
        {"campaign_id": kept.id, "tenant_id": tenant, "user_id": user}
        for user in sorted(set(users))
    ]
    if rows:
        connection.execute(insert(audiences), rows)


def change(connection: Connection, kept: Kept) -> None:
    """Keep what was changed of a campaign: status, terms, end."""
    connection.execute(
        update(campaigns)
        .where(campaigns.c.id == kept.id)
        .values(
            status=kept.status,
            terms=kept.terms.model_dump(mode="json"),
            ended_at=kept.ended_at,
        )
    )


def listed(connection: Connection, tenant: str) -> tuple[Kept, ...]:
    """Return the campaigns of a tenant, the newest first."""
    query = select(campaigns).where(campaigns.c.tenant_id == tenant)
    newest = query.order_by(campaigns.c.created_at.desc(), campaigns.c.id)
    return tuple(map(_kept, connection.execute(newest)))


def find(connection: Connection, tenant: str, campaign_id: str) -> Kept | None:
    """Return a campaign."""
    row = connection.execute(
        select(campaigns).where(campaigns.c.tenant_id == tenant, campaigns.c.id == campaign_id)
    ).first()
    return None if row is None else _kept(row)


def audience(connection: Connection, campaign_id: str) -> tuple[str, ...]:
    """Return the users that a campaign names."""
    query = select(audiences.c.user_id).where(audiences.c.campaign_id == campaign_id)
    return tuple(connection.scalars(query.order_by(audiences.c.user_id)))


def naming(connection: Connection, user_id: str, of: Collection[str]) -> frozenset[str]:
    """Return which of some campaigns name a user."""
    query = select(audiences.c.campaign_id).where(
        audiences.c.user_id == user_id, audiences.c.campaign_id.in_(of)
    )
    return frozenset(connection.scalars(query))


def _kept(row: Row[Any]) -> Kept:
    terms = CampaignIn.model_validate(row.terms)
    return Kept(
        row.id, row.status, terms, row.named, row.objective_words, row.created_at, row.ended_at
    )


def without_users(terms: CampaignIn) -> CampaignIn:
    """Return terms as they are kept: the users that the audience names are kept beside them."""
    return terms.model_copy(update={"audience": Audience()})
