"""Whether a planner shows what the user already knows."""

from influpath.evaluation.judging import FloatArray, Judgement


def repeat_rate(judgement: Judgement) -> FloatArray:
    """Return the share of path items in the history or earlier in the path: float64 [P].

    NaN for an empty path.
    """
    return judgement.mean_over_path(judgement.repeated)
