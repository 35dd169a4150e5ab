"""What BPR and TransRec share: training on pairs of a chosen item and one not chosen.

Both models score item j by a linear form, x_j = q . w_j + b_j, where the query q depends on the
user and the item before.  So both can be trained by the pairwise loss of their papers (a chosen
item against a sampled one) and by the softmax over the whole catalogue.

Departures of the training from both papers, each for a reason: Adam on batches instead of
stochastic gradient ascent by single examples, and every interaction once per epoch in random order
instead of drawn with replacement (both for speed: whole batches are one matrix operation); early
stop by validation HR@20 as for every model here.

Shape suffixes: B batch, D width, R rows, N interactions, I catalogue items.
"""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from influpath.config import FrozenConfig
from influpath.data.dataset import Dataset
from influpath.data.sequences import IntArray, Sequences
from influpath.recommenders.base import Recommender
from influpath.recommenders.blocks import log_softmax
from influpath.recommenders.validation import Validation
from influpath.training.fused_loss import fused_cross_entropy
from influpath.training.loop import Task, TrainingConfig, seeded, train
from influpath.training.negatives import Negatives


class PairwiseTraining(TrainingConfig):
    """How BPR and TransRec are trained; see ``TrainingConfig`` for the other settings.

    Attributes:
        epochs: Passes over the interactions at most; one takes 2 to 3 s on ML-1M.
        learning_rate: Adam's starting rate: high, since every step touches each factor little.
    """

    epochs: int = Field(default=30, ge=1)
    learning_rate: float = Field(default=5e-3, gt=0)


class PairwiseConfig(FrozenConfig):
    """Settings that BPR and TransRec share.

    Attributes:
        embedding_size: Width D.
        loss: "bpr" is the papers' pairwise loss, -ln sigmoid(x_i - x_j), against one item j drawn
            anew each epoch among those the user has not interacted with; "softmax" is the
            cross-entropy over the whole catalogue.
        regularisation: L2 weight of every factor that an example touches.
        batch_size: Examples of a training step.
        seed: Initial weights, training order and sampled items.
        training: Optimizer, schedule, stopping.
    """

    embedding_size: int = Field(default=64, ge=1)
    loss: Literal["bpr", "softmax"] = "bpr"
    regularisation: float = Field(default=1e-3, ge=0)
    batch_size: int = Field(default=4096, ge=1)
    seed: int = 0
    training: PairwiseTraining = PairwiseTraining()

    @model_validator(mode="after")
    def _whole_softmax(self) -> "PairwiseConfig":
        if self.training.softmax_sample:
            raise ValueError("training.softmax_sample is not for BPR and TransRec")
        return self


class Batch(NamedTuple):
    """Training examples.

    Attributes:
        users_B: User rows.
        previous_B: Number of the item before, 0 before a user's first item.
        items_B: Number of the item chosen.
        unseen_B: Number of an item the user has not interacted with; None for the softmax.
    """

    users_B: Tensor
    previous_B: Tensor
    items_B: Tensor
    unseen_B: Tensor | None


class PairwiseNetwork(nn.Module, ABC):
    """The factors of a model and the linear form that they make."""

    @abstractmethod
    def query(self, users_B: Tensor, previous_B: Tensor) -> Tensor:
        """Return q [B, D] of users after the item before (numbers as in ``Batch``)."""

    @abstractmethod
    def output(self) -> tuple[Tensor, Tensor]:
        """Return w [I, D] and b [I]."""

    @abstractmethod
    def penalty(self, batch: Batch) -> Tensor:
        """Return the sum of squares of the factors each example touches, [B]."""

    def project(self) -> None:
        """Bring the factors back to where the model wants them, in place."""


class PairwiseRecommender(Recommender):
    """A model with a linear form, trained by ``PairwiseTask``."""

    config: PairwiseConfig
    module: PairwiseNetwork

    @abstractmethod
    def _build(self) -> PairwiseNetwork:
        """Make the network; ``items`` and ``users`` are known."""

    @abstractmethod
    def _query(self, histories: Sequences, users_R: IntArray) -> Tensor:
        """Return q after each history, [R, D]; users are -1 where unknown."""

    def _fit(self, dataset: Dataset, checkpoint: Path | None) -> dict[str, Any]:
        with seeded(self.config.seed, 0):
            self.module = self._build()
        identity = {
            "kind": self.name,
            "config": self.config.model_dump(mode="json"),
            "data": dataset.fingerprint,
        }
        task = PairwiseTask(self, dataset)
        history = train(task, self.config.training, self.config.seed, checkpoint, identity)
        return history.to_dict()

    def log_probs(self, histories: Sequences, users: IntArray | None = None) -> Tensor:
        """See ``Recommender.log_probs``; users are rows of the model's own user map."""
        query_RD = self.user_vectors(histories, users)
        with torch.no_grad():
            weight_ID, bias_I = self.module.output()
            return log_softmax(F.linear(query_RD, weight_ID, bias_I))

    def item_vectors(self) -> Tensor:
        """Return the item embeddings w, [I, D]."""
        self.items  # noqa: B018 - raises where the model is not trained
        return self.module.output()[0].detach()

    def user_vectors(self, histories: Sequences, users: IntArray | None = None) -> Tensor:
        """Return q, whose products with ``item_vectors`` are scores up to a bias of the item."""
        self.items  # noqa: B018 - raises where the model is not trained
        users_R = np.full(len(histories), -1, dtype=np.int64) if users is None else users
        # Not inference_mode: callers may change the result in place.
        with torch.no_grad():
            return self._query(histories, users_R)

    def _weights(self) -> dict[str, Tensor]:
        return dict(self.module.state_dict())

    def _restore(self, weights: dict[str, Tensor]) -> None:
        self.module = self._build()
        self.module.load_state_dict(weights)


class PairwiseTask(Task):
    """Train on every interaction but those that validate; validate by HR@20.

    Users who have interacted with the whole catalogue have no item to compare theirs with: the loss
    "bpr" leaves them out.
    """

    module: PairwiseNetwork
    criterion = "hr@20"
    higher_is_better = True

    def __init__(self, model: PairwiseRecommender, dataset: Dataset) -> None:
        self.model, self.module, self.label = model, model.module, model.name
        self.validation = Validation.of(dataset.sequences)
        sequences = self.validation.train
        users_N, items_N = sequences.row_of_value, sequences.values
        previous_N = np.zeros_like(items_N)
        follows = np.flatnonzero(users_N[1:] == users_N[:-1]) + 1
        previous_N[follows] = items_N[follows - 1]
        self.users_N, self.previous_N, self.items_N = users_N, previous_N, items_N
        self.negatives = Negatives(sequences, model.item_count)

    def batches(self, rng: np.random.Generator) -> list[Batch]:
        """Return every interaction once, in random order, with an item drawn anew for each."""
        columns = [self.users_N, self.previous_N, self.items_N]
        sampled = self.model.config.loss == "bpr"
        if sampled:
            # Drawn in the order of the users, where the binary searches stay in the cache.
            unseen_N = self.negatives.unseen(self.users_N, 1, rng)[:, 0]
            columns = [column[unseen_N > 0] for column in (*columns, unseen_N)]
        if not len(columns[0]):
            # Whoever had every item can compare none; an empty split is one empty batch.
            return []
        order = torch.as_tensor(rng.permutation(len(columns[0])))
        size = self.model.config.batch_size
        parts = [torch.split(torch.as_tensor(column)[order], size) for column in columns]
        unseen = parts[3] if sampled else [None] * len(parts[0])
        return [Batch(*fields) for fields in zip(*parts[:3], unseen, strict=True)]

    def loss(self, batch: Batch, rng: np.random.Generator) -> tuple[Tensor, int]:
        """Return the mean loss with its regularisation."""
        # Before a batch instead of after the step, which is the same: nothing looks in between.
        self.module.project()
        query_BD = self.module.query(batch.users_B, batch.previous_B)
        weight_ID, bias_I = self.module.output()
        if batch.unseen_B is None:
            loss = fused_cross_entropy(query_BD, weight_ID, batch.items_B - 1, bias_I)
        else:
            loss = pairwise_loss(query_BD, weight_ID, bias_I, batch.items_B, batch.unseen_B)
        if self.model.config.regularisation > 0:
            loss = loss + self.model.config.regularisation * self.module.penalty(batch).mean()
        return loss, len(batch.items_B)

    def validate(self) -> dict[str, float]:
        """Return HR@20, MRR and the loss over the catalogue on the left-out items."""
        self.module.project()
        return self.validation.figures(self.model)


def pairwise_loss(
    query_BD: Tensor, weight_ID: Tensor, bias_I: Tensor, items_B: Tensor, unseen_B: Tensor
) -> Tensor:
    """Return the mean of -ln sigmoid(x_i - x_j), formula of BPR-Opt (Rendle et al., section 4.1).

    Args:
        query_BD: q.
        weight_ID: w.
        bias_I: b.
        items_B: Numbers of the items chosen.
        unseen_B: Numbers of the items not chosen.
    """
    better_BD, worse_BD = (F.embedding(items - 1, weight_ID) for items in (items_B, unseen_B))
    margin_B = (query_BD * (better_BD - worse_BD)).sum(1)
    margin_B = margin_B + bias_I[items_B - 1] - bias_I[unseen_B - 1]
    return -F.logsigmoid(margin_B).mean()


def squares(rows_BD: Tensor) -> Tensor:
    """Return the sum of squares of each row, [B]."""
    return rows_BD.square().sum(-1)
