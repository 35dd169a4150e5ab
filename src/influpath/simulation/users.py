"""The interface of simulated users: how probable it is that they take what they are shown.

Users know what they took in, nothing of planners, objectives or dials.

Shape suffixes: B users at hand, I catalogue items (column c is item number c + 1).
"""

from abc import ABC, abstractmethod
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from influpath.data.ids import IdMap
from influpath.data.sequences import IntArray, Sequences
from influpath.planning.base import seen_items

FloatArray = npt.NDArray[np.float64]


class Users(ABC):
    """Some users at one moment.

    Args:
        histories: What they took in so far, one row each.
        items: Catalogue size.

    Attributes:
        taken_BI: What each user took in, bool [B, I].
    """

    def __init__(self, histories: Sequences, items: int) -> None:
        self.taken_BI = seen_items(histories, items)
        self._log_probs_BI: Tensor | None = None

    def __len__(self) -> int:
        return len(self.taken_BI)

    def log_probs(self) -> Tensor:
        """Return log P(next item) of users left alone, float32 [B, I]; no item is masked."""
        if self._log_probs_BI is None:
            self._log_probs_BI = self._ask()
        return self._log_probs_BI

    @abstractmethod
    def _ask(self) -> Tensor:
        """Compute what ``log_probs`` returns."""

    @abstractmethod
    def acceptance(self, items_B: IntArray) -> FloatArray:
        """Return the probability that each user accepts an item if shown now, [B].

        Args:
            items_B: Item numbers; what stands for 0 (nothing is shown) has no meaning.
        """

    def take(self, items_B: IntArray) -> None:
        """Let each user take one item in; 0 is nothing."""
        rows = np.flatnonzero(items_B)
        if len(rows):
            self.taken_BI[torch.from_numpy(rows), torch.from_numpy(items_B[rows] - 1)] = True
            self._log_probs_BI = None

    def keep(self, rows: IntArray) -> None:
        """Keep some rows, in the given order."""
        index = torch.from_numpy(rows)
        self.taken_BI = self.taken_BI[index]
        if self._log_probs_BI is not None:
            self._log_probs_BI = self._log_probs_BI[index]

    def replace(self, rows: IntArray, other: Self) -> None:
        """Let other users of the same model take the places of some rows, each once."""
        self.taken_BI[torch.from_numpy(rows)] = other.taken_BI
        self._log_probs_BI = None


class UserModel(ABC):
    """How users behave; makes ``Users`` of histories."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What stands in tables."""

    @property
    @abstractmethod
    def items(self) -> IdMap:
        """The catalogue that items are numbered by."""

    @property
    @abstractmethod
    def users(self) -> IdMap:
        """The users it knows."""

    @abstractmethod
    def begin(self, users_B: IntArray, histories: Sequences) -> Users:
        """Return users before the first round.

        Args:
            users_B: User rows of ``users``; -1 where unknown.
            histories: Item numbers, oldest first.
        """
