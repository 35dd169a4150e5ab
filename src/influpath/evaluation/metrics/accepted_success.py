"""The success that cannot be faked: the objective is shown while the user would accept it."""

import numpy as np

from influpath.evaluation.judging import FloatArray, Judgement


def accepted_success(judgement: Judgement, k: int = 20) -> FloatArray:
    """Return 1 where the objective is shown while in the judge's top ``k``, else 0: float64 [P]."""
    result = np.zeros(len(judgement))
    last_N = judgement.paths.offsets[1:][judgement.reached] - 1
    result[judgement.reached] = judgement.item_ranks[last_N] <= k
    return result
