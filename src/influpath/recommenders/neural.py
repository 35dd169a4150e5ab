"""What every neural next-item model shares: sizes, the training task, validation by HR@20.

Shape suffixes: B batch, L positions, D width, N supervised positions, R rows, I catalogue items.
"""

from abc import abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from influpath.config import FrozenConfig
from influpath.data.dataset import Dataset
from influpath.data.sequences import IntArray, Sequences
from influpath.data.splits import validation_users
from influpath.recommenders.base import Recommender
from influpath.recommenders.blocks import TransformerBlock, log_softmax
from influpath.recommenders.ranking import target_ranks
from influpath.training.batches import bucketed_batches, random_windows
from influpath.training.fused_loss import fused_cross_entropy
from influpath.training.loop import Task, TrainingConfig, seeded, train

# The same users validate every model, whatever its seed (design: "a fixed 10% of users").
VALIDATION_SEED = 0


class NeuralConfig(FrozenConfig):
    """Settings that every neural recommender has.

    Attributes:
        embedding_size: Width D.
        blocks: Number of layers.
        heads: Attention heads, a divisor of D.
        dropout: Share of features dropped in training.
        max_length: Items of the history that the model sees.
        batch_tokens: Bound on rows x longest row of a training batch.
        seed: Initial weights and training order.
        training: Optimizer, schedule, stopping.
    """

    embedding_size: int = Field(default=64, ge=4)
    blocks: int = Field(default=2, ge=1)
    heads: int = Field(default=2, ge=1)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    max_length: int = Field(default=200, ge=2)
    batch_tokens: int = Field(default=12_800, ge=64)
    seed: int = 0
    training: TrainingConfig = TrainingConfig()

    @model_validator(mode="after")
    def _heads_divide(self) -> "NeuralConfig":
        if self.embedding_size % self.heads:
            raise ValueError("heads must divide embedding_size")
        return self


class ItemEncoder(nn.Module):
    """What the networks of SASRec and BERT4Rec have in common.

    Args:
        config: Sizes.
        tokens: Rows of the item embedding: items and special tokens.
        items: Catalogue size.
    """

    def __init__(self, config: NeuralConfig, tokens: int, items: int) -> None:
        super().__init__()
        width = config.embedding_size
        self.item = nn.Embedding(tokens, width)
        self.position = nn.Embedding(config.max_length + 1, width)
        self.bias = nn.Parameter(torch.zeros(items))
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(
            TransformerBlock(width, config.heads, config.dropout) for _ in range(config.blocks)
        )
        self.norm = nn.LayerNorm(width)

    def embed(self, items_BL: Tensor, position: Tensor) -> Tensor:
        """Return item plus position embeddings; position is [L, D] or [B, L, D]."""
        # Scaled so that items are not drowned by positions at the start of training.
        x_BLD = self.item(items_BL) * self.item.embedding_dim**0.5
        embedded: Tensor = self.dropout(x_BLD + position)
        return embedded


class NeuralRecommender(Recommender):
    """A neural model with a tied output layer.

    A subclass builds its network, says what of a window is supervised, and encodes histories.
    """

    config: NeuralConfig
    module: nn.Module

    @abstractmethod
    def _build(self) -> nn.Module:
        """Make the network; ``items`` and ``users`` are known."""

    @abstractmethod
    def _supervised(self, windows: Sequences, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return hidden states [N, D] and target items [N] (numbers 1..I) of training windows."""

    @abstractmethod
    def _encode(self, histories: Sequences) -> Tensor:
        """Return the hidden state that predicts the item after each history, [R, D]."""

    @abstractmethod
    def _output(self) -> tuple[Tensor, Tensor | None]:
        """Return the output projection [I, D] and its bias [I] or None."""

    def _fit(self, dataset: Dataset, checkpoint: Path | None) -> dict[str, Any]:
        with seeded(self.config.seed, 0):
            self.module = self._build()
        identity = {
            "kind": self.name,
            "config": self.config.model_dump(mode="json"),
            "data": dataset.fingerprint,
        }
        task = NextItemTask(self, dataset)
        history = train(task, self.config.training, self.config.seed, checkpoint, identity)
        return history.to_dict()

    def log_probs(self, histories: Sequences, users: IntArray | None = None) -> Tensor:
        """See ``Recommender.log_probs``; users play no part."""
        self.items  # noqa: B018 - raises where the model is not trained
        self.module.eval()
        # Not inference_mode: callers may change the result in place.
        with torch.no_grad():
            return self._log_probs_of(self._encode(histories))

    def item_vectors(self) -> Tensor:
        """Return the item embeddings, [I, D]."""
        self.items  # noqa: B018 - raises where the model is not trained
        return self._output()[0].detach()

    def _log_probs_of(self, hidden_RD: Tensor) -> Tensor:
        weight_ID, bias_I = self._output()
        return log_softmax(torch.nn.functional.linear(hidden_RD, weight_ID, bias_I))

    def _weights(self) -> dict[str, Tensor]:
        return dict(self.module.state_dict())

    def _restore(self, weights: dict[str, Tensor]) -> None:
        self.module = self._build()
        self.module.load_state_dict(weights)
        self.module.eval()


class NextItemTask(Task):
    """Train on whole histories; validate by HR@20 of the last item of 10% of the users.

    That item is left out of training for these users, and only for them.
    """

    criterion = "hr@20"
    higher_is_better = True

    def __init__(self, model: NeuralRecommender, dataset: Dataset) -> None:
        self.model, self.module, self.label = model, model.module, model.name
        rows = validation_users(len(dataset.sequences), VALIDATION_SEED)
        rows = rows[dataset.sequences.lengths[rows] > 1]
        held = np.zeros(len(dataset.sequences), dtype=np.int64)
        held[rows] = 1
        self.sequences = dataset.sequences.drop_last(held)
        self.histories = self.sequences.take(rows)
        self.targets = dataset.sequences.take(rows).last()

    def batches(self, rng: np.random.Generator) -> list[Any]:
        """Return windows at offsets drawn anew each epoch."""
        windows = random_windows(self.sequences, self.model.config.max_length, rng)
        order = bucketed_batches(windows.lengths, rng, tokens=self.model.config.batch_tokens)
        return [windows.take(rows) for rows in order]

    def loss(self, batch: Any, rng: np.random.Generator) -> tuple[Tensor, int]:
        """Return the full-catalogue cross-entropy."""
        hidden_ND, target_N = self.model._supervised(batch, rng)
        weight_ID, bias_I = self.model._output()
        return fused_cross_entropy(hidden_ND, weight_ID, target_N - 1, bias_I), len(target_N)

    def validate(self) -> dict[str, float]:
        """Return HR@20, MRR and the loss on the left-out items."""
        log_probs_RI = self.model.log_probs(self.histories)
        ranks = target_ranks(log_probs_RI, self.histories, self.targets)
        picked = log_probs_RI.gather(1, torch.from_numpy(self.targets)[:, None] - 1)
        return {
            "hr@20": float((ranks <= 20).mean()),
            "mrr": float((1.0 / ranks).mean()),
            "validation_loss": float(-picked.mean()),
        }
