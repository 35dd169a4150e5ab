"""Increase of interest IoI_M (paper formula 12)."""

from influpath.evaluation.judging import FloatArray, Judgement


def increase_of_interest(judgement: Judgement) -> FloatArray:
    """Return log P(i_t | s_h + s_p) - log P(i_t | s_h), in nats: float64 [P].

    s_p is taken without the objective: showing an item is no influence on the wish for it.  So
    it is 0 for a path that shows the objective at once, and for an empty path.
    """
    log_prob_Q = judgement.objective_log_probs
    return log_prob_Q[judgement.influenced] - log_prob_Q[judgement.before]
