"""``feedback``: what users did, each event once, all of a call or nothing."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select
from sqlalchemy.exc import IntegrityError

from influpath.errors import ModelFileError, UnknownIdError
from influpath.planning.objectives import Objective
from influpath.serving.campaigns.base import Base
from influpath.serving.campaigns.caller import Caller
from influpath.serving.errors import ConflictError, NotFoundError, NotReadyError
from influpath.serving.schemas import Event, Feedback, FeedbackIn, Recorded
from influpath.serving.store import audit, campaigns, events, journeys, tenants, users
from influpath.serving.store.tables import events as events_table

# Another call recorded the same events meanwhile; once more, and they are duplicates.
ATTEMPTS = 5


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


class Answering(Base):
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
            objective = (
                campaign.terms.objective
                if campaign is not None
                else Objective.model_validate(row.objective)
            )
            name = campaign.terms.name if campaign else None
            journey = {**row._mapping, "objective": objective, "name": name}
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
