"""Reading on: what a recommender says after each of the items that follow one by one.

A planner asks after every step.  The plain reader reads everything again each time; a model that
can go on from what it has read before brings a reader of its own (``Recommender.reader``).

Shape suffixes: B rows, K candidates, I catalogue items, D vector size.
"""

from typing import TYPE_CHECKING, Self

import numpy as np
from torch import Tensor

from influpath.data.sequences import IntArray, Sequences

if TYPE_CHECKING:
    from influpath.recommenders.base import Recommender


class Reader:
    """Reads rows of items and answers about what comes next; reads them anew for every answer.

    Args:
        model: The recommender.
        histories: What is known at first, one row each.
        users: User rows, -1 where unknown; None for all unknown.
    """

    def __init__(
        self, model: "Recommender", histories: Sequences, users: IntArray | None = None
    ) -> None:
        self.model = model
        self.known = histories
        self.users = users

    def append(self, items_B: IntArray) -> None:
        """Read one more item of each row; 0 reads nothing in its row."""
        self.known = self.known.append(items_B)

    def keep(self, rows: IntArray) -> None:
        """Keep some rows, in the given order."""
        self.known = self.known.take(rows)
        self.users = None if self.users is None else self.users[rows]

    def replace(self, rows: IntArray, other: Self) -> None:
        """Replace rows by those of another reader of the same model, in order.

        Args:
            rows: Which rows, each once.
            other: What stands there from now on; both know their users, or neither does.
        """
        order = np.arange(len(self.known))
        order[rows] = len(order) + np.arange(len(rows))
        self.known = self.known.followed_by(other.known).take(order)
        if self.users is not None and other.users is not None:
            self.users = np.concatenate([self.users, other.users])[order]

    def log_probs(self) -> Tensor:
        """Return log P(i | s), [B, I]; see ``Recommender.log_probs``."""
        return self.model.log_probs(self.known, self.users)

    def user_vectors(self) -> Tensor | None:
        """Return the user vectors, [B, D]; see ``Recommender.user_vectors``."""
        return self.model.user_vectors(self.known, self.users)

    def log_prob_after(self, candidates_BK: IntArray, targets_B: IntArray) -> Tensor:
        """Return log P(target | s + candidate), [B, K]; see ``Recommender.log_prob_after``."""
        return self.model.log_prob_after(self.known, candidates_BK, targets_B, self.users)

    def user_vectors_after(self, candidates_BK: IntArray) -> Tensor | None:
        """Return the user vectors after s + candidate, [B, K, D]."""
        return self.model.user_vectors_after(self.known, candidates_BK, self.users)
