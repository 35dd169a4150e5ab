"""POP: every user is shown the most popular items (baseline POP of the paper, section IV-C).

P(i) = (n_i + a) / (N + a I), with n_i the item's training interactions, N all of them, I the
catalogue size and a the smoothing: additive, so that an item nobody has chosen yet is improbable,
not impossible.

Shape suffixes: I catalogue items.
"""

import time
from pathlib import Path
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from influpath.config import FrozenConfig
from influpath.data.dataset import Dataset
from influpath.data.sequences import IntArray, Sequences
from influpath.recommenders.base import Recommender
from influpath.recommenders.blocks import log_softmax
from influpath.recommenders.validation import Validation


class POPConfig(FrozenConfig):
    """The setting of POP.

    Attributes:
        smoothing: Interactions every item is credited with before counting (a).
    """

    smoothing: float = Field(default=1.0, gt=0)


class POP(Recommender):
    """Popularity, the same for every history; see the module docstring for the formula."""

    name: ClassVar[str] = "pop"
    config_class: ClassVar[type[FrozenConfig]] = POPConfig
    config: POPConfig
    log_share_I: Tensor

    def _fit(self, dataset: Dataset, checkpoint: Path | None) -> dict[str, Any]:
        """Count once without the validation items, for the figures of the history, then all."""
        began = time.monotonic()
        validation = Validation.of(dataset.sequences)
        self.log_share_I = self._counted(validation.train)
        figures = validation.figures(self)
        self.log_share_I = self._counted(dataset.sequences)
        return {
            "epochs": [{"epoch": 1.0, **figures}],
            "best_epoch": 1,
            "best": figures["hr@20"],
            "seconds": round(time.monotonic() - began, 1),
        }

    def _counted(self, sequences: Sequences) -> Tensor:
        counts_I = torch.as_tensor(sequences.counts(self.item_count)[1:])
        return log_softmax((counts_I + self.config.smoothing).double().log())

    def log_probs(self, histories: Sequences, users: IntArray | None = None) -> Tensor:
        """See ``Recommender.log_probs``; neither histories nor users play a part."""
        self.items  # noqa: B018 - raises where the model is not trained
        # Normalised again, since half precision rounds what was saved.
        return log_softmax(self.log_share_I).repeat(len(histories), 1)

    def _weights(self) -> dict[str, Tensor]:
        return {"log_share": self.log_share_I}

    def _restore(self, weights: dict[str, Tensor]) -> None:
        self.log_share_I = torch.empty(self.item_count).copy_(weights["log_share"])
