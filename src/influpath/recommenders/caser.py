"""Caser: convolutions over the last few items as an image (Tang and Wang, WSDM 2018).

The embeddings of the last L items are an image E of L rows and D columns.  Horizontal filters of
heights 1..L slide over it and keep their strongest response, vertical filters weigh its rows
(section 3.2); a layer makes a vector z of both, and an item's score is linear in z and the user's
embedding P_u, joined (section 3.3).

Departures from the original, each for a reason:
- Full-catalogue softmax cross-entropy over the next item by default, for the probabilities that a
  judge needs.  ``loss="bce"`` is the original's: the next T = ``targets`` items, each with binary
  cross-entropy against ``negatives`` items of its own, uniform among those that the user never had.
- Every position of every sequence is supervised, the first ones too: what is missing before them is
  padded on the left, as it is for a short history at inference (the original pads only sequences
  shorter than a window).  The padding has a learned embedding.
- A user unknown to the model gets the mean user embedding.
- Adam with clipped gradients and a cosine schedule instead of Adam at a constant rate.

Shape suffixes: B windows, L image rows, W the same and the targets, D width, C = 2D width of the
output layer, N supervised positions, R rows, K negatives.
"""

from typing import ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from influpath.config import FrozenConfig
from influpath.data.sequences import IntArray, Sequences, count_up
from influpath.recommenders.blocks import initialise
from influpath.recommenders.dropout import Dropout
from influpath.recommenders.neural import NeuralConfig, NeuralRecommender, Windows
from influpath.training.loop import TrainingConfig
from influpath.training.negatives import Negatives


class CaserConfig(NeuralConfig):
    """Settings of Caser; see ``NeuralConfig`` for the others.

    Attributes:
        max_length: Items of the history that the model sees: L.
        horizontal: Horizontal filters of each height 1..L.
        vertical: Vertical filters.
        loss: "softmax" over the whole catalogue, or "bce", the original's.
        targets: Next items that a window is trained on, T (loss "bce").
        negatives: Sampled negatives per target (loss "bce").
    """

    max_length: int = Field(default=5, ge=2)
    dropout: float = Field(default=0.5, ge=0, lt=1)
    horizontal: int = Field(default=16, ge=1)
    vertical: int = Field(default=4, ge=1)
    loss: Literal["softmax", "bce"] = "softmax"
    targets: int = Field(default=3, ge=1)
    negatives: int = Field(default=3, ge=1)
    training: TrainingConfig = TrainingConfig(epochs=15, learning_rate=1e-3)

    @property
    def trained_targets(self) -> int:
        """Targets of a training window: T under the original's loss, else the next item alone."""
        return self.targets if self.loss == "bce" else 1


class CaserNetwork(nn.Module):
    """The convolutions, the user embedding and the output layer; item 0 is padding."""

    def __init__(self, config: CaserConfig, items: int, users: int) -> None:
        super().__init__()
        width, length = config.embedding_size, config.max_length
        self.item = nn.Embedding(items + 1, width)
        self.user = nn.Embedding(users, width)
        self.horizontal = nn.ModuleList(
            nn.Conv1d(width, config.horizontal, height) for height in range(1, length + 1)
        )
        self.vertical = nn.Linear(length, config.vertical, bias=False)
        self.dropout = Dropout(config.dropout)
        self.join = nn.Linear(config.horizontal * length + config.vertical * width, width)
        self.output = nn.Linear(2 * width, items)
        initialise(self)

    def forward(self, items_BL: Tensor, users_B: Tensor) -> Tensor:
        """Return [z, P_u], [B, C].

        Args:
            items_BL: The last L items, pre-padded with 0.
            users_B: User rows, -1 where unknown.
        """
        # Scaled so that the small initial weights do not still the convolutions.
        image_BDL = (self.item(items_BL) * self.item.embedding_dim**0.5).transpose(1, 2)
        parts = [F.relu(filters(image_BDL)).amax(dim=2) for filters in self.horizontal]
        parts.append(self.vertical(image_BDL).flatten(1))
        z_BD = F.relu(self.join(self.dropout(torch.cat(parts, dim=1))))
        return torch.cat([z_BD, self.users(users_B)], dim=1)

    def users(self, users_B: Tensor) -> Tensor:
        """Return user embeddings [B, D]; the mean one for unknown users."""
        known_BD: Tensor = self.user(users_B.clamp(min=0))
        return torch.where((users_B < 0)[:, None], self.user.weight.mean(0), known_BD)


class Caser(NeuralRecommender):
    """Convolutional recommender; see the module docstring for its departures."""

    name: ClassVar[str] = "caser"
    config_class: ClassVar[type[FrozenConfig]] = CaserConfig
    config: CaserConfig
    module: CaserNetwork

    def _build(self) -> CaserNetwork:
        return CaserNetwork(self.config, self.item_count, len(self.users))

    def _output(self) -> tuple[Tensor, Tensor | None]:
        return self.module.output.weight, self.module.output.bias

    def _windows(self, sequences: Sequences, rng: np.random.Generator) -> Windows:
        """Slide over every sequence: up to L items and their T targets, at every position."""
        targets = self.config.trained_targets
        lengths = sequences.lengths
        count = np.where(lengths > 0, np.maximum(lengths - targets, 0) + 1, 0)
        users_B = np.repeat(np.arange(len(lengths)), count)
        stop = np.minimum(targets + count_up(count), lengths[users_B])
        start = np.maximum(stop - targets - self.config.max_length, 0)
        return Windows(sequences.slice(users_B, start, stop), users_B)

    def _supervised(self, windows: Windows, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        length = self.config.max_length
        items_BW = torch.as_tensor(windows.items.window(length + self.config.trained_targets))
        hidden_BC = self.module(items_BW[:, :length], torch.as_tensor(windows.users_B))
        rows_N, columns_N = (items_BW[:, length:] > 0).nonzero(as_tuple=True)
        return hidden_BC[rows_N], items_BW[rows_N, length + columns_N]

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
        # A window shorter than T targets has as many as it has items.
        targets_B = np.minimum(windows.items.lengths, self.config.targets)
        users_N = np.repeat(windows.users_B, targets_B)
        negative_NK = negatives.unseen(users_N, self.config.negatives, rng)
        return self._binary_loss(hidden_ND, target_N, negative_NK)

    def _encode(self, histories: Sequences, users: IntArray | None) -> Tensor:
        items_RL = torch.as_tensor(histories.window(self.config.max_length))
        known = np.full(len(histories), -1) if users is None else users
        hidden_RC: Tensor = self.module(items_RL, torch.as_tensor(known))
        return hidden_RC
