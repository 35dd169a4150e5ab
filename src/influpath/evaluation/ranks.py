"""Ranks by full ranking over the catalogue, seen items left out: never sampled.

Shape suffixes: R rows, I catalogue items (column c is item number c + 1).
"""

import numpy as np
from torch import Tensor

from influpath.data.sequences import IntArray, Sequences
from influpath.errors import ResultError
from influpath.recommenders.ranking import target_ranks


def ranks_from_scores(scores_RI: Tensor, left_out: Sequences, targets_R: IntArray) -> IntArray:
    """Rank each row's target; every rank of the evaluation is computed here.

    The rank is one more than the number of strictly better items, so an item never loses to
    items it ties with.  The target takes part even where it is itself among the items left out.

    Args:
        scores_RI: Scores of every item on any monotone scale, [R, I].
        left_out: Items that do not take part, one row each, in any order, repeats allowed.
        targets_R: Item numbers 1..I, int64 [R].

    Returns:
        int64 [R], 1 is best.

    Raises:
        ResultError: A target's score is not a number, which would otherwise rank first.
    """
    scores_RI = scores_RI.detach().cpu()
    if not (len(scores_RI) == len(left_out) == len(targets_R)):
        raise ValueError("scores, items left out and targets differ in length")
    picked = scores_RI.numpy()[np.arange(len(targets_R)), np.asarray(targets_R) - 1]
    if np.isnan(picked).any():
        raise ResultError(
            f"{int(np.isnan(picked).sum())} of {len(picked)} scores are not a number: the model "
            "is damaged or its training diverged; train it again."
        )
    return target_ranks(scores_RI, left_out, targets_R)
