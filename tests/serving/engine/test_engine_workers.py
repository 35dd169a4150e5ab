"""The engine in processes: the same answers, whatever dies."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from influpath.errors import ModelFileError, UnknownIdError
from influpath.planning.objectives import Objective
from influpath.serving.bundles.bundle import Bundle
from influpath.serving.cores import planning_cores
from influpath.serving.engine.asks import (
    AudienceAsk,
    EngineError,
    PathAsk,
    Person,
    RateAsk,
    StepAsk,
)
from influpath.serving.engine.begin_asks import BeginAsk, Candidate
from influpath.serving.engine.engine import LocalEngine
from influpath.serving.engine.lane import Waiting
from influpath.serving.engine.workers import EngineWorkers
from influpath.serving.settings import ServerSettings

from .tiny_bundle import AHEAD_VERSION, HORIZON, ITEMS, USERS, VERSION

OBJECTIVE = Objective.item(ITEMS[3])
ASKS = [
    StepAsk(version, Person(user), objective=objective, horizon=HORIZON)
    for user in USERS[:8]
    for version in (VERSION, AHEAD_VERSION)
    for objective in (OBJECTIVE, None)
]


@pytest.fixture(scope="module")
def workers(bundles: Path) -> Iterator[EngineWorkers]:
    engine = EngineWorkers(ServerSettings(bundles=bundles, workers=1))
    yield engine
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.step(ASKS[0])


def items(engine: EngineWorkers, asks: list[StepAsk]) -> list[str | None]:
    """Return what many ask for at the same time."""
    with ThreadPoolExecutor(len(asks)) as pool:
        return [answer.item for answer in pool.map(engine.step, asks)]


def test_answers_are_those_in_process(workers: EngineWorkers, engine: LocalEngine) -> None:
    assert items(workers, ASKS) == [engine.step(ask).item for ask in ASKS]
    assert workers.card(VERSION) == engine.card(VERSION)
    asked = tuple(
        RateAsk(version, Person(USERS[0]), OBJECTIVE) for version in (AHEAD_VERSION, VERSION)
    )
    assert workers.rate(asked) == engine.rate(asked)
    assert workers.rate(()) == ()
    starts = [BeginAsk((Candidate(ask),)) for ask in ASKS if ask.objective is not None]
    with ThreadPoolExecutor(len(starts)) as pool:
        begun = [answer.step for answer in pool.map(workers.begin, starts)]
    firsts = [answer.step for answer in map(engine.begin, starts)]
    assert [step and step.item for step in begun] == [step and step.item for step in firsts]
    path = PathAsk(VERSION, Person(USERS[1]), OBJECTIVE, horizon=HORIZON)
    assert workers.path(path) == engine.path(path)
    reached = AudienceAsk(VERSION, OBJECTIVE)
    assert workers.audience(reached) == engine.audience(reached)


def test_errors_come_as_they_are(workers: EngineWorkers) -> None:
    with pytest.raises(UnknownIdError, match="item id 'x'"):
        workers.step(StepAsk(VERSION, Person(None), objective=Objective.item("x")))
    with pytest.raises(ModelFileError, match="is not a bundle"):
        workers.step(StepAsk("default/none", Person(None)))
    with pytest.raises(RuntimeError, match="planning failed: AttributeError"):
        workers.fast.put(Waiting("step", VERSION, workers.fingerprint(VERSION), None)).result(60)


def test_a_worker_that_dies_is_replaced_and_everybody_is_answered(
    workers: EngineWorkers, engine: LocalEngine
) -> None:
    wanted = [engine.step(ask).item for ask in ASKS]
    before = workers.fast.workers[0].process
    assert before.pid is not None
    # It stands still, so that it dies over its work.
    os.kill(before.pid, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(items, workers, ASKS)
        time.sleep(0.5)
        assert not waiting.done()
        os.kill(before.pid, signal.SIGKILL)
        assert waiting.result(120) == wanted
    assert workers.fast.workers[0].process.pid != before.pid


def test_another_bundle_under_the_same_name_is_refused(
    workers: EngineWorkers, bundles: Path
) -> None:
    version = "default/swapped"
    first, other = Bundle.load(bundles / VERSION), Bundle.load(bundles / AHEAD_VERSION)
    first.save(bundles / version)
    assert workers.card(version).fingerprint == workers.fingerprint(version)
    (bundles / version).rename(bundles / "default/away")
    other.save(bundles / version)
    # What is in memory goes on.
    assert workers.step(StepAsk(version, Person(None))).item is not None
    worker = workers.fast.workers[0].process
    worker.kill()
    worker.join()
    with pytest.raises(ModelFileError, match="another than it was"):
        workers.step(StepAsk(version, Person(None)))


def test_workers_end_with_the_service(bundles: Path) -> None:
    code = (
        "import os, signal\n"
        "from influpath.serving.engine.workers import EngineWorkers\n"
        "from influpath.serving.settings import ServerSettings\n"
        "if __name__ == '__main__':\n"
        f"    engine = EngineWorkers(ServerSettings(bundles={str(bundles)!r}, workers=1))\n"
        "    lanes = (engine.fast, engine.slow)\n"
        "    print(*(w.process.pid for lane in lanes for w in lane.workers), flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    deadline = time.monotonic() + 120
    for pid in map(int, done.stdout.split()):
        while alive(pid):
            assert time.monotonic() < deadline, "a worker outlived the service"
            time.sleep(0.1)


def alive(pid: int) -> bool:
    """Return whether a process is at work."""
    stat = Path(f"/proc/{pid}/stat")
    if not Path("/proc/self").exists():
        pytest.skip("processes are looked up in /proc, which is not here")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system pins nothing")
def test_planning_has_its_cores_to_itself(bundles: Path) -> None:
    before = os.sched_getaffinity(0)
    cores = planning_cores(1)
    engine = EngineWorkers(ServerSettings(bundles=bundles, workers=1, pin=True))
    try:
        # It pins before it answers.
        engine.card(VERSION)
        assert len(cores) == (len(before) > 1)
        planner, other = engine.fast.workers[0], engine.slow.workers[0]
        assert os.sched_getaffinity(planner.process.pid or 0) == (set(cores) or before)
        for rest in (0, other.process.pid or 0):
            assert os.sched_getaffinity(rest) == before - set(cores)
    finally:
        engine.close()
        os.sched_setaffinity(0, before)
