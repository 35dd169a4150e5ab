"""Journeys that arrive, or are over, by what a user did."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from influpath.errors import ModelFileError, UnknownIdError
from influpath.serving.campaigns.base import Base
from influpath.serving.campaigns.ledger import Ledger
from influpath.serving.store import audit
from influpath.serving.store.tables import events as events_table


class Arriving(Base):
    """What a taken item means for journeys."""

    def _arrive(
        self,
        connection: Connection,
        tenant: str,
        ledger: Ledger,
        user: Row[Any],
        row: dict[str, Any],
        now: datetime,
    ) -> None:
        """Let those journeys of a user arrive whose objective the taken item is."""
        at = min(row["at"] or now, now)
        for journey in ledger.journeys.get(user.id, ()):
            if journey["arrived_at"] is not None or at < journey["enrolled_at"]:
                continue
            try:
                members = self._members(tenant, journey["version"], journey["objective"])
            except (ModelFileError, UnknownIdError):
                continue
            if row["item"] not in members or self._had(connection, tenant, user, journey, row):
                continue
            journey["arrived_at"] = at
            if journey["status"] == "open":
                journey |= {"status": "arrived", "ended_at": now}
            self._finish(ledger, user, journey, now, "journey.arrived")

    def _had(
        self,
        connection: Connection,
        tenant: str,
        user: Row[Any],
        journey: dict[str, Any],
        row: dict[str, Any],
    ) -> bool:
        """Whether the user had taken an item before the journey: then it is no arrival."""
        if row["kind"] == "accepted":
            # Nothing is proposed that the user has had.
            return False
        earlier = select(events_table.c.turn).where(
            events_table.c.user_ref == user.id,
            events_table.c.item == row["item"],
            events_table.c.turn < journey["enrolled_turn"],
            events_table.c.kind.in_(("accepted", "organic")),
        )
        if connection.execute(earlier.limit(1)).first() is not None:
            return True
        try:
            history = self._catalogue(tenant, journey["version"]).history(user.user_id)
        except ModelFileError:
            return False
        return bool(user.known) and row["item"] in history

    def _finish(
        self, ledger: Ledger, user: Row[Any], journey: dict[str, Any], now: datetime, action: str
    ) -> None:
        keep = ("id", "status", "ended_at", "arrived_at")
        ledger.changed[journey["id"]] = {key: journey[key] for key in keep}
        ledger.entries.append(
            audit.entry(
                now,
                "system",
                action,
                subject=user.subject,
                campaign_id=journey["campaign_id"],
                model=journey["version"],
                status=journey["status"],
                campaign=journey["name"],
                goal=journey["goal_id"],
            )
        )
