"""What every neural next-item model shares: the training task, validation by HR@20, weights.

Shape suffixes: B windows of a batch, D width, N supervised positions, G groups of S positions that
share K items, R rows, I catalogue items.
"""

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from influpath.config import FrozenConfig
from influpath.data.dataset import Dataset
from influpath.data.sequences import IntArray, Sequences
from influpath.recommenders.base import Recommender
from influpath.recommenders.blocks import evaluating, log_softmax_of
from influpath.recommenders.output_layer import OutputLayer
from influpath.recommenders.validation import Validation
from influpath.training.batches import bucketed_batches, even_parts, random_windows
from influpath.training.catalogue_loss import catalogue_loss, rows_of
from influpath.training.loop import Task, TrainingConfig, seeded, train
from influpath.training.negatives import Negatives
from influpath.training.sampled_losses import binary_cross_entropy
from influpath.training.shards import shard_count


class NeuralConfig(FrozenConfig):
    """Settings that every neural recommender has.

    Attributes:
        embedding_size: Width D.
        dropout: Share of features dropped in training.
        max_length: Items of the history that the model sees.
        batch_tokens: Bound on rows x longest row of a training batch.
        seed: Initial weights and training order.
        training: Optimizer, schedule, stopping.
    """

    embedding_size: int = Field(default=64, ge=4)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    max_length: int = Field(default=200, ge=2)
    batch_tokens: int = Field(default=12_800, ge=64)
    seed: int = 0
    training: TrainingConfig = TrainingConfig()

    @model_validator(mode="after")
    def _sampled_softmax(self) -> "NeuralConfig":
        if self.training.softmax_sample and getattr(self, "loss", "softmax") != "softmax":
            raise ValueError('training.softmax_sample needs loss = "softmax"')
        return self


@dataclass(frozen=True, eq=False)
class Windows:
    """Pieces of the training sequences.

    Attributes:
        items: One row per window.
        users_B: The user row that each window comes from.
    """

    items: Sequences
    users_B: IntArray

    def take(self, rows: IntArray) -> "Windows":
        """Return the given windows, in the given order."""
        return Windows(self.items.take(rows), self.users_B[rows])


class NeuralRecommender(Recommender):
    """A neural model with a linear output layer over the catalogue.

    A subclass builds its network, says what of a window is supervised, and encodes histories.  It
    trains with the full-catalogue softmax unless it overrides ``_loss``.
    """

    parallel: ClassVar[bool] = True
    config: NeuralConfig
    module: nn.Module

    @abstractmethod
    def _build(self) -> nn.Module:
        """Make the network; ``items`` and ``users`` are known."""

    @abstractmethod
    def _supervised(self, windows: Windows, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return hidden states [N, D] and target items [N] (numbers 1..I) of training windows."""

    @abstractmethod
    def _encode(self, histories: Sequences, users: IntArray | None) -> Tensor:
        """Return the hidden state that predicts the item after each history, [R, D]."""

    @abstractmethod
    def _output(self) -> tuple[Tensor, Tensor | None]:
        """Return the output projection [I, D] and its bias [I] or None."""

    def _output_of(self, items_K: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the rows of ``_output`` for item numbers 1..I.

        The lookup of an embedding that is also the output makes the gradient of both sparse.
        """
        return rows_of(self._output(), items_K)

    def _windows(self, sequences: Sequences, rng: np.random.Generator) -> Windows:
        """Cut one epoch's windows: every item in one, at offsets drawn anew each epoch."""
        items = random_windows(sequences, self.config.max_length, rng)
        # The windows, one after the other, are the sequences: the offset says whose each one is.
        users_B = np.searchsorted(sequences.offsets, items.offsets[:-1], side="right") - 1
        return Windows(items, users_B)

    def _loss(
        self,
        windows: Windows,
        hidden_ND: Tensor,
        target_N: Tensor,
        negatives: Negatives,
        rng: np.random.Generator,
    ) -> Tensor:
        """Return the mean loss over what ``_supervised`` found in the windows."""
        size = self.config.training.softmax_sample
        sample = negatives.sample(size, rng) if size else None
        return catalogue_loss(hidden_ND, target_N, self._output, self._output_of, sample)

    def _binary_loss(self, hidden_ND: Tensor, target_N: Tensor, negative_NK: IntArray) -> Tensor:
        """Return the binary cross-entropy of the targets against negatives (0 for none)."""
        # The target stands in the first column, its negatives in the others.
        items = torch.cat([target_N[:, None], torch.as_tensor(negative_NK)], dim=1)
        logits = self._logits(hidden_ND[:, None], items)[:, 0]
        return binary_cross_entropy(logits[:, 0], logits[:, 1:], items[:, 1:] > 0)

    def _logits(self, hidden_GSD: Tensor, items_GK: Tensor) -> Tensor:
        """Return logits [G, S, K] of each group's items at its positions (item 0: of any item)."""
        weight_ID, bias_I = self._output()
        column_GK = (items_GK - 1).clamp(min=0)
        logits_GSK = hidden_GSD @ weight_ID[column_GK].transpose(1, 2)
        return logits_GSK if bias_I is None else logits_GSK + bias_I[column_GK][:, None]

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
        """See ``Recommender.log_probs``; users play a part only where a model says so."""
        self.items  # noqa: B018 - raises where the model is not trained
        evaluating(self.module)
        # Not inference_mode: callers may change the result in place.
        with torch.no_grad():
            return self._log_probs_of(self._encode(histories, users))

    def log_prob_after(
        self,
        histories: Sequences,
        candidates_RK: IntArray,
        targets_R: IntArray,
        users: IntArray | None = None,
    ) -> Tensor:
        """See ``Recommender.log_prob_after``: no logits of the catalogue are stored."""
        hidden_RKD = self.user_vectors_after(histories, candidates_RK, users)
        if hidden_RKD is None:
            # Nothing is asked.
            return torch.empty(candidates_RK.shape)
        return self._log_probs_at(hidden_RKD, targets_R)

    def item_vectors(self) -> Tensor:
        """Return the output projection, [I, D]: the item embeddings where the two are tied."""
        self.items  # noqa: B018 - raises where the model is not trained
        return self._output()[0].detach()

    def user_vectors(self, histories: Sequences, users: IntArray | None = None) -> Tensor:
        """Return the hidden states; their products with ``item_vectors`` are logits less a bias."""
        self.items  # noqa: B018 - raises where the model is not trained
        evaluating(self.module)
        with torch.no_grad():
            return self._encode(histories, users)

    def _log_probs_of(self, hidden_RD: Tensor) -> Tensor:
        return log_softmax_of(hidden_RD, *self._output())

    @torch.no_grad()
    def _log_probs_at(self, hidden_RKD: Tensor, targets_R: IntArray) -> Tensor:
        """Return the log-probability of each row's target under each of its states, [R, K]."""
        column_RK = torch.as_tensor(targets_R)[:, None].expand(hidden_RKD.shape[:2]) - 1
        hidden_ND, column_N = hidden_RKD.flatten(0, 1), column_RK.flatten()
        output = OutputLayer(*self._output())
        return output.log_probs_at(hidden_ND, column_N).view(column_RK.shape)

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
        self.validation = Validation.of(dataset.sequences)
        self.sequences = self.validation.train
        self.negatives = Negatives(self.sequences, model.item_count)
        self.weights = sum(weights.numel() for weights in model.module.parameters())

    def batches(self, rng: np.random.Generator) -> list[Any]:
        """Return the windows of one epoch, those of similar length together."""
        windows = self.model._windows(self.sequences, rng)
        order = bucketed_batches(windows.items.lengths, rng, tokens=self.model.config.batch_tokens)
        return [windows.take(rows) for rows in order]

    def shards(self, batch: Windows) -> list[Windows]:
        """Cut windows into groups of about equally many positions.

        Not under a sampled softmax or losses against negatives, which the batch shares.
        """
        config = self.model.config
        if config.training.softmax_sample or getattr(config, "loss", "softmax") != "softmax":
            return [batch]
        lengths = batch.items.lengths
        parts = even_parts(lengths, shard_count(int(lengths.sum()), self.weights))
        return [batch.take(np.arange(rows.start, rows.stop)) for rows in parts]

    def loss(self, batch: Any, rng: np.random.Generator) -> tuple[Tensor, int]:
        """Return the model's loss: the full-catalogue cross-entropy unless it says otherwise."""
        hidden_ND, target_N = self.model._supervised(batch, rng)
        loss = self.model._loss(batch, hidden_ND, target_N, self.negatives, rng)
        return loss, len(target_N)

    def validate(self) -> dict[str, float]:
        """Return HR@20, MRR and the loss on the left-out items."""
        return self.validation.figures(self.model)
