"""Items drawn as negatives: uniformly among the unseen, in proportion to popularity, or as a sample
of the catalogue that stands for the whole of it.

Shape suffixes: N positions, K negatives of each, or of a sample, I catalogue items, U users.
"""

from functools import cached_property

import numpy as np
import numpy.typing as npt

from influpath.data.sequences import IntArray, Sequences, count_up

FloatArray = npt.NDArray[np.float64]


class Negatives:
    """Draws negatives for the users of the training sequences; tables are made when first used.

    Args:
        sequences: What is trained on, one row per user.
        items: Catalogue size I.
    """

    def __init__(self, sequences: Sequences, items: int) -> None:
        self.sequences = sequences
        self.items = items
        self._samples: dict[int, tuple[FloatArray, FloatArray]] = {}

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

    def sample(self, count: int, rng: np.random.Generator) -> tuple[IntArray, FloatArray]:
        """Draw a sample of the catalogue without replacement.

        Systematic sampling (Madow, 1949): the shares of the items lie one after the other on a line
        of length K, and those at u, u + 1, u + 2, ... are drawn, u random in [0, 1).  So an item of
        share q is drawn with probability q exactly, at most once, and a draw costs no more than K
        binary searches.

        Args:
            count: K; from I on, the sample is the catalogue.
            rng: Source of the draw.

        Returns:
            Item numbers in ascending order [K], and the probability of each to be drawn [K].
        """
        count = min(count, self.items)
        if count not in self._samples:
            # Popular items make up most of a softmax; those without interactions must be met too.
            share_I = shares(self._support_I + 1, count)
            self._samples[count] = share_I, np.cumsum(share_I)
        share_I, ends_I = self._samples[count]
        drawn_K = np.searchsorted(ends_I, rng.random() + np.arange(count), side="right")
        # Rounding could bring two points into one item, or the last one behind all items.
        drawn_K = np.unique(np.minimum(drawn_K, self.items - 1))
        return drawn_K + 1, share_I[drawn_K]

    @cached_property
    def _support_I(self) -> FloatArray:
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


def shares(weight_I: FloatArray, count: int) -> FloatArray:
    """Return probabilities to be in a sample: in proportion to weights, at most 1.

    Args:
        weight_I: Positive weights.
        count: Size of the sample, at most I, which is what they sum to.
    """
    falling_I = np.sort(weight_I)[::-1]
    # With the m heaviest items certain, the others share what is left in proportion.
    rest_I = np.cumsum(falling_I[::-1])[::-1]
    factor_I = (count - np.arange(len(weight_I))) / rest_I
    certain = int(np.argmax(factor_I * falling_I <= 1 + 1e-12))
    result: FloatArray = np.minimum(weight_I * factor_I[certain], 1.0)
    return result
