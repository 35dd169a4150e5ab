"""How far a planner's figures depend on its seed: a random tree is not one planner but many."""

from typing import TYPE_CHECKING, Any

import numpy as np

from influpath.evaluation import summarise
from influpath.experiments.dial_choice import rounded

if TYPE_CHECKING:
    from influpath.experiments.run import Run


def spread_over_seeds(run: "Run") -> dict[str, Any]:
    """Plan and judge with every seed of ``spread_seeds``, on all report pairs.

    Returns:
        Planner -> ``seeds``, and for each metric the ``mean`` and standard deviation ``sd`` over
        the seeds of the planner's means, which are ``by_seed``.
    """
    found = {}
    for label, seeds in run.config.spread_seeds.items():
        means = []
        for seed in seeds:
            dials = {**run.dials_of(label), "seed": seed}
            judgement = run.judged(label, run.report_pairs, dials, run.judge)
            means.append(summarise({label: judgement}, run.config.seed).means(label))
        found[label] = {"seeds": list(seeds), **spread_of(means)}
    return found


def spread_of(means: list[dict[str, float]]) -> dict[str, Any]:
    """Return each metric's mean and standard deviation over seeds, and its value for each."""
    result = {}
    for metric in means[0]:
        values = np.array([row[metric] for row in means])
        spread = float(values.std(ddof=1)) if len(values) > 1 else np.nan
        by_seed = [None if np.isnan(value) else round(float(value), 6) for value in values]
        result[metric] = {**rounded({"mean": values.mean(), "sd": spread}), "by_seed": by_seed}
    return result
