"""Strata of pairs: for whom, and to which objectives, a planner's mean holds.

A mean over all pairs may come from easy ones alone.  Pairs are put into strata by one number each,
that no planner has a say in: how popular the objective is, where the judge ranks it before the
path, how long the history is.

Shape suffixes: P pairs of the strata, E pairs of an evaluation, V values.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from influpath.data.dataset import Dataset
from influpath.data.sequences import IntArray
from influpath.errors import ResultError
from influpath.evaluation.intervals import RESAMPLES, Interval, bootstrap_means
from influpath.evaluation.pairs import MINIMUM_INTERACTIONS, encode_pairs
from influpath.evaluation.ranks import ranks_from_scores
from influpath.evaluation.table import Evaluation
from influpath.recommenders.base import Recommender

# Upper ends of the start ranks of the first two strata, where the catalogue is larger than that.
START_RANKS = (100, 1000)
# Pairs scored at once; does not change the result.
BATCH = 256


@dataclass(frozen=True, eq=False)
class Strata:
    """Pairs in strata by one whole number each.

    Attributes:
        quantity: What the number is.
        names: The strata's names, from the smallest numbers to the largest.
        edges: Largest number of each stratum but the last.
        pair_ids: int64 [P].
        place_P: The stratum of each pair, a place in ``names``.
    """

    quantity: str
    names: tuple[str, ...]
    edges: tuple[int, ...]
    pair_ids: IntArray
    place_P: IntArray

    @classmethod
    def cut(
        cls,
        quantity: str,
        names: Sequence[str],
        edges: Sequence[int],
        pair_ids: IntArray,
        value_P: IntArray,
    ) -> "Strata":
        """Put each pair into the first stratum whose edge is not below its number.

        Raises:
            ValueError: The edges do not ascend, or are not one fewer than the names.
        """
        if len(edges) != len(names) - 1 or list(edges) != sorted(edges):
            raise ValueError("edges must ascend, and be one fewer than the names")
        place_P = np.searchsorted(np.asarray(edges), value_P, side="left")
        return cls(quantity, tuple(names), tuple(map(int, edges)), pair_ids, place_P)

    def places(self, pair_ids: IntArray) -> IntArray:
        """Return the stratum of some of the pairs, in their order.

        Raises:
            ResultError: A pair is not among those of the strata.
        """
        order = np.argsort(self.pair_ids)
        at = np.searchsorted(self.pair_ids, pair_ids, sorter=order)
        found = order[np.minimum(at, len(order) - 1)] if len(order) else at
        if not len(order) or not np.array_equal(self.pair_ids[found], pair_ids):
            raise ResultError(f"strata by {self.quantity}: a pair to evaluate is in none of them.")
        places: IntArray = self.place_P[found]
        return places

    def limits(self, place: int) -> tuple[int | None, int | None]:
        """Return the smallest and largest number of a stratum; None where there is no limit."""
        low = self.edges[place - 1] + 1 if place else None
        high = self.edges[place] if place < len(self.edges) else None
        return low, high

    def to_dict(self) -> dict[str, Any]:
        """Return quantity, and the strata's names and limits, for JSON."""
        return {
            "quantity": self.quantity,
            "strata": [
                {"name": name, "from": self.limits(place)[0], "to": self.limits(place)[1]}
                for place, name in enumerate(self.names)
            ],
        }


@dataclass(frozen=True, eq=False)
class Stratum:
    """What holds in one stratum.

    Attributes:
        name: The stratum's.
        pairs: How many there are.
        intervals: Planner -> metric -> mean, 95% interval and count.
        differences: Other planner -> metric -> the first planner minus it, paired.
    """

    name: str
    pairs: int
    intervals: dict[str, dict[str, Interval]]
    differences: dict[str, dict[str, Interval]]

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers for JSON."""
        return {
            "n": self.pairs,
            "planners": jsonable(self.intervals),
            "differences": jsonable(self.differences),
        }


def stratify(
    evaluation: Evaluation,
    strata: Strata,
    metrics: Sequence[str],
    lead: str | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> list[Stratum]:
    """Compute metrics stratum by stratum, from what was computed for each pair.

    Args:
        evaluation: Planners on pairs that are all in the strata.
        strata: Where each pair belongs.
        metrics: Their names.
        lead: The planner that the others are compared with, if any.
        seed: Decides the bootstrap.
        resamples: Number of bootstrap resamples.

    Raises:
        ResultError: A pair is in no stratum.
    """
    place_E = strata.places(evaluation.pair_ids)
    values = {
        (planner, metric): evaluation.values[planner][metric]
        for planner in evaluation.values
        for metric in metrics
    }
    others = [planner for planner in evaluation.values if lead is not None and planner != lead]
    gaps = {
        (other, metric): values[str(lead), metric] - values[other, metric]
        for other in others
        for metric in metrics
    }
    table_EV = np.stack([*values.values(), *gaps.values()], axis=1)
    result = []
    for place, name in enumerate(strata.names):
        inside_E = place_E == place
        intervals = bootstrap_means(
            table_EV[inside_E], seed, resamples, evaluation.user_rows[inside_E]
        )
        found = dict(zip(values, intervals[: len(values)], strict=True))
        compared = dict(zip(gaps, intervals[len(values) :], strict=True))
        result.append(
            Stratum(
                name,
                int(inside_E.sum()),
                {label: {m: found[label, m] for m in metrics} for label in evaluation.values},
                {other: {m: compared[other, m] for m in metrics} for other in others},
            )
        )
    return result


def by_popularity(
    pairs: pl.DataFrame,
    dataset: Dataset,
    train: Dataset,
    minimum_interactions: int = MINIMUM_INTERACTIONS,
) -> Strata:
    """Return strata by the objective's interactions in the training data.

    The edges part the items that may be objectives into thirds; so a third of the objectives is
    expected in each stratum, fewer in the last, since users know popular items already.

    Args:
        pairs: Frame ``pair_id, user_id, objective_id``.
        dataset: The full data, which decides what may be an objective; see ``sample_pairs``.
        train: The histories, in which interactions are counted.
        minimum_interactions: An objective has at least this many interactions.
    """
    numbers = encode_pairs(pairs, train)
    eligible = np.flatnonzero(dataset.item_counts >= minimum_interactions)
    counts = train.item_counts
    return Strata.cut(
        "interactions of the objective",
        ("tail", "middle", "popular"),
        thirds(counts[eligible[eligible > 0]]),
        numbers.pair_ids,
        counts[numbers.objectives],
    )


def by_start_rank(pairs: pl.DataFrame, judge: Recommender, train: Dataset) -> Strata:
    """Return strata by where the judge ranks the objective before the path.

    Up to 100, up to 1,000 and beyond; in a catalogue of at most 1,000 items, thirds of the pairs.
    """
    ranks_P = start_ranks(pairs, judge, train)
    edges = START_RANKS if len(train.items) > START_RANKS[-1] else thirds(ranks_P)
    pair_ids = encode_pairs(pairs, train).pair_ids
    return Strata.cut(
        "rank of the objective before the path", ("near", "middle", "far"), edges, pair_ids, ranks_P
    )


def by_history_length(pairs: pl.DataFrame, train: Dataset) -> Strata:
    """Return strata by the number of items in the history: thirds of the pairs."""
    numbers = encode_pairs(pairs, train)
    lengths_P = train.sequences.lengths[numbers.user_rows]
    return Strata.cut(
        "items in the history",
        ("short", "middle", "long"),
        thirds(lengths_P),
        numbers.pair_ids,
        lengths_P,
    )


def start_ranks(pairs: pl.DataFrame, judge: Recommender, train: Dataset) -> IntArray:
    """Return the objective's rank before the path, the history left out: int64 [P], 1 is best."""
    numbers = encode_pairs(pairs, train)
    users_P = judge.users.encode(train.users.decode(numbers.user_rows), unknown="mark")
    ranks_P = np.zeros(len(numbers), dtype=np.int64)
    for start in range(0, len(numbers), BATCH):
        part = slice(start, start + BATCH)
        histories = train.sequences.take(numbers.user_rows[part])
        scores = judge.log_probs(histories, users_P[part])
        ranks_P[part] = ranks_from_scores(scores, histories, numbers.objectives[part])
    return ranks_P


def thirds(values: IntArray) -> tuple[int, int]:
    """Return the smallest values that at least one and two thirds of the values do not exceed."""
    if not len(values):
        return 0, 0
    first, second = np.quantile(values, (1 / 3, 2 / 3), method="inverted_cdf")
    return int(first), int(second)


def jsonable(rows: dict[str, dict[str, Interval]]) -> dict[str, dict[str, Any]]:
    """Return intervals for JSON."""
    return {
        name: {metric: interval.to_dict() for metric, interval in row.items()}
        for name, row in rows.items()
    }
