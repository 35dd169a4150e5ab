"""What runs in a worker process: one engine, asked a few things at a time."""

import contextlib
import logging
import os
import signal
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import torch

from influpath.errors import InfluPathError
from influpath.experiments.helpers import watch_parent
from influpath.native.operators import usable
from influpath.serving.cores import keep_to
from influpath.serving.engine.engine import LocalEngine
from influpath.serving.garbage import freeze

logger = logging.getLogger("influpath")

# By how much workers stand back: the service first, for it answers whoever needs no planning, then
# those that plan steps, then the patient ones.
STEPS, PATIENT = 5, 10


class Work(NamedTuple):
    """Asks of one kind about one version.

    Attributes:
        kind: Method of the engine.
        version: The bundle.
        fingerprint: What it must be.
        asks: The method's argument, one each.
    """

    kind: str
    version: str
    fingerprint: str
    asks: list[Any]


def work(
    connection: Connection,
    parent: int,
    bundles: Path,
    loaded: int,
    threads: int,
    patient: bool,
    cores: tuple[int, ...] = (),
) -> None:
    """Answer until the other end is closed.

    Args:
        connection: Brings ``Work``, and takes one answer or error for each ask.
        parent: The process that this one ends with.
        bundles: The folder of bundles.
        loaded: Bundles in memory.
        threads: Of torch's.
        patient: Whether other processes come first.
        cores: Those that it keeps to; all where none is named.
    """
    if cores:
        keep_to(*cores)
    watch_parent(parent)
    # Whoever stops the service may tell all its processes; it ends this one when it is done.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    torch.set_num_threads(threads)
    # What has to be compiled is so before anybody asks.
    usable()
    # The service says all there is to say.
    logger.setLevel(logging.ERROR)
    # Not on every system.
    with contextlib.suppress(AttributeError, OSError):
        os.nice(PATIENT if patient else STEPS)
    engine = LocalEngine(bundles, loaded)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        held: set[str] = set()
        while True:
            given: Work = connection.recv()
            connection.send(answers(engine, given))
            if given.version not in held:
                held.add(given.version)
                freeze()


def answers(engine: LocalEngine, given: Work) -> list[Any]:
    """Return what each ask gets: an answer, or its own error."""
    try:
        engine.load(given.version, given.fingerprint)
        return together(engine, given.kind, given.asks)
    except InfluPathError as cause:
        if len(given.asks) == 1:
            return [cause]
    except Exception as cause:
        if len(given.asks) == 1:
            logger.exception("planning failed")
            return [RuntimeError(f"planning failed: {type(cause).__name__}: {cause}")]
    # Whoever is wrong is so alone.
    return [answer for ask in given.asks for answer in answers(engine, given._replace(asks=[ask]))]


def together(engine: LocalEngine, kind: str, asks: Sequence[Any]) -> list[Any]:
    """Answer asks of one kind at once where that is cheaper."""
    if kind == "step":
        return list(engine.steps(asks))
    if kind == "rate":
        ratings = iter(engine.rate(tuple(ask for part in asks for ask in part)))
        return [tuple(next(ratings) for _ in part) for part in asks]
    if kind == "begin":
        return list(engine.begins(asks))
    return [getattr(engine, kind)(ask) for ask in asks]
