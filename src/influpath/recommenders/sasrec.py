"""SASRec: self-attentive sequential recommendation (Kang and McAuley, ICDM 2018).

Departures from the original, each for a reason:
- Full-catalogue softmax cross-entropy by default: it gives the probabilities that a judge needs,
  and better ranking (Klenitskiy and Vasilev, RecSys 2023).  ``loss="bce"`` is the original's binary
  cross-entropy against one negative per position, uniform among the items that the user never had.
- Pre-normalised blocks with a GELU feed-forward layer of four times the width; dropout acts on the
  added features only.
- Output weights are tied to the item embedding (as in the original) and have a bias.
- Windows are aligned at their start and begin with a start token; see ``causal``.

Shape suffixes: B batch, L positions, Q some of them, D width, K candidates, N supervised positions.
"""

from collections.abc import Callable
from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from influpath.config import FrozenConfig
from influpath.recommenders.blocks import (
    Attention,
    TransformerBlock,
    causal_attention,
    initialise,
    masked_attention,
)
from influpath.recommenders.causal import CausalNetwork, CausalRecommender
from influpath.recommenders.causal_reader import Memory
from influpath.recommenders.key_value_memory import KeyValueMemory
from influpath.recommenders.neural import Windows
from influpath.recommenders.transformer import ItemEncoder, TransformerConfig
from influpath.training.negatives import Negatives

# Candidates that are looked at together, over all rows.
PEEK_POSITIONS = 1 << 14


class SASRecConfig(TransformerConfig):
    """Settings of SASRec; see ``NeuralConfig`` and ``TransformerConfig`` for the others.

    Attributes:
        loss: "softmax" over the whole catalogue, or "bce", the original's.
        negatives: Sampled negatives per position (loss "bce").
    """

    loss: Literal["softmax", "bce"] = "softmax"
    negatives: int = Field(default=1, ge=1)


class SASRecNetwork(ItemEncoder, CausalNetwork):
    """A causal transformer over [start, item, item, ...]; item 0 is the start token."""

    def __init__(self, config: SASRecConfig, items: int) -> None:
        super().__init__(config, tokens=items + 1, items=items)
        initialise(self)

    def forward(self, items_BL: Tensor, at_BQ: Tensor | None = None) -> Tensor:
        """See ``CausalNetwork.forward``: causal attention never sees the pads."""
        if at_BQ is None:
            return self.encode(items_BL, lambda layer: causal_attention)
        visible_BQL = torch.arange(items_BL.shape[1] + 1) <= at_BQ[..., None]
        last = masked_attention(visible_BQL[:, None])
        final = len(self.blocks) - 1
        return self.encode(
            items_BL, lambda layer: last if layer == final else causal_attention, at_BQ
        )

    def encode(
        self,
        items_BL: Tensor,
        attention: Callable[[int], Attention],
        at_BQ: Tensor | None = None,
    ) -> Tensor:
        """Encode [start, item, item, ...] under each layer's attention."""
        start_B1 = items_BL.new_zeros(len(items_BL), 1)
        items_BL = torch.cat([start_B1, items_BL], dim=1)
        x_BLD = self.embed(items_BL, self.position(torch.arange(items_BL.shape[1])))
        for layer, block in enumerate(self.blocks):
            last = layer == len(self.blocks) - 1
            x_BLD = block(x_BLD, attention(layer), at_BQ if last else None)
        hidden: Tensor = self.norm(x_BLD)
        return hidden

    def blank(self, rows: int, width: int) -> KeyValueMemory:
        """See ``CausalNetwork.blank``."""
        blocks = [block for block in self.blocks if isinstance(block, TransformerBlock)]
        heads, size = blocks[0].heads, self.item.embedding_dim // blocks[0].heads
        return KeyValueMemory.blank(len(blocks), rows, heads, width + 1, size)

    def remember(self, items_BL: Tensor) -> tuple[KeyValueMemory, Tensor]:
        """See ``CausalNetwork.remember``: keys and values of every layer are kept."""
        memory = self.blank(*items_BL.shape)
        hidden_BLD = self.encode(items_BL, memory.filling)
        memory.length_B = (items_BL > 0).sum(1) + 1
        return memory, hidden_BLD[torch.arange(len(items_BL)), memory.length_B - 1]

    def step(self, memory: Memory, items_B: Tensor) -> Tensor:
        """See ``CausalNetwork.step``."""
        assert isinstance(memory, KeyValueMemory)
        memory.make_room()
        hidden_B1D = self.go_on(memory, items_B[:, None], memory.writing)
        memory.length_B = memory.length_B + (items_B > 0)
        return hidden_B1D[:, 0]

    def peek(self, memory: Memory, candidates_BK: Tensor) -> Tensor:
        """See ``CausalNetwork.peek``: a candidate attends to the window and itself."""
        assert isinstance(memory, KeyValueMemory)
        size = max(1, PEEK_POSITIONS // max(1, candidates_BK.shape[1]))
        parts = [
            self.go_on(part, candidates_BK[start : start + size], part.reading)
            for start in range(0, len(candidates_BK), size)
            for part in (memory.rows(slice(start, start + size)),)
        ]
        return torch.cat(parts) if parts else self.item(candidates_BK)

    def go_on(
        self,
        memory: KeyValueMemory,
        items_BK: Tensor,
        attention: Callable[[int], Attention],
    ) -> Tensor:
        """Encode items that each stand right after the window, [B, K, D]."""
        # A window that is full goes nowhere; its row is read again before anyone looks.
        place_B1 = memory.length_B.clamp(max=self.position.num_embeddings - 1)[:, None]
        x_BKD = self.embed(items_BK, self.position(place_B1))
        for layer, block in enumerate(self.blocks):
            x_BKD = block(x_BKD, attention(layer))
        hidden: Tensor = self.norm(x_BKD)
        return hidden


class SASRec(CausalRecommender):
    """Self-attentive sequential recommender; see the module docstring for its departures."""

    name: ClassVar[str] = "sasrec"
    config_class: ClassVar[type[FrozenConfig]] = SASRecConfig
    config: SASRecConfig
    module: SASRecNetwork

    def _build(self) -> SASRecNetwork:
        return SASRecNetwork(self.config, self.item_count)

    def _loss(
        self,
        windows: Windows,
        hidden_ND: Tensor,
        target_N: Tensor,
        negatives: Negatives,
        rng: np.random.Generator,
    ) -> Tensor:
        if self.config.loss == "softmax":
            return super()._loss(windows, hidden_ND, target_N, negatives, rng)
        users_N = np.repeat(windows.users_B, windows.items.lengths)
        negative_NK = negatives.unseen(users_N, self.config.negatives, rng)
        return self._binary_loss(hidden_ND, target_N, negative_NK)
