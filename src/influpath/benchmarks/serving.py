"""Part ``serving``: how long ``next`` and ``feedback`` take while requests come as they please.

A service is started as an operator would start it, on a database of its own and one of the bundles
of ``influpath publish``; two campaigns run, one for a category and one for an item.  The load is an
open loop (``open_loop.py``) in a process of its own on the same machine.  The reference is
``/healthz`` in the same run: what HTTP, the machine and the client take by themselves.
"""

import json
import queue
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from influpath.benchmarks.config import BenchConfig
from influpath.benchmarks.open_loop import Load, write_load
from influpath.benchmarks.start import COMMAND
from influpath.data.dataset import Dataset
from influpath.errors import ConfigError, ResultError
from influpath.planning.objectives import Objective

STARTING = 180.0
ENDING = 40.0


def measure_serving(config: BenchConfig, dataset: Dataset, work: Path) -> dict[str, Any]:
    """Return the part's rows, and all that became of the requests.

    Args:
        config: Rates, seconds, bundles.
        dataset: What the bundle was trained on: its users ask, its items are taken.
        work: A folder for files.

    Raises:
        ConfigError: There are no bundles.
        ResultError: The service does not start.
    """
    serving = config.serving
    if serving.bundles is None:
        raise ConfigError("no bundles: name a folder of `influpath publish` with --bundles.")
    given, out = work / "load.json", work / "latencies.json"
    database = serving.database or f"sqlite:///{work / 'influpath.db'}"
    # As on a machine that does nothing else.
    with service(serving.bundles, database, work, "--pin") as address:
        campaigns = start_campaigns(address, dataset)
        host, _, port = address.removeprefix("http://").rpartition(":")
        load = Load(
            host=host,
            port=int(port),
            users=dataset.users.ids,
            items=dataset.items.ids,
            rates={
                "next": serving.next_per_second,
                "feedback": serving.feedback_per_second,
                "healthz": serving.healthz_per_second,
            },
            seconds=serving.seconds,
            warm_up=serving.warm_up,
            seed=config.seed,
        )
        write_load(load, given)
        module = "influpath.benchmarks.open_loop"
        subprocess.run([sys.executable, "-m", module, given, out], check=True)
        reports = [ask(f"{address}/v1/campaigns/{each}/report") for each in campaigns]
    found = json.loads(out.read_text(encoding="utf-8"))
    return {
        "rows": rows(found["requests"]),
        "database": database.partition(":")[0],
        "measured_seconds": serving.seconds,
        **found,
        "campaigns": [
            {"objective": report["campaign"]["objective_words"], "funnel": report["funnel"]}
            for report in reports
        ],
    }


def rows(requests: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one row per kind of request and quantile, beside that of the reference."""
    reference = requests["healthz"]
    return [
        {
            "name": f"{kind}, {name}",
            "unit": "ms",
            "value": figures[name],
            "ratio": round(figures[name] / reference[name], 2) if name in reference else None,
            "reference": f"healthz, {name}" if kind != "healthz" else None,
            "requests": figures["requests"],
            "errors": sum(figures["errors"].values()),
        }
        for kind, figures in requests.items()
        for name in ("p50", "p95", "p99", "max")
        if name in figures
    ]


@contextmanager
def service(bundles: Path, database: str, work: Path, *options: object) -> Iterator[str]:
    """Yield the address of a running service; end it afterwards; see ``start_service``.

    Raises:
        ResultError: It does not start.
    """
    process, address = start_service(bundles, database, work, *options)
    try:
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        end(process)


def start_service(
    bundles: Path, database: str, work: Path, *options: object
) -> "tuple[subprocess.Popen[str], str]":
    """Start ``influpath serve`` on a free port, without keys; return the process and its address.

    Args:
        bundles: Folder of the models.
        database: URL.
        work: A folder for its log.
        options: More options of the command.

    Raises:
        ResultError: It does not start.
    """
    arguments = ["serve", "--bundles", bundles, "--database", database, "--port", 0, "--no-key"]
    log = work / "service.log"
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *map(str, (*arguments, *options))],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        return process, address_of(process, log)
    except BaseException:
        process.kill()
        end(process)
        raise


def end(process: "subprocess.Popen[str]") -> None:
    """Wait until a process that was told to end has ended; it is not waited for long."""
    try:
        process.wait(ENDING)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def address_of(process: "subprocess.Popen[str]", log: Path) -> str:
    """Return what the service says it listens on, once it does.

    Raises:
        ResultError: It ended, or took too long.
    """
    said: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in process.stdout or ():
            said.put(line)
        said.put("")

    threading.Thread(target=read, daemon=True).start()
    try:
        while line := said.get(timeout=STARTING):
            if found := re.search(r"http://\S+:\d+", line):
                return found.group()
    except queue.Empty:
        pass
    tail = log.read_text(encoding="utf-8", errors="replace")[-500:].strip()
    raise ResultError(f"the service does not start: {tail or 'it said nothing'}")


def start_campaigns(address: str, dataset: Dataset) -> list[str]:
    """Start a campaign for an item, and one for a category that comes first; return their ids."""
    objectives = [Objective.item(dataset.items.ids[len(dataset.items) // 2])]
    if len(dataset.categories.names):
        objectives.append(Objective.category(dataset.categories.names[0]))
    return [
        ask(
            f"{address}/v1/campaigns",
            {"name": f"bench {place}", "objective": objective.to_dict(), "priority": place},
        )["id"]
        for place, objective in enumerate(objectives)
    ]


def ask(url: str, body: Any = None) -> Any:
    """Return the JSON of an answer.

    Raises:
        ResultError: It is an error.
    """
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, content, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=STARTING) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        raise ResultError(f"{url}: {error.code} {error.read()[:300]!r}") from None
