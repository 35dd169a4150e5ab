"""``next``: look, decide, and keep what was decided, unless something changed meanwhile.

The engine is asked outside any transaction.  Before the proposal is written it is checked that
neither the user nor what concerns all users has changed since it was looked; else it is decided
again.  A user who is new is added together with the first proposal.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy.exc import IntegrityError

from influpath.serving.campaigns.base import demanded
from influpath.serving.campaigns.caller import Caller
from influpath.serving.campaigns.catalogues import card
from influpath.serving.campaigns.deciding import Deciding, Decision
from influpath.serving.campaigns.ending import end_due
from influpath.serving.campaigns.situation import Leg, Situation, leg_of
from influpath.serving.campaigns.writing import added, entries_of, never_came, standing
from influpath.serving.errors import NotReadyError
from influpath.serving.schemas import Exclusions, Id, Next, NextIn
from influpath.serving.store import audit, campaigns, events, journeys, tenants, users
from influpath.serving.store.events import Happened
from influpath.serving.store.glance import glance
from influpath.serving.store.names import fresh

# Somebody else was faster so often: then the caller may try again.
ATTEMPTS = 10


class Outdated(Exception):  # noqa: N818
    """What concerns all users has changed since it was looked; nothing is written."""


class Running(Deciding):
    """What users are shown."""

    def next(self, caller: Caller, given: NextIn) -> Next:
        """Return what to show a user next, the same until it is answered (service).

        Raises:
            NotReadyError: No model is active, or the user's state changes faster than it is read.
        """
        caller.must_be("service")
        with self.store.in_turn():
            return self._next(caller, given)

    def _next(self, caller: Caller, given: NextIn) -> Next:
        user_id = str(given.user_id)
        for _ in range(ATTEMPTS):
            now = self.clock()
            situation = self._look(caller.tenant, user_id, now)
            if any(campaign.is_due(now) for campaign in situation.campaigns):
                end_due(self.store, caller.tenant, now)
                continue
            closing = self._closing(situation)
            if situation.proposal is not None and closing is None:
                return self._shown(caller.tenant, given.user_id, vars(situation.proposal))
            decision = self._decide(self._in_full(situation), closing)
            try:
                row = self._keep(situation, decision)
            except (IntegrityError, Outdated):
                continue
            if row is not None:
                return self._shown(caller.tenant, given.user_id, row)
        raise NotReadyError("this user's state changes faster than it can be read; try again.")

    def _look(self, tenant: str, user_id: str, now: datetime) -> Situation:
        """Return what is known of a user, without what happened.

        Raises:
            NotReadyError: No model is active.
        """
        with self.store.looking() as connection:
            found = glance(connection, tenant, user_id)
            active = demanded(found.active if found else None, tenant)
            assert found is not None
            account = found.account
            if account is None:
                forgotten = users.among_erased(connection, found.salt, [user_id])
                account = users.new_account(user_id, forgotten)
            return Situation(
                tenant=tenant,
                user_id=user_id,
                now=now,
                revision=found.revision,
                active=active,
                excluded=Exclusions.model_validate(found.excluded),
                user=account,
                proposal=found.proposal,
                campaigns=self._campaigns(connection, tenant, found.revision),
            )

    def _in_full(self, situation: Situation) -> Situation:
        """Add what happened to the user; what came since is seen when the decision is kept."""
        by_id = {campaign.id: campaign for campaign in situation.campaigns}
        naming = [each.id for each in situation.campaigns if each.named and each.status != "ended"]
        ref = situation.user.id
        legs: list[Leg] = []
        happened: list[Happened] = []
        named: frozenset[str] = frozenset()
        with self.store.looking() as connection:
            if ref is not None:
                legs = [
                    leg_of(row, by_id)
                    for row in journeys.of_user(connection, ref)
                    if row.campaign_id is None or row.campaign_id in by_id
                ]
                happened = events.of_user(connection, ref)
            if naming:
                named = campaigns.naming(connection, situation.user_id, naming)
        return replace(situation, legs=legs, happened=happened, named=named)

    def _keep(self, situation: Situation, decision: Decision) -> dict[str, Any] | None:
        """Write a decision; return the proposal, or None where it no longer holds."""
        user, now, tenant = situation.user, situation.now, situation.tenant
        expired = decision.closing == "expired"
        turn = user.turn + 1 + expired
        row = self._row(situation, decision, turn)
        entries = entries_of(situation, decision, self._title(tenant, row))
        new_legs = [added(situation, leg, turn) for leg in decision.legs if leg.new]
        with self.store.writing() as connection:
            if user.id is None:
                counted = replace(user, turn=turn)
                ref = users.add(connection, counted, tenant, situation.user_id, now)
                for each in (row, *new_legs):
                    each["user_ref"] = ref
            elif not users.advance(connection, user.id, user.turn, 1 + expired):
                return None
            # Who deletes a user or ends a campaign cannot see what is new here, and so counts the
            # revision up; what is there already is checked by itself.
            hold = user.id is None or new_legs
            read = tenants.held_revision if hold else tenants.revision
            if read(connection, tenant) != situation.revision:
                raise Outdated
            if situation.proposal is not None and decision.closing is not None:
                events.close_proposal(connection, situation.proposal.id, decision.closing, now)
            if situation.proposal is not None and expired:
                events.add(connection, [never_came(situation, user.turn + 1)])
            journeys.add(connection, new_legs)
            for leg in decision.legs:
                if not leg.changed or leg.new:
                    continue
                if not journeys.change(connection, leg.id, leg.was, **standing(leg, now)):
                    raise Outdated
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
