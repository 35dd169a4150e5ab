"""Next-item scores: HR@20 and MRR by full ranking (paper formula 18, Tables II and IV).

Shape suffixes: R rows (users), I catalogue items.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from influpath.data.sequences import IntArray, Sequences
from influpath.data.splits import Split
from influpath.errors import DataError, ResultError
from influpath.evaluation.intervals import RESAMPLES, Interval, bootstrap_mean
from influpath.evaluation.ranks import ranks_from_scores
from influpath.recommenders.base import Recommender

# Takes histories and the dataset's user rows [R]; returns scores [R, I] on any monotone scale.
Scorer = Callable[[Sequences, IntArray], Tensor]


def next_item_ranks(
    scorer: Recommender | Scorer,
    split: Split,
    users: npt.NDArray[Any] | None = None,
    batch_size: int = 256,
) -> IntArray:
    """Rank each user's held-out item i_q among the items not in the user's history.

    Args:
        scorer: A recommender, or a function such as a planner's scores for given objectives.
        split: Histories without i_q, and i_q.
        users: User rows [R]; by default all users with a held-out item.
        batch_size: Rows scored at once; does not change the result.

    Returns:
        int64 [R], 1 is best, in the order of ``users``.

    Raises:
        DataError: One of ``users`` has no held-out item.
        ResultError: The recommender was trained on another catalogue.
    """
    rows = np.flatnonzero(split.held_out) if users is None else np.asarray(users, dtype=np.int64)
    targets = split.held_out[rows]
    if (targets == 0).any():
        user = split.train.users.ids[rows[np.flatnonzero(targets == 0)[0]]]
        raise DataError(
            f"user {user!r} has a single interaction and so no held-out item; leave out such users."
        )
    score = as_scorer(scorer, split) if isinstance(scorer, Recommender) else scorer
    ranks = np.zeros(len(rows), dtype=np.int64)
    for start in range(0, len(rows), batch_size):
        part = slice(start, start + batch_size)
        histories = split.train.sequences.take(rows[part])
        ranks[part] = ranks_from_scores(score(histories, rows[part]), histories, targets[part])
    return ranks


def as_scorer(recommender: Recommender, split: Split) -> Scorer:
    """Return a recommender's log-probabilities as a function of the dataset's user rows."""
    if recommender.items != split.train.items:
        raise ResultError(
            f"{recommender.name} was trained on another catalogue than {split.train.name}; train "
            "it on this dataset."
        )
    known = recommender.users.encode(split.train.users.ids, unknown="mark")

    def score(histories: Sequences, users: IntArray) -> Tensor:
        return recommender.log_probs(histories, known[users])

    return score


def hit_rate(ranks: IntArray, k: int = 20, seed: int = 0, resamples: int = RESAMPLES) -> Interval:
    """Return HR@k, the share of users whose held-out item ranks in the top ``k``."""
    return bootstrap_mean(np.asarray(ranks) <= k, seed, resamples)


def mrr(ranks: IntArray, seed: int = 0, resamples: int = RESAMPLES) -> Interval:
    """Return the mean reciprocal rank of the held-out items."""
    return bootstrap_mean(1.0 / np.asarray(ranks), seed, resamples)


def next_item_values(ranks: IntArray) -> dict[str, npt.NDArray[np.float64]]:
    """Return what each user counts in the usual metrics: HR@10, HR@20, NDCG@10, MRR.

    Args:
        ranks: Rank of each user's only relevant item, 1 is best, int64 [R].
    """
    ranks = np.asarray(ranks, dtype=np.float64)
    return {
        "hr@10": (ranks <= 10).astype(np.float64),
        "hr@20": (ranks <= 20).astype(np.float64),
        # The ideal list has the one relevant item first, so that its gain is 1.
        "ndcg@10": np.where(ranks <= 10, 1.0 / np.log2(ranks + 1.0), 0.0),
        "mrr": 1.0 / ranks,
    }
