"""Random numbers of the part of a batch that a thread computes.

PyTorch's generator is one for all threads, so what each of them draws from it depends on which one
comes first.  A thread that computes its part of a batch has a generator of its own instead.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch

_own = threading.local()


@contextmanager
def drawing_from(rng: np.random.Generator) -> Iterator[None]:
    """Let ``random_words`` in this thread draw from a generator in the block."""
    before = getattr(_own, "rng", None)
    _own.rng = rng
    try:
        yield
    finally:
        _own.rng = before


def random_words(count: int) -> npt.NDArray[np.uint64]:
    """Return words of 64 random bits, from this thread's generator or else from PyTorch's."""
    rng: np.random.Generator | None = getattr(_own, "rng", None)
    if rng is not None:
        return rng.integers(0, 2**64 - 1, count, dtype=np.uint64, endpoint=True)
    words = torch.empty(count, dtype=torch.int64)
    # From the lowest number on and without an upper bound: all 64 bits are random.
    return words.random_(torch.iinfo(torch.int64).min, None).numpy().view(np.uint64)
