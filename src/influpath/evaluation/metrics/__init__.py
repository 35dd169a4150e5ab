"""The metrics, one small file each: a Judgement in, one number per pair out.

A number is NaN where the metric is undefined for the pair.  ``METRICS`` names them as result
files and tables do, in the order of the tables.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from influpath.evaluation.judging import FloatArray, Judgement
from influpath.evaluation.metrics.acceptance import acceptance
from influpath.evaluation.metrics.accepted_success import accepted_success
from influpath.evaluation.metrics.arrival import arrival
from influpath.evaluation.metrics.catalogue_coverage import catalogue_coverage
from influpath.evaluation.metrics.increase_of_interest import increase_of_interest
from influpath.evaluation.metrics.increment_of_rank import increment_of_rank
from influpath.evaluation.metrics.length import length
from influpath.evaluation.metrics.log_perplexity import log_perplexity
from influpath.evaluation.metrics.repeat_rate import repeat_rate
from influpath.evaluation.metrics.success_rate import success_rate
from influpath.evaluation.metrics.worst_step import worst_step


class Metric(NamedTuple):
    """A metric as tables need it.

    Attributes:
        function: Judgement -> float64 [P].
        description: What it says, in plain words.
        higher_is_better: None where neither direction is better.
    """

    function: Callable[[Judgement], FloatArray]
    description: str
    higher_is_better: bool | None


METRICS: dict[str, Metric] = {
    "sr": Metric(success_rate, "share of paths that show the objective", True),
    "accepted_sr@20": Metric(
        partial(accepted_success, k=20),
        "share of paths that show the objective while it is among the judge's top 20",
        True,
    ),
    "accepted_sr@100": Metric(
        partial(accepted_success, k=100),
        "share of paths that show the objective while it is among the judge's top 100",
        True,
    ),
    "ioi": Metric(
        increase_of_interest,
        "growth of the log-probability of the objective over the path, before it is shown",
        True,
    ),
    "ior": Metric(
        increment_of_rank, "places the objective climbs over the path, before it is shown", True
    ),
    "log_ppl": Metric(
        log_perplexity, "mean surprise of the path items in nats: low is smooth", False
    ),
    "worst_step": Metric(worst_step, "surprise of the least acceptable path item in nats", False),
    "acceptance@20": Metric(
        partial(acceptance, k=20),
        "share of path items among the judge's top 20 when they are shown",
        True,
    ),
    "arrival@20": Metric(
        partial(arrival, k=20),
        "share of paths that bring the objective into the judge's top 20, shown or not",
        True,
    ),
    "length": Metric(length, "items shown, the objective included", None),
    "repeat_rate": Metric(repeat_rate, "share of path items in the history or shown before", False),
}

__all__ = [
    "METRICS",
    "Metric",
    "acceptance",
    "accepted_success",
    "arrival",
    "catalogue_coverage",
    "increase_of_interest",
    "increment_of_rank",
    "length",
    "log_perplexity",
    "repeat_rate",
    "success_rate",
    "worst_step",
]
