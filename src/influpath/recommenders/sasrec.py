"""SASRec: self-attentive sequential recommendation (Kang and McAuley, ICDM 2018).

Departures from the original, each for a reason:
- Full-catalogue softmax cross-entropy by default: it gives the probabilities that a judge needs,
  and better ranking (Klenitskiy and Vasilev, RecSys 2023).  ``loss="bce"`` is the original's binary
  cross-entropy against one negative per position, uniform among the items that the user never had.
- Pre-normalised blocks with a GELU feed-forward layer of four times the width; dropout acts on the
  added features only.
- Output weights are tied to the item embedding (as in the original) and have a bias.
- Windows are aligned at their start and begin with a start token; see ``causal``.

Shape suffixes: B batch, L positions, D width, K candidates, N supervised positions.
"""

from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from influpath.config import FrozenConfig
from influpath.recommenders.blocks import (
    Attention,
    causal_attention,
    initialise,
    masked_attention,
)
from influpath.recommenders.causal import CausalNetwork, CausalRecommender
from influpath.recommenders.neural import Windows
from influpath.recommenders.transformer import ItemEncoder, TransformerConfig
from influpath.training.negatives import Negatives


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

    def forward(self, items_BL: Tensor) -> Tensor:
        """See ``CausalNetwork.forward``: causal attention never sees the pads."""
        positions_L = torch.arange(items_BL.shape[1] + 1)
        return self.encode(items_BL, positions_L, causal_attention)

    def branch(self, items_BL: Tensor, candidates_BK: Tensor) -> Tensor:
        """See ``CausalNetwork.branch``: a candidate attends to the window and itself."""
        batch, length = items_BL.shape
        count = candidates_BK.shape[1]
        total = 1 + length + count
        visible = torch.ones(total, total, dtype=torch.bool).tril()
        visible[1 + length :, 1 + length :] = torch.eye(count, dtype=torch.bool)
        real_BL = torch.cat(
            [items_BL.new_ones(batch, 1), items_BL, items_BL.new_ones(batch, count)], dim=1
        )
        visible_BLL = visible & (real_BL > 0)[:, None, :] | torch.eye(total, dtype=torch.bool)
        next_B1 = (items_BL > 0).sum(1, keepdim=True) + 1
        positions_BL = torch.cat(
            [torch.arange(1 + length).expand(batch, -1), next_B1.expand(-1, count)], dim=1
        )
        attention = masked_attention(visible_BLL[:, None])
        joined_BL = torch.cat([items_BL, candidates_BK], dim=1)
        return self.encode(joined_BL, positions_BL, attention)[:, -count:]

    def encode(self, items_BL: Tensor, positions: Tensor, attention: Attention) -> Tensor:
        """Encode [start, item, ...] at given positions under an attention."""
        start_B1 = items_BL.new_zeros(len(items_BL), 1)
        items_BL = torch.cat([start_B1, items_BL], dim=1)
        x_BLD = self.embed(items_BL, self.position(positions))
        for block in self.blocks:
            x_BLD = block(x_BLD, attention)
        hidden: Tensor = self.norm(x_BLD)
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
