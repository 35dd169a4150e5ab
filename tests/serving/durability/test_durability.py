"""A service that is killed in the middle of its work has lost nothing that it acknowledged."""

import asyncio
import json
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import func, select, text

from influpath.benchmarks.open_loop import Client, Load
from influpath.benchmarks.serving import ask, end, start_service
from influpath.irn.model import IRN
from influpath.recommenders.bert4rec import BERT4Rec
from influpath.recommenders.sasrec import SASRec
from influpath.serving.store.database import Database
from influpath.serving.store.tables import events, proposals, users

from ..engine.tiny_bundle import ITEMS, USERS, VERSION, tiny_bundle

EVENTS = 1000
KILLED_AFTER = 250
ASKED = USERS[:16]


@pytest.fixture(scope="module")
def bundles(
    tmp_path_factory: pytest.TempPathFactory, learned_irn: IRN, sasrec: SASRec, bert4rec: BERT4Rec
) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    tiny_bundle(learned_irn, sasrec, bert4rec).save(folder / VERSION)
    return folder


def what_happened(shown: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return an answer to what each user was shown, and organic events for the rest."""
    kinds = ["accepted", "rejected", "ignored"]
    answers = [
        {"user_id": user, "kind": kinds[place % 3], "proposal_id": answer["proposal_id"]}
        for place, (user, answer) in enumerate(shown.items())
        # Half of them stay open.
        if place % 2
    ]
    taken = [
        {"user_id": USERS[n % len(USERS)], "kind": "organic", "item_id": ITEMS[n % len(ITEMS)]}
        for n in range(EVENTS - len(answers))
    ]
    # The answers come somewhere in the middle of it all.
    both = taken[: EVENTS // 4] + answers + taken[EVENTS // 4 :]
    return [{"event_id": f"event {n}", **event} for n, event in enumerate(both)]


def send(address: str, given: list[dict[str, Any]], pid: int | None = None) -> dict[str, str]:
    """Send events, each in a request of its own and all at once.

    Args:
        address: Of the service.
        given: The events.
        pid: Killed once some events were acknowledged.

    Returns:
        Status by event id of those that were acknowledged.
    """
    url = urlsplit(address)
    client = Client(Load(str(url.hostname), int(url.port or 0), [], [], {}, 0))
    known: dict[str, str] = {}

    async def one(event: dict[str, Any]) -> None:
        try:
            status, body = await client.send("POST", "/v1/feedback", {"events": [event]})
        except (OSError, EOFError, StopIteration):
            if pid is None:
                raise
            return
        assert status == 200, body
        known[event["event_id"]] = json.loads(body)["results"][0]["status"]
        if pid is not None and len(known) == KILLED_AFTER:
            os.kill(pid, signal.SIGKILL)

    async def everything() -> None:
        await asyncio.gather(*map(one, given))
        client.close()

    asyncio.run(everything())
    return known


def test_nothing_acknowledged_is_lost_or_doubled_when_the_process_is_killed(
    bundles: Path, database_url: str, tmp_path: Path
) -> None:
    process, address = start_service(bundles, database_url, tmp_path)
    try:
        campaign = {"name": "c", "objective": {"kind": "category", "name": "War"}, "horizon": 6}
        ask(f"{address}/v1/campaigns", {**campaign, "holdout": 0.3})
        shown = {user: ask(f"{address}/v1/next", {"user_id": user}) for user in ASKED}
        given = what_happened(shown)
        acknowledged = send(address, given, process.pid)
    finally:
        process.kill()
        end(process)
    assert KILLED_AFTER <= len(acknowledged) < EVENTS
    assert set(acknowledged.values()) == {"recorded"}

    process, address = start_service(bundles, database_url, tmp_path)
    try:
        # The platform does not know what arrived, so it sends everything again.
        again = send(address, given)
        assert again.keys() == {event["event_id"] for event in given}
        assert {again[event] for event in acknowledged} == {"duplicate"}
        assert set(again.values()) == {"recorded", "duplicate"}
        assert set(send(address, given).values()) == {"duplicate"}
        answered = {event["proposal_id"] for event in given if "proposal_id" in event}
        for user, before in shown.items():
            after = ask(f"{address}/v1/next", {"user_id": user})
            same = after["proposal_id"] == before["proposal_id"]
            # Unless meanwhile the user took the item without waiting to be shown it.
            if before["proposal_id"] in answered:
                assert not same
    finally:
        process.send_signal(signal.SIGTERM)
        end(process)
    assert process.returncode == 0

    with Database(database_url) as database, database.reading() as connection:
        recorded = connection.scalars(
            select(events.c.event_id).where(events.c.event_id.is_not(None))
        ).all()
        assert sorted(recorded) == sorted(event["event_id"] for event in given)
        # Each answer answers one proposal, and each turn of a user was used once.
        rows = connection.execute(select(events.c.proposal_id, events.c.user_ref, events.c.turn))
        found = [tuple(row) for row in rows]
        answers = Counter(proposal for proposal, _, _ in found if proposal is not None)
        assert set(answers.values()) == {1}
        assert answers.keys() == answered
        turns = Counter((user, turn) for _, user, turn in found)
        assert set(turns.values()) == {1}
        kept = connection.execute(
            select(proposals.c.id, proposals.c.answer).where(proposals.c.id.in_(answered))
        )
        wanted = {e["proposal_id"]: e["kind"] for e in given if "proposal_id" in e}
        assert {row.id: row.answer for row in kept} == wanted
        assert connection.scalar(select(func.count()).select_from(users)) == len(USERS)
        if database.is_sqlite:
            assert connection.scalar(text("PRAGMA integrity_check")) == "ok"
