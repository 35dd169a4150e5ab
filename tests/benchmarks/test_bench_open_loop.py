"""The open loop, held against a server whose slowness is known."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from influpath.benchmarks.open_loop import Load, OpenLoop, arrivals

Handler = Callable[[str, dict[str, Any]], Awaitable[tuple[int, Any]]]


def load(port: int = 0, **changes: Any) -> Load:
    rates = {"next": 100.0, "feedback": 50.0, "healthz": 5.0}
    settings = {"rates": rates, "seconds": 2.0, "warm_up": 0.0, **changes}
    return Load(host="127.0.0.1", port=port, users=[1, 2, 3], items=["a", "b"], **settings)


def run(handle: Handler, **changes: Any) -> dict[str, Any]:
    """Send a load to a server that answers as ``handle`` says."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            lines = head.decode().split("\r\n")
            length = next(int(line[16:]) for line in lines if line.startswith("Content-Length"))
            body = await reader.readexactly(length)
            status, answer = await handle(lines[0].split()[1], json.loads(body or b"{}"))
            content = json.dumps(answer).encode()
            writer.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n" % (status, len(content)))
            writer.write(content)

    handlers = set()

    async def quietly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.add(asyncio.current_task())
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await serve(reader, writer)
        writer.close()

    async def whole() -> dict[str, Any]:
        server = await asyncio.start_server(quietly, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            found = await OpenLoop(load(port, **changes)).run()
            await asyncio.wait([task for task in handlers if task is not None], timeout=1)
            return found

    return asyncio.run(whole())


def answer(path: str, body: dict[str, Any]) -> Any:
    if path == "/v1/next":
        return {"proposal_id": "p", "source": "plain", "item": {"id": "a"}}
    if path == "/v1/feedback":
        assert body["events"][0]["kind"] == "organic" or body["events"][0]["proposal_id"] == "p"
        return {"results": [{"status": "recorded"}]}
    return {}


def test_a_pause_of_the_server_counts_for_all_who_were_due_meanwhile() -> None:
    free = asyncio.Event()
    asked = 0

    async def pausing(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        nonlocal asked
        asked += 1
        if asked == 20:
            asyncio.get_running_loop().call_later(0.6, free.set)
        if asked >= 20:
            await free.wait()
        return 200, answer(path, body)

    found = run(pausing)["requests"]["next"]
    # About 60 of 200 were due in the pause: one who waits for answers would have sent one.
    assert found["p95"] > 300
    assert found["max"] >= 590
    assert found["errors"] == {}


def test_everything_due_is_sent_and_counted() -> None:
    events: list[dict[str, Any]] = []

    async def quick(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        events.extend(body.get("events", ()))
        return 200, answer(path, body)

    found = run(quick, seconds=1.0)
    kinds = [kind for _, kind in arrivals(load(seconds=1.0))]
    for kind in ("next", "feedback", "healthz"):
        assert found["requests"][kind]["requests"] == kinds.count(kind)
    assert found["sources"] == {"plain": kinds.count("next")}
    assert found["feedback"] == {"recorded": len(events)}
    assert len({event["event_id"] for event in events}) == len(events)


def test_the_course_of_a_run_is_told_part_by_part() -> None:
    async def slow_at_first(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        await asyncio.sleep(0.1 if asyncio.get_running_loop().time() < until else 0)
        return 200, answer(path, body)

    until = time.monotonic() + 1.2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("influpath.benchmarks.open_loop.PART", 0.5)
        found = run(slow_at_first, seconds=2.0)["requests"]["next"]
    parts = found["over_time"]
    assert [part["from_second"] for part in parts] == [0.0, 0.5, 1.0, 1.5]
    assert sum(part["requests"] for part in parts) == found["requests"]
    assert parts[0]["p50"] >= 100 > parts[3]["p50"]


def test_errors_are_counted_by_what_they_are() -> None:
    async def failing(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        if path == "/healthz":
            await asyncio.sleep(0.6)
        return (503 if path == "/v1/feedback" else 200), answer(path, body)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("influpath.benchmarks.open_loop.PATIENCE", 0.3)
        found = run(failing, seconds=0.5)["requests"]
    assert sum(found["feedback"]["errors"].values()) == found["feedback"]["requests"]
    assert found["feedback"]["errors"].keys() == {'503 {"results": [{"status": "recorded"}]}'}
    assert set(found["healthz"]["errors"]) <= {"TimeoutError"}
    assert found["next"]["errors"] == {}


def test_arrivals_are_a_poisson_process() -> None:
    due = [time for time, kind in arrivals(load(seconds=100.0)) if kind == "next"]
    assert len(due) == pytest.approx(10_000, abs=400)
    assert np.std(np.diff(due)) == pytest.approx(np.mean(np.diff(due)), rel=0.05)
    assert max(due) < 100
