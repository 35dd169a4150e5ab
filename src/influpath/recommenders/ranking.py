"""Full-catalogue ranking with seen items left out: never sampled.

Shape suffixes: R rows, I catalogue items (column c is item number c + 1), C rows of one
chunk.
"""

import numpy as np
import torch
from torch import Tensor

from influpath.data.sequences import IntArray, Sequences

# Comparisons at once, so that they stay in the processor's cache.
CHUNK_BYTES = 2 << 20


def mask_seen(scores_RI: Tensor, histories: Sequences) -> Tensor:
    """Set the scores of each row's own items to -inf, in place, and return them."""
    rows = torch.as_tensor(histories.row_of_value)
    scores_RI[rows, torch.as_tensor(histories.values) - 1] = -torch.inf
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
    targets = torch.as_tensor(np.asarray(targets_R, dtype=np.int64)) - 1
    places = torch.as_tensor(seen_places(histories, scores_RI.shape[1]))
    bounds = histories.offsets
    ranks = torch.empty(len(scores_RI), dtype=torch.int64)
    size = max(1, CHUNK_BYTES // (4 * scores_RI.shape[1]))
    for start in range(0, len(scores_RI), size):
        rows = slice(start, min(start + size, len(scores_RI)))
        target_C1 = scores_RI[rows].gather(1, targets[rows, None])
        # Numbers rather than truth values, which torch is slow to write and to count.
        better_CI = torch.empty(scores_RI[rows].shape)
        torch.gt(scores_RI[rows], target_C1, out=better_CI)
        seen = places[bounds[rows.start] : bounds[rows.stop]] - start * scores_RI.shape[1]
        better_CI.view(-1).index_fill_(0, seen, 0.0)
        ranks[rows] = better_CI.sum(1).long() + 1
    result: IntArray = ranks.cpu().numpy()
    return result


def seen_places(histories: Sequences, items: int) -> IntArray:
    """Return where each row's items stand in a flattened table of all rows by all items."""
    return histories.row_of_value * items + histories.values - 1
