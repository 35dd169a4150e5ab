"""Items drawn as negatives: uniformly among the unseen, or in proportion to their popularity.

Shape suffixes: N positions, K negatives of each, I catalogue items, U users.
"""

from functools import cached_property

import numpy as np
import numpy.typing as npt

from influpath.data.sequences import IntArray, Sequences, count_up


class Negatives:
    """Draws negatives for the users of the training sequences; tables are made when first used.

    Args:
        sequences: What is trained on, one row per user.
        items: Catalogue size I.
    """

    def __init__(self, sequences: Sequences, items: int) -> None:
        self.sequences = sequences
        self.items = items

    def unseen(self, users_N: IntArray, count: int, rng: np.random.Generator) -> IntArray:
        """Draw uniformly, with replacement, among the items a user never had in training.

        Args:
            users_N: Row of the sequences, for each position.
            count: K, the negatives of each position.
            rng: Source of the draws.

        Returns:
            Item numbers [N, K]; 0 where the user has had every item.
        """
        gaps, first_U, free_U = self._unseen_table
        free_N1 = free_U[users_N][:, None]
        # The d-th unseen item is found by counting the seen ones before it: nothing is redrawn.
        d_NK = rng.integers(0, np.maximum(free_N1, 1), size=(len(users_N), count))
        key_NK = users_N[:, None] * (self.items + 1) + d_NK
        passed_NK = np.searchsorted(gaps, key_NK, side="right") - first_U[users_N][:, None]
        drawn_NK: IntArray = np.where(free_N1 > 0, d_NK + 1 + passed_NK, 0)
        return drawn_NK

    def popular(self, shape: tuple[int, ...], alpha: float, rng: np.random.Generator) -> IntArray:
        """Draw items with probability in proportion to support ** alpha.

        Args:
            shape: Shape of the result.
            alpha: 0 is uniform over the catalogue, 1 is popularity.
            rng: Source of the draws.

        Returns:
            Item numbers 1..I.
        """
        ends_I = np.cumsum(self._support_I**alpha)
        drawn = np.searchsorted(ends_I, rng.random(shape) * ends_I[-1], side="right")
        numbers: IntArray = np.minimum(drawn, self.items - 1) + 1
        return numbers

    @cached_property
    def _support_I(self) -> npt.NDArray[np.float64]:
        """Interactions of each item."""
        return self.sequences.counts(self.items)[1:].astype(np.float64)

    @cached_property
    def _unseen_table(self) -> tuple[IntArray, IntArray, IntArray]:
        """For every user's seen items in ascending order, how many unseen ones come before.

        Returns:
            user * (I + 1) + unseen items before (ascending, flat), the place where each user's
            entries begin [U], and the number of unseen items of each user [U].
        """
        base = self.items + 1
        seen = np.unique(self.sequences.row_of_value * base + self.sequences.values)
        user = seen // base
        count_U = np.bincount(user, minlength=len(self.sequences))
        gaps = user * base + seen % base - 1 - count_up(count_U)
        return gaps, np.cumsum(count_U) - count_U, self.items - count_U
