"""The least acceptable step of a path."""

from influpath.evaluation.judging import FloatArray, Judgement


def worst_step(judgement: Judgement) -> FloatArray:
    """Return the largest -log P(i_k | s_h + i_<k) of a path: float64 [P], in nats.

    A path is as smooth as its worst step.  NaN for an empty path.
    """
    return judgement.largest_over_path(-judgement.item_log_probs)
