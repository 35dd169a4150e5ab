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

Shape suffixes: B batch, L positions, Q those that are asked for, D width, H hidden units,
K candidates or negatives, R some of the rows, N supervised positions, G mini-batches of
S positions.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from influpath.config import FrozenConfig
from influpath.data.sequences import count_up
from influpath.recommenders.blocks import initialise, pick
from influpath.recommenders.causal import CausalNetwork, CausalRecommender
from influpath.recommenders.causal_reader import Memory
from influpath.recommenders.dropout import Dropout
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


@dataclass(eq=False)
class StateMemory(Memory):
    """The state of every layer after the last item of each row.

    Attributes:
        layers_BH: One [B, H] per layer.
    """

    layers_BH: list[Tensor]

    def keep(self, rows_R: Tensor) -> None:
        """See ``Memory.keep``."""
        self.layers_BH = [state[rows_R] for state in self.layers_BH]

    def put(self, rows_R: Tensor, other: "StateMemory") -> None:
        """See ``Memory.put``."""
        for own, given in zip(self.layers_BH, other.layers_BH, strict=True):
            own[rows_R] = given


class GRU4RecNetwork(CausalNetwork):
    """GRU layers over [start, item, item, ...]; item 0 is the start token."""

    def __init__(self, config: GRU4RecConfig, items: int) -> None:
        super().__init__()
        width, hidden = config.embedding_size, config.hidden_size
        self.item = nn.Embedding(items + 1, width)
        self.bias = nn.Parameter(torch.zeros(items))
        self.dropout = Dropout(config.dropout)
        self.sizes = [hidden] * config.layers
        self.layers = nn.ModuleList(
            nn.GRU(i, o, batch_first=True) for i, o in pairwise([width, *self.sizes])
        )
        self.project = nn.Linear(hidden, width)
        initialise(self)

    def forward(self, items_BL: Tensor, at_BQ: Tensor | None = None) -> Tensor:
        """See ``CausalNetwork.forward``: a state never sees what comes after it."""
        state_BLH = self.states(items_BL)[-1]
        return self.head(state_BLH if at_BQ is None else pick(state_BLH, at_BQ))

    def blank(self, rows: int, width: int) -> StateMemory:
        """See ``CausalNetwork.blank``."""
        return StateMemory([torch.zeros(rows, size) for size in self.sizes])

    def remember(self, items_BL: Tensor) -> tuple[StateMemory, Tensor]:
        """See ``CausalNetwork.remember``: the last state of every layer is all there is to keep."""
        rows_B, last_B = torch.arange(len(items_BL)), (items_BL > 0).sum(1)
        memory = StateMemory([state[rows_B, last_B] for state in self.states(items_BL)])
        return memory, self.head(memory.layers_BH[-1])

    def step(self, memory: Memory, items_B: Tensor) -> Tensor:
        """See ``CausalNetwork.step``."""
        assert isinstance(memory, StateMemory)
        read_B1 = (items_B > 0)[:, None]
        after = self.go_on(memory.layers_BH, items_B)
        memory.layers_BH = [
            torch.where(read_B1, new, old) for new, old in zip(after, memory.layers_BH, strict=True)
        ]
        return self.head(memory.layers_BH[-1])

    def peek(self, memory: Memory, candidates_BK: Tensor) -> Tensor:
        """See ``CausalNetwork.peek``: one step of every layer from the window's last state."""
        assert isinstance(memory, StateMemory)
        batch, count = candidates_BK.shape
        before = [state.repeat_interleave(count, dim=0) for state in memory.layers_BH]
        after = self.go_on(before, candidates_BK.reshape(-1))
        hidden_ND = self.head(after[-1])
        return hidden_ND.view(batch, count, hidden_ND.shape[1])

    def go_on(self, layers_BH: list[Tensor], items_B: Tensor) -> list[Tensor]:
        """Return the states of every layer after one more item."""
        x_B1D = self.embed(items_B[:, None])
        after = []
        for layer, state_BH in zip(self.layers, layers_BH, strict=True):
            x_B1D = layer(x_B1D, state_BH[None].contiguous())[0]
            after.append(x_B1D[:, 0])
            x_B1D = self.dropout(x_B1D)
        return after

    def states(self, items_BL: Tensor) -> list[Tensor]:
        """Return the states of every layer after [start, item, item, ...], [B, L + 1, H] each."""
        start_B1 = items_BL.new_zeros(len(items_BL), 1)
        x = self.embed(torch.cat([start_B1, items_BL], dim=1))
        states = []
        for layer in self.layers:
            # The steps are too small for bfloat16 to pay for the conversions.
            with torch.autocast(x.device.type, enabled=False):
                states.append(layer(x.float())[0])
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
        items_GK = torch.cat([target_GS, torch.as_tensor(extra_GK)], dim=1)
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
    return torch.as_tensor(place).view(-1, size), torch.as_tensor(real).view(-1, size)
