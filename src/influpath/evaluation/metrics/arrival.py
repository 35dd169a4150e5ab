"""Whether the path has made the objective acceptable, shown or not."""

from influpath.evaluation.judging import FloatArray, Judgement


def arrival(judgement: Judgement, k: int = 20) -> FloatArray:
    """Return 1 where the path ends with the objective in the judge's top ``k``: float64 [P].

    Tested just before the objective where it is shown, else after the last item.
    """
    return (judgement.objective_ranks[judgement.influenced] <= k).astype(float)
