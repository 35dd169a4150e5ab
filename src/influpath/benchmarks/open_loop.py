"""An open loop: requests come when they are due, whether or not earlier ones were answered.

A client that waits for each answer before it sends the next one asks least where the service is
slowest, and so hides it ("coordinated omission").  Here every request has a time at which it is due
(a Poisson process for each kind), goes out then, on a connection of its own if no other is free,
and its latency counts from that time.  What the client itself is late by is part of the latency
and reported as well.

Run as a process of its own, ``python -m influpath.benchmarks.open_loop LOAD.json OUT.json``; it
uses the standard library and numpy only, so that it takes little from the cores it shares.
"""

import asyncio
import gc
import json
import math
import random
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

QUANTILES = {"p50": 50.0, "p95": 95.0, "p99": 99.0, "p999": 99.9}
ANSWERS = {"accepted": 0.5, "rejected": 0.3, "ignored": 0.2}
PATIENCE = 30.0
# Seconds after which an idle connection is not used again: the service ends it sooner or later, and
# a request that is on its way then is lost.
IDLE = 30.0
# Seconds of each part of a run whose figures are reported by themselves.
PART = 15.0


@dataclass(frozen=True)
class Load:
    """What is sent.

    Attributes:
        host: Of the service.
        port: Its port.
        users: Who asks; drawn evenly.
        items: What may be taken without being shown.
        rates: Requests per second of ``next``, ``feedback`` and ``healthz``.
        seconds: How long is measured.
        warm_up: Seconds before that, not measured.
        organic: Share of feedback that is about an item that was not shown.
        seed: Decides times, users and answers.
        key: For the service; "" for none.
    """

    host: str
    port: int
    users: list[Any]
    items: list[Any]
    rates: dict[str, float]
    seconds: float
    warm_up: float = 5.0
    organic: float = 0.2
    seed: int = 0
    key: str = ""


@dataclass
class Seen:
    """What became of requests of one kind.

    Attributes:
        latency: Milliseconds from when each was due to its whole answer.
        late: Milliseconds by which the client sent it late.
        due: Seconds from the beginning of what is measured until each was due.
        errors: What went wrong, by what it was.
    """

    latency: list[float] = field(default_factory=list)
    due: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    def to_dict(self, seconds: float) -> dict[str, Any]:
        """Return the figures for JSON."""
        found: dict[str, Any] = {
            "requests": len(self.latency),
            "per_second": round(len(self.latency) / seconds, 2),
            "errors": dict(self.errors),
        }
        if self.latency:
            found |= quantiles(self.latency)
            found["max"] = round(max(self.latency), 3)
            found["client_late_p99"] = round(float(np.percentile(self.late, 99)), 3)
            found["over_time"] = self.over_time()
        return found

    def over_time(self) -> list[dict[str, float]]:
        """Return the figures of each part of the run: by when requests were due."""
        parts: dict[float, list[float]] = {}
        for due, latency in zip(self.due, self.latency, strict=True):
            parts.setdefault(due // PART * PART, []).append(latency)
        return [
            {"from_second": start, "requests": len(own), **quantiles(own)}
            for start, own in sorted(parts.items())
        ]


def quantiles(milliseconds: list[float]) -> dict[str, float]:
    """Return the quantiles of latencies, by name."""
    return {
        name: round(float(np.percentile(milliseconds, at)), 3) for name, at in QUANTILES.items()
    }


class Client:
    """Sends requests over as many connections as are needed at once."""

    def __init__(self, load: Load) -> None:
        self.load = load
        # With the time since when; the one that was used last is used first.
        self.idle: list[tuple[float, asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.opened = 0
        key = f"Authorization: Bearer {load.key}\r\n" if load.key else ""
        self.common = f"Host: {load.host}:{load.port}\r\n{key}Content-Type: application/json\r\n"

    async def send(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """Return status and body of an answer.

        Raises:
            OSError: The connection broke.
        """
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\n{self.common}Content-Length: {len(content)}\r\n\r\n"
        self.drop(time.monotonic() - IDLE)
        if self.idle:
            _, reader, writer = self.idle.pop()
        else:
            reader, writer = await asyncio.open_connection(self.load.host, self.load.port)
            self.opened += 1
        try:
            writer.write(head.encode() + content)
            lines = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
            length = next(
                int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length")
            )
            answer = await reader.readexactly(length)
        except BaseException:
            writer.close()
            raise
        self.idle.append((time.monotonic(), reader, writer))
        return int(lines[0].split()[1]), answer

    def drop(self, before: float) -> None:
        """Close the connections that have been idle since before some time."""
        while self.idle and self.idle[0][0] < before:
            self.idle.pop(0)[2].close()

    def close(self) -> None:
        """Close the connections."""
        self.drop(math.inf)


class OpenLoop:
    """One run of a load."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.client = Client(load)
        self.draw = random.Random(load.seed)
        self.seen = {kind: Seen() for kind in load.rates}
        # Proposals without feedback, to which it may come.
        self.proposals: list[tuple[Any, str, Any]] = []
        self.sources: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.events = 0

    async def run(self) -> dict[str, Any]:
        """Send everything and return what became of it."""
        load = self.load
        schedule = arrivals(load)
        start = time.perf_counter() + 0.1
        tasks = set()
        for due, kind in schedule:
            wait = start + due - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            task = asyncio.create_task(self.one(kind, start + due, due - load.warm_up))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)
        self.client.close()
        return {
            "requests": {kind: seen.to_dict(load.seconds) for kind, seen in self.seen.items()},
            "sources": dict(self.sources),
            "feedback": dict(self.statuses),
            "connections": self.client.opened,
        }

    async def one(self, kind: str, due: float, measured: float) -> None:
        """Send one request and note what became of it.

        Args:
            kind: Of the request.
            due: When, on the clock.
            measured: The same from the beginning of what is measured; negative before.
        """
        seen = self.seen[kind]
        sent, wrong = time.perf_counter(), None
        try:
            async with asyncio.timeout(PATIENCE):
                wrong = await getattr(self, kind)()
        except (OSError, EOFError, TimeoutError, ValueError, StopIteration) as error:
            wrong = type(error).__name__
        if measured >= 0:
            seen.due.append(measured)
            seen.latency.append(1000 * (time.perf_counter() - due))
            seen.late.append(1000 * (sent - due))
        if wrong:
            # Also while it warms up: nothing may fail.
            seen.errors[wrong] += 1

    async def next(self) -> str | None:
        """Ask for somebody's next item."""
        user = self.draw.choice(self.load.users)
        status, body = await self.client.send("POST", "/v1/next", {"user_id": user})
        if status != 200:
            return f"{status} {body[:200].decode(errors='replace')}"
        answer = json.loads(body)
        self.sources[answer["source"]] += 1
        if answer["item"] is not None:
            self.proposals.append((user, answer["proposal_id"], answer["item"]["id"]))
        return None

    async def feedback(self) -> str | None:
        """Send what somebody did."""
        self.events += 1
        event: dict[str, Any] = {"event_id": f"{self.load.seed}-{self.events}"}
        if self.proposals and self.draw.random() >= self.load.organic:
            place = self.draw.randrange(len(self.proposals))
            self.proposals[place], self.proposals[-1] = self.proposals[-1], self.proposals[place]
            user, proposal, item = self.proposals.pop()
            kind = self.draw.choices(list(ANSWERS), list(ANSWERS.values()))[0]
            event |= {"user_id": user, "kind": kind, "proposal_id": proposal, "item_id": item}
        else:
            user, item = self.draw.choice(self.load.users), self.draw.choice(self.load.items)
            event |= {"user_id": user, "kind": "organic", "item_id": item}
        status, body = await self.client.send("POST", "/v1/feedback", {"events": [event]})
        if status != 200:
            return f"{status} {body[:200].decode(errors='replace')}"
        self.statuses[json.loads(body)["results"][0]["status"]] += 1
        return None

    async def healthz(self) -> str | None:
        """Ask whether the service is alive: what HTTP and the machine alone take."""
        status, _ = await self.client.send("GET", "/healthz")
        return None if status == 200 else str(status)


def arrivals(load: Load) -> list[tuple[float, str]]:
    """Return when each request is due, in seconds, and of which kind."""
    rng = np.random.default_rng([load.seed, 0x10AD])
    whole = load.warm_up + load.seconds
    found: list[tuple[float, str]] = []
    for kind, rate in load.rates.items():
        count = math.ceil(whole * rate + 10 * math.sqrt(whole * rate) + 10) if rate else 0
        times = np.cumsum(rng.exponential(1 / rate if rate else 1.0, count))
        found += [(float(due), kind) for due in times[times < whole]]
    return sorted(found)


def write_load(load: Load, path: Path) -> None:
    """Write what a process of its own is to send."""
    path.write_text(json.dumps(asdict(load)), encoding="utf-8")


def main() -> None:
    """Run the load of one file and write what became of it to another."""
    given, out = (Path(argument) for argument in sys.argv[1:3])
    # A pause to collect garbage here would pass for one of the service.
    gc.disable()
    load = Load(**json.loads(given.read_text(encoding="utf-8")))
    result = asyncio.run(OpenLoop(load).run())
    out.write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
