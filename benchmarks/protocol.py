"""How a reference library is asked to train: one JSON object per line, in and out.

``influpath bench`` starts ``rectools_server.py`` and ``recbole_server.py`` in virtual environments
of their own and asks them while it measures itself.  Between questions they wait and take no time.

    {"do": "train", "model": "sasrec", "batches": 4}   ->  {"targets": 48000, "seconds": 4.1}
    {"do": "epoch", "model": "sasrec"}                 ->  the same for one more epoch, and "top":
                                                           the ten best unseen items of each user

Questions also carry "size" (embedding_size, blocks, heads, max_length, dropout; mask_share for
BERT4Rec; hidden_size and layers for GRU4Rec), "seed" and, for an epoch, "rate" (the learning rate)
and "seconds" (RecBole stops then).

What the library itself prints goes to standard error.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

Answer = dict[str, Any]

# Nothing but answers may go to the standard output that the asker reads.
ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def serve(packages: list[str], handlers: dict[str, Callable[[dict[str, Any]], Answer]]) -> None:
    """Answer questions until there are no more.

    Args:
        packages: Whose versions to tell at the start.
        handlers: What answers each "do".
    """
    versions = {name: version(name) for name in packages}
    say({"ready": True, "versions": versions})
    for line in sys.stdin:
        question = json.loads(line)
        try:
            answer = handlers[question["do"]](question)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        say(answer)


def say(answer: Answer) -> None:
    """Write one answer."""
    ANSWERS.write(json.dumps(answer) + "\n")
    ANSWERS.flush()


def read_log(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the training log: user row and item number of each interaction, oldest first."""
    content = np.load(folder / "log.npz")
    return content["users"], content["items"]


class Clock:
    """Measures training batches, the first ones left out.

    Args:
        warm_up: How many.
    """

    def __init__(self, warm_up: int) -> None:
        self.warm_up = warm_up
        self.restart()

    def restart(self) -> None:
        """Begin anew."""
        self.batches = self.targets = 0
        self.began = self.ended = time.perf_counter()

    def count(self, targets: int) -> None:
        """Say that a batch with so many supervised targets is done."""
        self.batches += 1
        now = time.perf_counter()
        if self.batches <= self.warm_up:
            self.began = now
        else:
            self.targets += targets
        self.ended = now

    def answer(self) -> Answer:
        """Return what was measured."""
        return {"targets": self.targets, "seconds": self.ended - self.began}
