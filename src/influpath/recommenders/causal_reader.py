"""Reading on with a causal model: every item is read once, and what it left is kept.

Exact: the state after an item of a window does not depend on what follows.  A row whose window
moves (beyond ``max_length`` items, every ``max_length // 4``) is read again from the new start.

Shape suffixes: B rows, R some of the rows, K candidates, D width.
"""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from torch import Tensor

from influpath.data.sequences import IntArray, Sequences
from influpath.recommenders.blocks import evaluating
from influpath.recommenders.reader import Reader

if TYPE_CHECKING:
    from influpath.recommenders.causal import CausalRecommender


class Memory(ABC):
    """What a causal network keeps of the windows it has read, one row each."""

    @abstractmethod
    def keep(self, rows_R: Tensor) -> None:
        """Keep some rows, in the given order."""

    @abstractmethod
    def put(self, rows_R: Tensor, other: Self) -> None:
        """Replace rows by those of another memory."""


class CausalReader(Reader):
    """A reader whose network goes on from its memory; see ``Reader``."""

    model: "CausalRecommender"

    def __init__(
        self, model: "CausalRecommender", histories: Sequences, users: IntArray | None = None
    ) -> None:
        super().__init__(model, histories, users)
        model.items  # noqa: B018 - raises where the model is not trained
        evaluating(model.module)
        self.start_B = model.window_start(histories.lengths)
        self.hidden_BD = torch.empty(len(histories), model.config.embedding_size)
        # The longest window, and room to go on.
        width = int((histories.lengths - self.start_B).max(initial=0))
        self.memory = model.module.blank(len(histories), width)
        self._read(np.arange(len(histories)))

    @torch.no_grad()
    def append(self, items_B: IntArray) -> None:
        """See ``Reader.append``."""
        super().append(items_B)
        start_B = self.model.window_start(self.known.lengths)
        moved = np.flatnonzero(start_B != self.start_B)
        self.start_B = start_B
        # Rows that moved go along, and are overwritten: they are few.
        items = torch.as_tensor(items_B)
        hidden_BD = self.model.module.step(self.memory, items)
        self.hidden_BD = torch.where((items > 0)[:, None], hidden_BD, self.hidden_BD)
        self._read(moved)

    def keep(self, rows: IntArray) -> None:
        """See ``Reader.keep``."""
        super().keep(rows)
        index = torch.as_tensor(rows)
        self.start_B, self.hidden_BD = self.start_B[rows], self.hidden_BD[index]
        self.memory.keep(index)

    def replace(self, rows: IntArray, other: Self) -> None:
        """See ``Reader.replace``."""
        super().replace(rows, other)
        index = torch.as_tensor(rows)
        self.start_B[rows], self.hidden_BD[index] = other.start_B, other.hidden_BD
        self.memory.put(index, other.memory)

    @torch.no_grad()
    def log_probs(self) -> Tensor:
        """See ``Reader.log_probs``."""
        return self.model._log_probs_of(self.hidden_BD)

    def user_vectors(self) -> Tensor:
        """See ``Reader.user_vectors``."""
        return self.hidden_BD

    def log_prob_after(self, candidates_BK: IntArray, targets_B: IntArray) -> Tensor:
        """See ``Reader.log_prob_after``."""
        return self.model._log_probs_at(self.user_vectors_after(candidates_BK), targets_B)

    @torch.no_grad()
    def user_vectors_after(self, candidates_BK: IntArray) -> Tensor:
        """See ``Reader.user_vectors_after``: the candidates of a row share its window."""
        hidden_BKD = self.model.module.peek(self.memory, torch.as_tensor(candidates_BK))
        after_B = self.model.window_start(self.known.lengths + 1)
        moves = np.flatnonzero(after_B != self.start_B)
        if len(moves):
            windows = self.known.slice(moves, after_B[moves], self.known.lengths[moves])
            memory, _ = self.model.remember(windows)
            candidates_RK = torch.as_tensor(candidates_BK[moves])
            hidden_BKD[torch.as_tensor(moves)] = self.model.module.peek(memory, candidates_RK)
        return hidden_BKD

    def _read(self, rows: IntArray) -> None:
        """Read whole windows of some rows."""
        if not len(rows):
            return
        windows = self.known.slice(rows, self.start_B[rows], self.known.lengths[rows])
        memory, hidden_RD = self.model.remember(windows)
        index = torch.as_tensor(rows)
        self.memory.put(index, memory)
        self.hidden_BD[index] = hidden_RD
