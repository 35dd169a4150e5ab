"""How much of the catalogue a planner uses."""

import numpy as np

from influpath.evaluation.judging import Judgement


def catalogue_coverage(judgement: Judgement) -> float:
    """Return the share of catalogue items that occur in any path.

    One number for all pairs together; it grows with their count, so compare it on equal pairs.
    """
    return len(np.unique(judgement.paths.values)) / judgement.item_count
