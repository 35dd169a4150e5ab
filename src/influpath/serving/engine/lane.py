"""Work that waits, and the worker processes that do it.

Each worker has a process and, here, a thread that hands work over and waits for the answer.  What
waits at the same time and can be answered together goes over together.  A process that dies is
replaced, and what it was at is asked once more, each ask by itself.
"""

import os
import pickle
from collections import deque
from collections.abc import Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from threading import Condition, Thread
from typing import Any

from influpath.experiments.helpers import interrupts_held
from influpath.serving.engine.asks import EngineError
from influpath.serving.engine.worker import Work, work

# Asks that go over together, so that none waits for many others.
MOST = 8
CLOSED = "the engine was closed."
LOST = (
    "a planning process ended twice over the same request, most often for want of memory; give "
    "the service more, or fewer workers."
)
# What a pipe says whose other end is gone.
GONE = (EOFError, OSError, pickle.UnpicklingError)
PATIENCE = 5.0


@dataclass(eq=False)
class Waiting:
    """One ask.

    Attributes:
        kind: Method of the engine.
        version: The bundle.
        fingerprint: What it must be.
        ask: The argument.
        alike: What asks must agree in to go together; None for never.
        worker: The only one that may take it.
        answer: What comes of it.
    """

    kind: str
    version: str
    fingerprint: str
    ask: Any
    alike: Hashable = None
    worker: "Worker | None" = None
    answer: "Future[Any]" = field(default_factory=Future)


class Lane:
    """Work in the order it came, and who does it.

    Args:
        count: Worker processes.
        bundles: The folder of bundles.
        loaded: Bundles that each holds in memory.
        threads: Of torch's, in each.
        patient: Whether other processes come first.
        cores: One for each worker to keep to; none where they may use all.
    """

    def __init__(
        self,
        count: int,
        bundles: Path,
        loaded: int,
        threads: int,
        patient: bool = False,
        cores: tuple[int, ...] = (),
    ) -> None:
        self._waiting: deque[Waiting] = deque()
        self._changed = Condition()
        self._idle = 0
        self._closed = False
        arguments = (os.getpid(), bundles, loaded, threads, patient)
        self.workers = [Worker(self, (*arguments, cores[n : n + 1])) for n in range(count)]

    def put(self, waiting: Waiting) -> "Future[Any]":
        """Let something be done.

        Raises:
            EngineError: The lane was closed.
        """
        with self._changed:
            if self._closed:
                raise EngineError(CLOSED)
            self._waiting.append(waiting)
            self._changed.notify_all()
        return waiting.answer

    def closed(self) -> bool:
        """Whether this is the end."""
        return self._closed

    def take(self, worker: "Worker") -> list[Waiting]:
        """Return what a worker is to do next, as soon as there is something; nothing at the end."""
        with self._changed:
            while not self._closed:
                own = [one for one in self._waiting if one.worker in (None, worker)]
                if own:
                    return self._alike(own)
                self._idle += 1
                self._changed.wait()
                self._idle -= 1
        return []

    def _alike(self, own: list[Waiting]) -> list[Waiting]:
        """Take the first, and its share of those that can go with it."""
        first = own[0]
        alike = [one for one in own if one.alike == first.alike] if first.alike else [first]
        # Idle workers take the others.
        share = min(MOST, -(-len(alike) // (self._idle + 1)))
        for one in alike[:share]:
            self._waiting.remove(one)
        return alike[:share]

    def close(self) -> None:
        """End the workers; what waits fails."""
        with self._changed:
            self._closed = True
            left, self._waiting = list(self._waiting), deque()
            self._changed.notify_all()
        for one in left:
            one.answer.set_exception(EngineError(CLOSED))
        for worker in self.workers:
            worker.end()


class Worker:
    """A process, and the thread that serves it.

    Args:
        lane: Brings work.
        arguments: What the process is told after its connection.

    Attributes:
        process: The process at work now.
    """

    def __init__(self, lane: Lane, arguments: tuple[Any, ...]) -> None:
        self.lane = lane
        self.arguments = arguments
        self._start()
        Thread(target=self._serve, name="influpath-engine", daemon=True).start()

    def _start(self) -> None:
        # A fresh interpreter: a forked one would inherit the threads of torch and of the service.
        context = get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=work, args=(other, *self.arguments), daemon=True)
        with interrupts_held():
            self.process.start()
        # Else its end would never be noticed here.
        other.close()

    def _serve(self) -> None:
        while batch := self.lane.take(self):
            answers = self._answers(batch, last=False)
            if answers is None:
                parts = [self._answers([one], last=True) or [] for one in batch]
                answers = [answer for part in parts for answer in part]
            for one, answer in zip(batch, answers, strict=True):
                settle(one.answer, answer)
        self.connection.close()

    def _answers(self, batch: list[Waiting], last: bool) -> list[Any] | None:
        """Return what each ask gets; None where the process ended and it is not the last try."""
        first = batch[0]
        given = Work(first.kind, first.version, first.fingerprint, [one.ask for one in batch])
        try:
            self.connection.send(given)
            answers: list[Any] = self.connection.recv()
            return answers
        except GONE:
            pass
        self.end()
        if self.lane.closed():
            return [EngineError(CLOSED)] * len(batch)
        self.connection.close()
        try:
            self._start()
        except OSError as cause:
            # The next ask tries again.
            return [EngineError(f"no planning process can be started ({cause}).")] * len(batch)
        if self.lane.closed():
            self.end()
        return [EngineError(LOST)] * len(batch) if last else None

    def end(self) -> None:
        """End the process, which has nothing to lose."""
        self.process.kill()
        self.process.join(PATIENCE)


def settle(answer: "Future[Any]", found: Any) -> None:
    """Give whoever waits what was found: an answer or an error."""
    if isinstance(found, Exception):
        answer.set_exception(found)
    else:
        answer.set_result(found)
