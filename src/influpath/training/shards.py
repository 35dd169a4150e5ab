"""One batch in several parts, side by side: each thread computes its part from end to end.

Matrix products of training are so small that sharing each of them out among threads costs more than
it saves.  So a batch is cut into shards, whose losses are differentiated independently, each on as
few threads as possible, and the gradients are summed in the order of the shards.  How a batch is
cut and what a shard draws at random depends on the batch alone: up to as many threads as there are
shards the result is the same to the bit.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from influpath.training.randomness import drawing_from

# More shards than one for so many positions cost more in calls than they gain.
SHARD_POSITIONS = 2048
SHARDS = 4
# Every shard has gradients of its own; so many numbers in all of them at most.
GRADIENT_NUMBERS = 1 << 26

# What is computed for a shard: the mean loss and the number of positions behind it.
Loss = Callable[[Any, np.random.Generator], tuple[Tensor, int]]


def shard_count(positions: int, weights: int) -> int:
    """Return into how many shards a batch is cut: a power of 2.

    Args:
        positions: Of the batch.
        weights: Numbers that have a gradient.
    """
    wanted = positions // SHARD_POSITIONS
    # Two threads gain more than two small shards cost.
    most = min(SHARDS, GRADIENT_NUMBERS // max(weights, 1), 2 if wanted == 1 else wanted)
    # Three shards would leave one of two threads idle for a third of the time.
    return 1 << max(most, 1).bit_length() - 1


class Team:
    """Threads that compute shards.

    Args:
        parameters: What gradients are wanted for.
        arithmetic: Makes the context in which losses are computed.
        pool: Threads; None computes in the calling one.
        threads: How many a lone shard is computed on.
    """

    def __init__(
        self,
        parameters: Sequence[Tensor],
        arithmetic: Callable[[], AbstractContextManager[Any]],
        pool: ThreadPoolExecutor | None,
        threads: int = 1,
    ) -> None:
        self.parameters = [parameter for parameter in parameters if parameter.requires_grad]
        self.arithmetic, self.pool, self.threads = arithmetic, pool, threads

    def differentiate(
        self, loss: Loss, shards: Sequence[Any], rng: np.random.Generator
    ) -> tuple[float, int]:
        """Set every parameter's gradient of the mean loss over a batch.

        Args:
            loss: Gives a shard's mean loss and the number of positions behind it.
            shards: The batch; a lone shard is computed on all threads.
            rng: A lone shard draws from it, several ones from children of it.

        Returns:
            The mean loss and the number of positions; without positions no gradient is set.
        """
        if len(shards) == 1:
            return self._whole(loss, shards[0], rng)
        children = rng.spawn(len(shards))

        def one(shard: Any, child: np.random.Generator) -> tuple[float, int, list[Tensor | None]]:
            with drawing_from(child), self.arithmetic():
                mean, count = loss(shard, child)
                total = mean * count
            if not count:
                return 0.0, 0, [None] * len(self.parameters)
            found = torch.autograd.grad(total, self.parameters, allow_unused=True)
            return float(total.detach()), count, list(found)

        each = map if self.pool is None else self.pool.map
        totals, counts, gradients = zip(*each(one, shards, children), strict=True)
        count = sum(counts)
        if count:
            for parameter, parts in zip(self.parameters, zip(*gradients, strict=True), strict=True):
                parameter.grad = mean_of([part for part in parts if part is not None], count)
        return sum(totals) / max(count, 1), count

    def _whole(self, loss: Loss, batch: Any, rng: np.random.Generator) -> tuple[float, int]:
        if self.pool is None:
            return self._of_batch(loss, batch, rng)
        torch.set_num_threads(self.threads)
        try:
            return self._of_batch(loss, batch, rng)
        finally:
            torch.set_num_threads(1)

    def _of_batch(self, loss: Loss, batch: Any, rng: np.random.Generator) -> tuple[float, int]:
        with drawing_from(rng), self.arithmetic():
            mean, count = loss(batch, rng)
        if count:
            for parameter in self.parameters:
                parameter.grad = None
            mean.backward()  # type: ignore[no-untyped-call]
        return float(mean.detach()), count


@contextmanager
def team(
    module: torch.nn.Module, arithmetic: Callable[[], AbstractContextManager[Any]]
) -> Iterator[Team]:
    """Make a team for the block, as large as PyTorch's number of threads allows.

    Args:
        module: Whose parameters are trained.
        arithmetic: See ``Team``.
    """
    threads, parameters = torch.get_num_threads(), list(module.parameters())
    members = min(threads, SHARDS)
    if members == 1:
        yield Team(parameters, arithmetic, None)
        return
    with ThreadPoolExecutor(members, "shard", torch.set_num_threads, (threads // members,)) as pool:
        # What is done between shards is too little for threads that have to be woken up first.
        torch.set_num_threads(1)
        try:
            yield Team(parameters, arithmetic, pool, threads)
        finally:
            # A thread that sets its own number also sets that of threads yet to come.
            torch.set_num_threads(threads)


def mean_of(sums: Sequence[Tensor], count: int) -> Tensor | None:
    """Return the sum over shards, in their order, divided by a count; it overwrites the first."""
    if not sums:
        return None
    first, *others = sums
    for other in others:
        first += other
    return first.div_(count)
