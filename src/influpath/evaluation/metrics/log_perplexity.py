"""Logarithm of the perplexity (paper formula 14, with the sign and scale of its table)."""

from influpath.evaluation.judging import FloatArray, Judgement


def log_perplexity(judgement: Judgement) -> FloatArray:
    """Return the mean of -log P(i_k | s_h + i_<k) over all path items: float64 [P], in nats.

    The objective is included.  NaN for an empty path.
    """
    return judgement.mean_over_path(-judgement.item_log_probs)
