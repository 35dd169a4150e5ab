"""``feedback``: what users did, each event once, all of a call or nothing."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row
from sqlalchemy.exc import IntegrityError

from influpath.serving.campaigns.arriving import Arriving
from influpath.serving.campaigns.caller import Caller
from influpath.serving.campaigns.ledger import Ledger, Ledgers
from influpath.serving.errors import ConflictError, NotFoundError, NotReadyError
from influpath.serving.schemas import Event, Feedback, FeedbackIn, Recorded
from influpath.serving.store import audit, events, journeys, users

# Another call recorded the same events meanwhile; once more, and they are duplicates.
ATTEMPTS = 5


class Answering(Ledgers, Arriving):
    """What users did."""

    def feedback(self, caller: Caller, given: FeedbackIn) -> Feedback:
        """Record what users did, all of it or nothing (service).

        Items that no model knows yet are recorded, too; they count once one does.

        Raises:
            NotFoundError: A proposal is not that user's.
            ConflictError: An event id is known with other content, or an item is not the
                proposal's.
        """
        caller.must_be("service")
        with self.store.in_turn():
            for _ in range(ATTEMPTS):
                try:
                    with self.store.writing() as connection:
                        now = self.clock()
                        results = self._record(connection, caller.tenant, given.events, now)
                except IntegrityError:
                    continue
                return Feedback(results=results)
        raise NotReadyError("the same events are being recorded by others; try again.")

    def _record(
        self, connection: Connection, tenant: str, given: tuple[Event, ...], now: datetime
    ) -> tuple[Recorded, ...]:
        ledger = self._open(connection, tenant, given, now)
        results = tuple(
            Recorded(
                event_id=each.event_id, status=self._enter(connection, tenant, ledger, each, now)
            )
            for each in given
        )
        events.add(connection, ledger.rows)
        events.answer_proposals(connection, ledger.answers)
        journeys.change_many(connection, list(ledger.changed.values()))
        for user_ref, item in ledger.never:
            withdraw(connection, user_ref, item, now)
        users.set_turns(connection, ledger.turns)
        audit.add(connection, tenant, ledger.entries)
        return results

    def _enter(
        self, connection: Connection, tenant: str, ledger: Ledger, event: Event, now: datetime
    ) -> Any:
        """Enter one event into the ledger and return what became of it."""
        user = ledger.users.get(str(event.user_id))
        there = ledger.known.get(event.event_id)
        if there is not None:
            if user is None or not same(event, there, user.id):
                raise ConflictError(
                    f"event {event.event_id!r} was recorded with other content; "
                    "give another event another id."
                )
            return "duplicate"
        proposal = None
        if event.proposal_id is not None:
            proposal = ledger.proposals.get(event.proposal_id)
            if user is None or proposal is None or proposal["user_ref"] != user.id:
                raise NotFoundError(
                    f"event {event.event_id!r}: this user has no proposal {event.proposal_id!r}."
                )
            shown = proposal["item"]
            if shown is None or (event.item_id is not None and str(event.item_id) != shown):
                raise ConflictError(
                    f"event {event.event_id!r}: proposal {event.proposal_id!r} showed "
                    f"{'nothing' if shown is None else f'item {shown!r}'}."
                )
            if proposal["answer"] is not None:
                return "answered_before"
        if user is None:
            raise NotFoundError(f"event {event.event_id!r}: there is no such user.")
        self._take_down(connection, tenant, ledger, event, user, proposal, now)
        return "recorded"

    def _take_down(
        self,
        connection: Connection,
        tenant: str,
        ledger: Ledger,
        event: Event,
        user: Row[Any],
        proposal: dict[str, Any] | None,
        now: datetime,
    ) -> None:
        turn = ledger.turns.get(user.id, user.turn) + 1
        ledger.turns[user.id] = turn
        in_time = proposal is not None and proposal["status"] == "open"
        row = {
            "tenant_id": tenant,
            "event_id": event.event_id,
            "user_ref": user.id,
            "turn": turn,
            "kind": event.kind,
            "item": proposal["item"] if proposal is not None else str(event.item_id),
            "proposal_id": event.proposal_id,
            # A late answer uses up no slot: the slot was over when the proposal was closed.
            "journey_id": proposal["journey_id"] if proposal is not None and in_time else None,
            "at": event.at,
            "recorded_at": now,
        }
        ledger.rows.append(row)
        ledger.known[event.event_id] = row
        ledger.entries.append(
            audit.entry(
                now,
                "user",
                f"item.{'taken' if event.kind == 'organic' else event.kind}",
                subject=user.subject,
                campaign_id=proposal["campaign_id"] if proposal is not None else None,
                model=proposal["version"] if proposal is not None else None,
                item=row["item"],
                proposal=event.proposal_id,
            )
        )
        if proposal is not None:
            proposal |= {"answer": event.kind}
            if in_time:
                proposal |= {"status": "answered", "closed_at": now}
            ledger.answers.append(
                {
                    "proposal": proposal["id"],
                    "said": event.kind,
                    "now_status": proposal["status"],
                    "now_closed": proposal["closed_at"],
                }
            )
            if event.kind == "rejected" and not in_time:
                ledger.never.append((user.id, row["item"]))
        if event.kind in ("accepted", "organic"):
            self._arrive(connection, tenant, ledger, user, row, now)
        for journey in ledger.journeys.get(user.id, ()):
            used = journey["id"] == row["journey_id"] and journey["status"] == "open"
            if used and journey["shown"] >= journey["horizon"]:
                journey |= {"status": "over", "ended_at": now}
                self._finish(ledger, user, journey, now, "journey.ended")


def same(event: Event, there: dict[str, Any], user_ref: int) -> bool:
    """Whether an event says what was recorded under its id."""
    return (
        there["user_ref"] == user_ref
        and there["kind"] == event.kind
        and there["proposal_id"] == event.proposal_id
        and there["at"] == event.at
        and (event.item_id is None or there["item"] == str(event.item_id))
    )


def withdraw(connection: Connection, user_ref: int, item: str, now: datetime) -> None:
    """Withdraw the open proposal of a user if it is of an item that was rejected since."""
    proposal = events.open_proposal(connection, user_ref)
    if proposal is None or proposal.item != item:
        return
    events.close_proposal(connection, proposal.id, "withdrawn", now)
    if proposal.journey_id is not None:
        journeys.give_back(connection, proposal.journey_id)
