"""Full-catalogue ranking with seen items left out: never sampled.

Shape suffixes: R rows, I catalogue items (column c is item number c + 1).
"""

import numpy as np
import torch
from torch import Tensor

from influpath.data.sequences import IntArray, Sequences


def mask_seen(scores_RI: Tensor, histories: Sequences) -> Tensor:
    """Set the scores of each row's own items to -inf, in place, and return them."""
    rows = torch.from_numpy(histories.row_of_value)
    scores_RI[rows, torch.from_numpy(histories.values) - 1] = -torch.inf
    return scores_RI


def target_ranks(scores_RI: Tensor, histories: Sequences, targets_R: IntArray) -> IntArray:
    """Rank of each row's target among the items not in its history; 1 is best.

    The rank is one more than the number of strictly better items, so that ties are never held
    against the target.  The target itself always takes part, seen or not.

    Args:
        scores_RI: Scores of every item, any monotone scale, [R, I].
        histories: Items to leave out, one row each.
        targets_R: Item numbers 1..I.

    Returns:
        int64 [R].
    """
    targets = torch.from_numpy(np.asarray(targets_R, dtype=np.int64)) - 1
    target_R1 = scores_RI.gather(1, targets[:, None])
    masked_RI = mask_seen(scores_RI.clone(), histories)
    ranks: IntArray = ((masked_RI > target_R1).sum(1) + 1).numpy()
    return ranks
