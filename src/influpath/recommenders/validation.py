"""Validation of next-item models: the last item of a fixed 10% of the users.

Shape suffixes: R validation users, I catalogue items.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from influpath.data.sequences import IntArray, Sequences
from influpath.data.splits import validation_users
from influpath.recommenders.ranking import target_ranks

# The same users validate every model, whatever its seed (design: "a fixed 10% of users").
VALIDATION_SEED = 0


@dataclass(frozen=True, eq=False)
class Validation:
    """Training sequences without the items that validate.

    Attributes:
        train: Every user's sequence; that of a validation user lacks its last item.
        users_R: Rows of the validation users: those drawn that have more than one item.
        histories: Their training sequences, one row each.
        targets_R: The items left out of training, for these users and only for them.
    """

    train: Sequences
    users_R: IntArray
    histories: Sequences
    targets_R: IntArray

    @classmethod
    def of(cls, sequences: Sequences) -> "Validation":
        """Leave the last item of each validation user out."""
        rows = validation_users(len(sequences), VALIDATION_SEED)
        rows = rows[sequences.lengths[rows] > 1]
        held = np.zeros(len(sequences), dtype=np.int64)
        held[rows] = 1
        train = sequences.drop_last(held)
        return cls(train, rows, train.take(rows), sequences.take(rows).last())

    def figures(self, log_probs_RI: Tensor) -> dict[str, float]:
        """Return HR@20, MRR and the loss on the left-out items.

        Args:
            log_probs_RI: A model's prediction after each of ``histories``.
        """
        ranks = target_ranks(log_probs_RI, self.histories, self.targets_R)
        picked_R1 = log_probs_RI.gather(1, torch.from_numpy(self.targets_R)[:, None] - 1)
        return {
            "hr@20": float((ranks <= 20).mean()),
            "mrr": float((1.0 / ranks).mean()),
            "validation_loss": float(-picked_R1.mean()),
        }
