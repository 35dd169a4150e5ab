"""How many of the shown items the user would have picked from a short list."""

from influpath.evaluation.judging import FloatArray, Judgement


def acceptance(judgement: Judgement, k: int = 20) -> FloatArray:
    """Return the share of path items in the judge's top ``k`` when shown: float64 [P].

    NaN for an empty path.
    """
    return judgement.mean_over_path(judgement.item_ranks <= k)
