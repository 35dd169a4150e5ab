"""Validation of next-item models: the last item of a fixed 10% of the users.

Shape suffixes: R validation users, C of them at a time, I catalogue items.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from influpath.data.sequences import IntArray, Sequences
from influpath.data.splits import validation_users
from influpath.parallel import in_threads
from influpath.recommenders.base import Recommender
from influpath.recommenders.ranking import target_ranks

# The same users validate every model, whatever its seed (design: "a fixed 10% of users").
VALIDATION_SEED = 0
# Users at a time, at most.
PART = 256


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

    def figures(self, model: Recommender) -> dict[str, float]:
        """Return HR@20, MRR and the loss of a model on the left-out items, by full ranking.

        Predictions are made and ranked a bounded number of rows at a time, the same number for any
        number of threads: what a training makes of them must not depend on that.
        """

        def part(start: int) -> tuple[IntArray, Tensor]:
            rows = np.arange(start, min(start + size, len(self.users_R)))
            histories, targets = self.histories.take(rows), self.targets_R[rows]
            log_probs_CI = model.log_probs(histories, self.users_R[rows])
            own_C1 = log_probs_CI.gather(1, torch.as_tensor(targets)[:, None] - 1)
            return target_ranks(log_probs_CI, histories, targets), own_C1

        size = min(PART, model.chunk_rows())
        starts = range(0, max(1, len(self.users_R)), size)
        # On an accelerator threads would not know of it.
        together = model.parallel and torch.get_default_device().type == "cpu"
        threads = torch.get_num_threads() if together else 1
        ranks, picked = zip(*in_threads(part, starts, threads, same=True), strict=True)
        ranks_R = np.concatenate(ranks)
        return {
            "hr@20": float((ranks_R <= 20).mean()),
            "mrr": float((1.0 / ranks_R).mean()),
            "validation_loss": float(-torch.cat(picked).mean()),
        }
