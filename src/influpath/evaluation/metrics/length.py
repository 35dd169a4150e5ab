"""The number of items shown."""

from influpath.evaluation.judging import FloatArray, Judgement


def length(judgement: Judgement) -> FloatArray:
    """Return the path's length, the objective included: float64 [P]; 0 for an empty path."""
    return judgement.lengths.astype(float)
