"""Campaigns that come to their end."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from influpath.serving.store import audit, campaigns, journeys, tenants
from influpath.serving.store.campaigns import Kept
from influpath.serving.store.database import Database


def end_due(store: Database, tenant: str, now: datetime) -> None:
    """End the campaigns of a tenant whose time is over."""
    with store.writing() as connection:
        tenants.touch(connection, tenant)
        for kept in campaigns.listed(connection, tenant):
            if kept.is_due(now):
                end(connection, tenant, kept, "system", now, "its time is over")


def end(
    connection: Connection, tenant: str, kept: Kept, actor: str, now: datetime, why: str
) -> Kept:
    """End a campaign and stop its journeys; its open proposals are withdrawn when next looked at.

    The tenant's revision must have been counted up in the same transaction.
    """
    ended = replace(kept, status="ended", ended_at=now)
    campaigns.change(connection, ended)
    journeys.stop_campaign(connection, kept.id, "the campaign ended", now)
    audit.add(
        connection,
        tenant,
        [
            audit.entry(
                now,
                actor,
                "campaign.ended",
                campaign_id=kept.id,
                campaign=kept.terms.name,
                note=why,
            )
        ],
    )
    return ended
