"""Measuring the package's own training loop from inside: some batches of an epoch, or every epoch.

What is measured is ``fit`` as users call it.  The loop has no hook for this, since nobody else
needs one; so while a block is watched, ``training.loop.run_epoch`` is wrapped.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from torch import Tensor

from influpath.data.dataset import Dataset
from influpath.recommenders.base import Recommender
from influpath.training import loop
from influpath.training.loop import Task


@dataclass
class Epoch:
    """What one (partial) epoch took, validation not included.

    Attributes:
        seconds: Its duration.
        targets: Supervised positions in that time.
        batches: Batches in that time.
    """

    seconds: float
    targets: int
    batches: int

    @property
    def rate(self) -> float:
        """Supervised targets per second."""
        return self.targets / self.seconds


class EnoughError(Exception):
    """Ends a training that has been watched long enough."""


class WatchedTask(Task):
    """A task whose batches are counted, and cut off after some.

    Args:
        task: The task of a model.
        batches: Batches at most; None for all.
        warm_up: First batches that are trained on but do not count.
    """

    def __init__(self, task: Task, batches: int | None, warm_up: int) -> None:
        self.task = task
        self.module, self.label = task.module, task.label
        self.criterion, self.higher_is_better = task.criterion, task.higher_is_better
        self.most, self.warm_up = batches, warm_up
        self.seen = self.targets = 0
        self.began = time.perf_counter()
        self.lock = Lock()

    def batches(self, rng: np.random.Generator) -> list[Any]:
        """See ``Task.batches``."""
        chosen = self.task.batches(rng)[: self.most]
        # Of a lone batch nothing would be left to count.
        self.warm_up = min(self.warm_up, len(chosen) - 1)
        return chosen

    def shards(self, batch: Any) -> Sequence[Any]:
        """See ``Task.shards``."""
        if self.seen == self.warm_up and self.warm_up:
            self.began = time.perf_counter()
        self.seen += 1
        return self.task.shards(batch)

    def loss(self, batch: Any, rng: np.random.Generator) -> tuple[Tensor, int]:
        """See ``Task.loss``; shards call this at the same time."""
        loss, count = self.task.loss(batch, rng)
        if self.seen > self.warm_up:
            with self.lock:
                self.targets += count
        return loss, count

    def validate(self) -> dict[str, float]:
        """See ``Task.validate``."""
        return self.task.validate()

    def epoch(self) -> Epoch:
        """Return what was counted up to now."""
        seconds = time.perf_counter() - self.began
        return Epoch(seconds, self.targets, self.seen - self.warm_up)


@contextmanager
def watched_epochs(
    batches: int | None = None,
    warm_up: int = 0,
    each: Callable[[Epoch], None] = lambda epoch: None,
) -> Iterator[list[Epoch]]:
    """Watch every epoch that is trained in the block.

    Args:
        batches: Batches per epoch at most; None for all.
        warm_up: First batches of an epoch that do not count.
        each: Called after each epoch, before its validation; may raise ``EnoughError``, which ends
            the training (and leaves the model unfitted).

    Yields:
        The epochs so far.
    """
    epochs: list[Epoch] = []
    original = loop.run_epoch

    def run_epoch(task: Task, *rest: Any, **named: Any) -> Any:
        watched = WatchedTask(task, batches, warm_up)
        result = original(watched, *rest, **named)
        epochs.append(watched.epoch())
        each(epochs[-1])
        return result

    loop.run_epoch = run_epoch
    try:
        yield epochs
    except EnoughError:
        pass
    finally:
        loop.run_epoch = original


def stop(epoch: Epoch) -> None:
    """End a training after its first epoch, before the validation.

    Raises:
        EnoughError: Always.
    """
    raise EnoughError


def training_epoch(
    kind: type[Recommender], settings: dict[str, Any], dataset: Dataset, batches: int
) -> Epoch:
    """Train a new model on some batches, the first of which does not count.

    Args:
        kind: The class of recommender.
        settings: Of the recommender.
        dataset: To train on.
        batches: Batches that count.
    """
    with watched_epochs(batches + 1, warm_up=1, each=stop) as epochs:
        kind(**settings).fit(dataset)
    return epochs[0]
