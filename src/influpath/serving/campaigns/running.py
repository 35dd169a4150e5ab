"""``next``: look, decide, and keep what was decided, unless something changed meanwhile.

The engine is asked outside any transaction.  Before the proposal is written it is checked that
neither the user nor what concerns all users has changed since it was looked; else it is decided
again.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.exc import IntegrityError

from influpath.serving.campaigns.base import demanded
from influpath.serving.campaigns.caller import Caller
from influpath.serving.campaigns.catalogues import card
from influpath.serving.campaigns.deciding import Deciding, Decision
from influpath.serving.campaigns.ending import end_due
from influpath.serving.campaigns.situation import Situation, leg_of
from influpath.serving.campaigns.writing import added, entries_of, never_came, standing
from influpath.serving.errors import NotReadyError
from influpath.serving.schemas import Exclusions, Id, Next, NextIn
from influpath.serving.store import audit, campaigns, events, journeys, models, tenants, users
from influpath.serving.store.names import fresh
from influpath.serving.store.tables import tenants as tenants_table
from influpath.serving.store.tables import users as users_table

# Somebody else was faster so often: then the caller may try again.
ATTEMPTS = 10


class Running(Deciding):
    """What users are shown."""

    def next(self, caller: Caller, given: NextIn) -> Next:
        """Return what to show a user next, the same until it is answered (service).

        Raises:
            NotReadyError: No model is active, or the user's state changes faster than it is read.
        """
        caller.must_be("service")
        user_id = str(given.user_id)
        for _ in range(ATTEMPTS):
            now = self.clock()
            situation = self._look(caller.tenant, user_id, now)
            if situation is None:
                with self.store.writing() as connection:
                    users.ensure(connection, caller.tenant, [user_id], now)
                continue
            if any(campaign.is_due(now) for campaign in situation.campaigns):
                end_due(self.store, caller.tenant, now)
                continue
            closing = self._closing(situation)
            if situation.proposal is not None and closing is None:
                return self._shown(caller.tenant, given.user_id, situation.proposal._mapping)
            decision = self._decide(self._in_full(situation), closing)
            try:
                row = self._keep(situation, decision)
            except IntegrityError:
                continue
            if row is not None:
                return self._shown(caller.tenant, given.user_id, row)
        raise NotReadyError("this user's state changes faster than it can be read; try again.")

    def _look(self, tenant: str, user_id: str, now: datetime) -> Situation | None:
        """Return what is known of a user, without what happened; None for a new one."""
        with self.store.reading() as connection:
            found = connection.execute(HEAD, {"tenant": tenant, "user": user_id}).first()
            active = demanded(found.active if found else None, tenant)
            if found is None or found.id is None:
                return None
            return Situation(
                tenant=tenant,
                user_id=user_id,
                now=now,
                revision=found.revision,
                active=active,
                excluded=Exclusions.model_validate(found.tenant_excluded),
                user=found,
                proposal=events.open_proposal(connection, found.id),
                campaigns=self._campaigns(connection, tenant, found.revision),
            )

    def _in_full(self, situation: Situation) -> Situation:
        """Add what happened to the user."""
        by_id = {campaign.id: campaign for campaign in situation.campaigns}
        naming = [each.id for each in situation.campaigns if each.named and each.status != "ended"]
        with self.store.reading() as connection:
            ref = situation.user.id
            # What came since is seen when the decision is kept.
            legs = [
                leg_of(row, by_id)
                for row in journeys.of_user(connection, ref)
                if row.campaign_id is None or row.campaign_id in by_id
            ]
            happened = events.of_user(connection, ref)
            named = (
                campaigns.naming(connection, situation.user_id, naming) if naming else frozenset()
            )
        return Situation(**{**vars(situation), "legs": legs, "happened": happened, "named": named})

    def _keep(self, situation: Situation, decision: Decision) -> dict[str, Any] | None:
        """Write a decision; return the proposal, or None where it no longer holds."""
        user, now, tenant = situation.user, situation.now, situation.tenant
        expired = decision.closing == "expired"
        turn = user.turn + 1 + expired
        row = self._row(situation, decision, turn)
        entries = entries_of(situation, decision, self._title(tenant, row))
        with self.store.writing() as connection:
            if not users.advance(connection, user.id, user.turn, 1 + expired):
                return None
            if tenants.revision(connection, tenant) != situation.revision:
                connection.rollback()
                return None
            if situation.proposal is not None and decision.closing is not None:
                events.close_proposal(connection, situation.proposal.id, decision.closing, now)
            if situation.proposal is not None and expired:
                events.add(connection, [never_came(situation, user.turn + 1)])
            journeys.add(
                connection, [added(situation, leg, turn) for leg in decision.legs if leg.new]
            )
            for leg in decision.legs:
                if leg.changed and not leg.new:
                    journeys.change(connection, leg.id, **standing(leg, now))
            events.propose(connection, row)
            audit.add(connection, tenant, entries)
        return row

    def _row(self, situation: Situation, decision: Decision, turn: int) -> dict[str, Any]:
        answer, leg = decision.answer, decision.leg
        empty = answer.item is None
        source = "plain" if leg is None else "campaign" if leg.campaign else "goal"
        return {
            "id": fresh("p"),
            "tenant_id": situation.tenant,
            "user_ref": situation.user.id,
            "turn": turn,
            # Nothing can be answered where nothing is shown, so the next call decides anew.
            "status": "withdrawn" if empty else "open",
            "journey_id": leg.id if leg else None,
            "source": source,
            "campaign_id": leg.campaign.id if leg and leg.campaign else None,
            "goal_id": leg.goal_id if leg else None,
            "item": answer.item,
            "step": leg.shown if leg else None,
            "horizon": leg.horizon if leg else None,
            "is_objective": answer.is_objective,
            "acceptance": answer.acceptance,
            "rank": answer.rank,
            "aggressiveness": answer.aggressiveness if leg else None,
            "reason": answer.reason,
            "note": answer.note,
            "version": decision.version,
            "created_at": situation.now,
            "closed_at": situation.now if empty else None,
        }

    def _title(self, tenant: str, row: dict[str, Any]) -> str | None:
        if row["item"] is None:
            return None
        return card(self._catalogue(tenant, row["version"]), row["item"]).title

    def _shown(self, tenant: str, user_id: Id, row: Any) -> Next:
        catalogue = self._catalogue(tenant, row["version"])
        return Next(
            proposal_id=row["id"],
            user_id=user_id,
            item=None if row["item"] is None else card(catalogue, row["item"]),
            source=row["source"],
            campaign_id=row["campaign_id"],
            goal_id=row["goal_id"],
            step=row["step"],
            horizon=row["horizon"],
            is_objective=row["is_objective"],
            acceptance=row["acceptance"],
            rank=row["rank"],
            reason=row["reason"],
            note=row["note"],
            model=row["version"],
        )


def head() -> Any:
    """Return the query for all that decides whether the open proposal is shown again."""
    tenant: Any = bindparam("tenant")
    user: Any = bindparam("user")
    joined = tenants_table.outerjoin(
        users_table,
        (users_table.c.tenant_id == tenants_table.c.tenant_id) & (users_table.c.user_id == user),
    )
    return (
        select(
            users_table,
            tenants_table.c.revision,
            tenants_table.c.excluded.label("tenant_excluded"),
            models.active_query(tenant).label("active"),
        )
        .select_from(joined)
        .where(tenants_table.c.tenant_id == tenant)
    )


HEAD = head()
