"""Increment of rank IoR_M (paper formula 13)."""

from influpath.evaluation.judging import FloatArray, Judgement


def increment_of_rank(judgement: Judgement) -> FloatArray:
    """Return the objective's rank before the path minus its rank after: float64 [P].

    s_p is taken without the objective, and both ranks leave out the history and all of s_p, so
    that only better scores raise it.
    """
    rank_Q = judgement.objective_ranks
    return (rank_Q[judgement.before] - rank_Q[judgement.influenced]).astype(float)
