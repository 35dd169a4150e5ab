"""GRU4Rec: a recurrent network over the user's items (Hidasi et al., ICLR 2016; Hidasi and
Karatzoglou, CIKM 2018).  Written from the papers.

Departures from the original, each for a reason:
- Full-catalogue softmax cross-entropy by default, for the probabilities that a judge needs.
  ``loss`` switches to the papers' losses: "top1" (2016), "bpr-max" and "sampled-softmax" (2018,
  there called cross-entropy).  The scores under them are linear: no tanh or ELU is applied, so that
  the log-softmax of the scores is defined the same way whatever the loss.
- Windows instead of session-parallel mini-batches: whole histories are cut as SASRec's are, every
  item of a window is supervised, and the gradient runs through the whole window.  For the sampled
  losses the positions of a batch are grouped by their place in the window into mini-batches of
  ``MINI_BATCH``; the negatives of a position are the other targets of its mini-batch and
  ``negatives`` additional items shared by the mini-batch, drawn in proportion to support ** alpha.
  A negative that is the target itself does not count.
- The state is projected to the embedding width and the output layer is tied to the item embedding,
  with a bias (the 2018 paper's unified item representation): one vector per item, half the weights.
- Windows are aligned at their start and begin with a start token; see ``causal``.
- Adam instead of Adagrad; dropout acts on embeddings and on states.

A state says all there is to say of a window, so that looking ahead through a candidate is one step
of the recurrence.

Shape suffixes: B batch, L positions, D width, H hidden units, K candidates or negatives,
N supervised positions, G mini-batches of S positions.
"""

from itertools import pairwise
from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from influpath.config import FrozenConfig
from influpath.data.sequences import count_up
from influpath.recommenders.blocks import initialise
from influpath.recommenders.causal import CausalNetwork, CausalRecommender
from influpath.recommenders.neural import NeuralConfig, Windows
from influpath.training.loop import TrainingConfig
from influpath.training.negatives import Negatives
from influpath.training.sampled_losses import bpr_max, sampled_softmax, top1

MINI_BATCH = 64


class GRU4RecConfig(NeuralConfig):
    """Settings of GRU4Rec; see ``NeuralConfig`` for the others.

    Attributes:
        hidden_size: Units of each GRU layer, H.
        layers: Number of GRU layers.
        loss: "softmax" over the whole catalogue, or one of the papers' losses.
        negatives: Additional sampled negatives per mini-batch (sampled losses).
        alpha: They are drawn in proportion to support ** alpha; 0 is uniform.
        score_penalty: Weight of the score regularisation (loss "bpr-max").
    """

    hidden_size: int = Field(default=128, ge=4)
    layers: int = Field(default=1, ge=1)
    loss: Literal["softmax", "sampled-softmax", "top1", "bpr-max"] = "softmax"
    negatives: int = Field(default=512, ge=0)
    alpha: float = Field(default=0.5, ge=0, le=1)
    score_penalty: float = Field(default=1.0, ge=0)
    batch_tokens: int = Field(default=3_200, ge=64)
    training: TrainingConfig = TrainingConfig(epochs=25, learning_rate=2e-3)


class GRU4RecNetwork(CausalNetwork):
    """GRU layers over [start, item, item, ...]; item 0 is the start token."""

    def __init__(self, config: GRU4RecConfig, items: int) -> None:
        super().__init__()
        width, hidden = config.embedding_size, config.hidden_size
        self.item = nn.Embedding(items + 1, width)
        self.bias = nn.Parameter(torch.zeros(items))
        self.dropout = nn.Dropout(config.dropout)
        sizes = [width] + [hidden] * config.layers
        self.layers = nn.ModuleList(nn.GRU(i, o, batch_first=True) for i, o in pairwise(sizes))
        self.project = nn.Linear(hidden, width)
        initialise(self)

    def forward(self, items_BL: Tensor) -> Tensor:
        """See ``CausalNetwork.forward``: a state never sees what comes after it."""
        return self.head(self.states(items_BL)[-1])

    def branch(self, items_BL: Tensor, candidates_BK: Tensor) -> Tensor:
        """See ``CausalNetwork.branch``: one step of every layer from the window's last state."""
        batch, count = candidates_BK.shape
        rows, last_B = torch.arange(batch), (items_BL > 0).sum(1)
        x = self.embed(candidates_BK.reshape(-1, 1))
        for layer, state_BLH in zip(self.layers, self.states(items_BL), strict=True):
            before = state_BLH[rows, last_B].repeat_interleave(count, dim=0)
            x = self.dropout(layer(x, before[None].contiguous())[0])
        return self.head(x).view(batch, count, -1)

    def states(self, items_BL: Tensor) -> list[Tensor]:
        """Return the states of every layer after [start, item, item, ...], [B, L + 1, H] each."""
        start_B1 = items_BL.new_zeros(len(items_BL), 1)
        x = self.embed(torch.cat([start_B1, items_BL], dim=1))
        states = []
        for layer in self.layers:
            states.append(layer(x)[0])
            x = self.dropout(states[-1])
        return states

    def embed(self, items: Tensor) -> Tensor:
        """Return item embeddings, scaled up: the tied output layer keeps them small."""
        embedded: Tensor = self.dropout(self.item(items) * self.item.embedding_dim**0.5)
        return embedded

    def head(self, state: Tensor) -> Tensor:
        """Project states of the last layer to the embedding width."""
        hidden: Tensor = self.project(self.dropout(state))
        return hidden


class GRU4Rec(CausalRecommender):
    """Recurrent recommender; see the module docstring for its departures."""

    name: ClassVar[str] = "gru4rec"
    config_class: ClassVar[type[FrozenConfig]] = GRU4RecConfig
    config: GRU4RecConfig
    module: GRU4RecNetwork

    def _build(self) -> GRU4RecNetwork:
        return GRU4RecNetwork(self.config, self.item_count)

    def _loss(
        self,
        windows: Windows,
        hidden_ND: Tensor,
        target_N: Tensor,
        negatives: Negatives,
        rng: np.random.Generator,
    ) -> Tensor:
        config = self.config
        if config.loss == "softmax":
            return super()._loss(windows, hidden_ND, target_N, negatives, rng)
        place_GS, real_GS = mini_batches(windows)
        target_GS = target_N[place_GS].masked_fill(~real_GS, 0)
        extra_GK = negatives.popular((len(place_GS), config.negatives), config.alpha, rng)
        # The targets of the mini-batch stand in the first S columns, the additional items after.
        items_GK = torch.cat([target_GS, torch.from_numpy(extra_GK)], dim=1)
        logits_GSK = self._logits(hidden_ND[place_GS], items_GK)
        positive_GS = logits_GSK.diagonal(dim1=1, dim2=2)
        valid_GSK = (items_GK[:, None] != target_GS[:, :, None]) & (items_GK > 0)[:, None]
        scores = positive_GS[real_GS], logits_GSK[real_GS], valid_GSK[real_GS]
        if config.loss == "bpr-max":
            return bpr_max(*scores, penalty=config.score_penalty)
        return top1(*scores) if config.loss == "top1" else sampled_softmax(*scores)


def mini_batches(windows: Windows) -> tuple[Tensor, Tensor]:
    """Group the positions of windows by their place in the window, ``MINI_BATCH`` at a time.

    Returns:
        Positions (indices into the windows' values) and which of them are real, since the last
        mini-batch is filled up, [G, S] each.
    """
    order = np.argsort(count_up(windows.items.lengths), kind="stable")
    size = min(MINI_BATCH, max(1, len(order)))
    real = np.arange(-(-len(order) // size) * size) < len(order)
    place = np.zeros(len(real), dtype=np.int64)
    place[real] = order
    return torch.from_numpy(place).view(-1, size), torch.from_numpy(real).view(-1, size)
