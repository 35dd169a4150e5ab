"""The truth of the simulated world in the place of a judge: its P(i | s) is the true one.

It tells what a metric misses from what a learnt judge gets wrong.  Nothing is trained, and nothing
is saved.
"""

from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from influpath.config import FrozenConfig
from influpath.data.dataset import Dataset
from influpath.data.sequences import IntArray, Sequences
from influpath.errors import ConfigError
from influpath.recommenders.base import Recommender
from influpath.simulation.truth_users import TruthUserModel


class NoSettings(FrozenConfig):
    """The truth has no settings."""


class TruthJudge(Recommender):
    """Says how probable each item is next, after any history, in truth.

    Args:
        users: The true users.
    """

    name: ClassVar[str] = "truth"
    config_class: ClassVar[type[FrozenConfig]] = NoSettings

    def __init__(self, users: TruthUserModel) -> None:
        super().__init__(NoSettings())
        self.true_users = users
        self._items, self._users = users.items, users.users

    def log_probs(self, histories: Sequences, users: IntArray | None = None) -> Tensor:
        """Return the logarithm of the distribution that the log was drawn from, unmasked."""
        truth = self.true_users.truth
        return torch.from_numpy(truth.next_item(truth.state(histories, users))).log().float()

    def _fit(self, dataset: Dataset, checkpoint: Path | None) -> dict[str, Any]:
        raise ConfigError("the truth is known and not trained.")

    def _weights(self) -> dict[str, Tensor]:
        raise ConfigError("the truth belongs to its world and is not saved.")

    def _restore(self, weights: dict[str, Tensor]) -> None:
        raise ConfigError("the truth belongs to its world and is not read.")
