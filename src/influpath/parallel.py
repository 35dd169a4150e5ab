"""Independent parts of a computation in threads, each with one of torch's own.

Where a step consists of many small operations, rows in parallel beat operations in parallel: torch
lets go of Python's lock within each operation.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Part = TypeVar("Part")
Result = TypeVar("Result")


def in_threads(
    function: Callable[[Part], Result], parts: Sequence[Part], threads: int, *, same: bool = False
) -> list[Result]:
    """Return what a function makes of each part, in order.

    Args:
        function: Reads what it shares with others, and writes nothing that they read.
        parts: One argument each.
        threads: Parts worked on at a time.  Meanwhile each has one thread of torch's.
        same: Give it one even where it is alone, so that bits do not depend on the threads.
    """
    before = torch.get_num_threads()
    alone = min(threads, len(parts)) <= 1
    if alone and (not same or before == 1):
        return [function(part) for part in parts]
    try:
        if alone:
            torch.set_num_threads(1)
            return [function(part) for part in parts]
        with ThreadPoolExecutor(threads, "influpath", torch.set_num_threads, (1,)) as pool:
            return list(pool.map(function, parts))
    finally:
        # A thread's setting is also what later threads begin with.
        torch.set_num_threads(before)
