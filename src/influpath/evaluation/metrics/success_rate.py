"""Success rate SR_M (paper formula 11)."""

from influpath.evaluation.judging import FloatArray, Judgement


def success_rate(judgement: Judgement) -> FloatArray:
    """Return 1 where the path shows the objective, else 0: float64 [P]."""
    return judgement.reached.astype(float)
