"""What a call of ``feedback`` will write, while it is found out whether all of it is right."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from influpath.serving.campaigns.base import Base
from influpath.serving.campaigns.situation import objective_of
from influpath.serving.schemas import Event
from influpath.serving.store import campaigns, events, journeys, tenants, users


@dataclass
class Ledger:
    """What a call writes, once all of it is known to be right.

    Attributes:
        users: Rows by user id, locked.
        turns: By row, as it will stand.
        proposals: By id, with what became of them in this call.
        known: Events that are there, by id, with those of this call.
        journeys: Those that have not arrived, by user row, as they will stand.
        rows: New events.
        answers: Answered proposals.
        changed: Ids of journeys that changed.
        entries: For the audit log.
        never: What users rejected after the proposal was closed, by user row.
    """

    users: dict[str, Row[Any]]
    turns: dict[int, int]
    proposals: dict[str, dict[str, Any]]
    known: dict[str, dict[str, Any]]
    journeys: dict[int, list[dict[str, Any]]]
    rows: list[dict[str, Any]] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    changed: dict[str, dict[str, Any]] = field(default_factory=dict)
    entries: list[dict[str, Any]] = field(default_factory=list)
    never: list[tuple[int, str]] = field(default_factory=list)


class Ledgers(Base):
    """Opens ledgers."""

    def _open(
        self, connection: Connection, tenant: str, given: tuple[Event, ...], now: datetime
    ) -> Ledger:
        """Lock the users of a call and read what it speaks of."""
        wanted = {str(each.user_id) for each in given}
        locked = users.lock(connection, tenant, wanted)
        # Only who takes something unasked can be new; nobody else has a proposal to answer.
        new = {str(each.user_id) for each in given if each.kind == "organic"} - set(locked)
        if new:
            users.ensure(connection, tenant, new, now)
            locked |= users.lock(connection, tenant, new)
        known = events.recorded(connection, tenant, {each.event_id for each in given})
        named = {each.proposal_id for each in given if each.proposal_id is not None}
        proposals = events.find_proposals(connection, tenant, named) if named else {}
        refs = [row.id for row in locked.values()]
        kept = {each.id: each for each in self._kept(connection, tenant)}
        travelling: dict[int, list[dict[str, Any]]] = {}
        for row in journeys.not_arrived(connection, refs):
            campaign = kept.get(row.campaign_id)
            if campaign is None and row.campaign_id is not None:
                continue
            name = campaign.terms.name if campaign else None
            journey = {**row._mapping, "objective": objective_of(row, campaign), "name": name}
            travelling.setdefault(row.user_ref, []).append(journey)
        return Ledger(
            users=locked,
            turns={},
            proposals={name: dict(row._mapping) for name, row in proposals.items()},
            known={row.event_id: dict(row._mapping) for row in known},
            journeys=travelling,
        )

    def _kept(self, connection: Connection, tenant: str) -> tuple[campaigns.Kept, ...]:
        revision = tenants.revision(connection, tenant)
        return () if revision is None else self._campaigns(connection, tenant, revision)
