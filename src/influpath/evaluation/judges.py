"""The same paths before several judges: a table per judge, and the worst and mean over them.

A finding that only one judge sees is a finding about that judge.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
from rich.table import Table

from influpath.data.dataset import Dataset
from influpath.errors import ResultError
from influpath.evaluation.intervals import RESAMPLES
from influpath.evaluation.metrics import METRICS
from influpath.evaluation.path_rows import PlannedPaths
from influpath.evaluation.table import Evaluation, evaluate, rendered
from influpath.recommenders.base import Recommender


@dataclass(frozen=True)
class AcrossJudges:
    """One metric of one planner over all judges.

    Attributes:
        mean: Mean of the judges' means; NaN where no judge defines the metric.
        worst: The least favourable of them; NaN for a metric without a better direction.
        worst_judge: Whose it is; "" where there is none.
    """

    mean: float
    worst: float
    worst_judge: str

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers for JSON; None for NaN."""
        return {
            "mean": None if math.isnan(self.mean) else self.mean,
            "worst": None if math.isnan(self.worst) else self.worst,
            "worst_judge": self.worst_judge or None,
        }


@dataclass(frozen=True, eq=False)
class JudgesEvaluation:
    """Metrics of planners on the same pairs under several judges.

    Attributes:
        by_judge: Judge -> its evaluation.
    """

    by_judge: dict[str, Evaluation]

    def across(self) -> dict[str, dict[str, AcrossJudges]]:
        """Return planner -> metric -> mean and worst case over the judges that rated it."""
        planners = dict.fromkeys(p for each in self.by_judge.values() for p in each.intervals)
        return {
            planner: {
                metric: across_judges(
                    {
                        judge: each.intervals[planner][metric].mean
                        for judge, each in self.by_judge.items()
                        if planner in each.intervals
                    },
                    about.higher_is_better,
                )
                for metric, about in METRICS.items()
            }
            for planner in planners
        }

    def to_dict(self) -> dict[str, Any]:
        """Return ``judges.<name>`` (as ``Evaluation.to_dict``) and ``across_judges``."""
        return {
            "judges": {judge: each.to_dict() for judge, each in self.by_judge.items()},
            "across_judges": {
                planner: {metric: at.to_dict() for metric, at in row.items()}
                for planner, row in self.across().items()
            },
        }

    def text(self, width: int = 120) -> str:
        """Return a text table per judge, then the worst and mean over them."""
        parts = [each.text(width) for each in self.by_judge.values()]
        return "".join([*parts, rendered([self._across_table()], width)])

    def _across_table(self) -> Table:
        rows = self.across()
        table = Table(
            title=f"over {len(self.by_judge)} judges: the worst (whose) and the mean",
            title_justify="left",
        )
        table.add_column("metric", no_wrap=True)
        for planner in rows:
            table.add_column(planner, justify="right")
        for metric in METRICS:
            table.add_row(metric, *(_cell(row[metric]) for row in rows.values()))
        return table


def across_judges(means: Mapping[str, float], higher_is_better: bool | None) -> AcrossJudges:
    """Return mean and worst case of one metric.

    Args:
        means: Judge -> the metric's mean, NaN where the judge leaves it undefined.
        higher_is_better: None where neither direction is better.
    """
    defined = {judge: mean for judge, mean in means.items() if not math.isnan(mean)}
    if not defined:
        return AcrossJudges(math.nan, math.nan, "")
    mean = math.fsum(defined.values()) / len(defined)
    if higher_is_better is None:
        return AcrossJudges(mean, math.nan, "")
    worst_judge = (min if higher_is_better else max)(defined, key=defined.__getitem__)
    return AcrossJudges(mean, defined[worst_judge], worst_judge)


def evaluate_judges(
    judges: Mapping[str, Recommender],
    pairs: pl.DataFrame,
    paths_by_planner: Mapping[str, PlannedPaths] | PlannedPaths,
    train: Dataset,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> JudgesEvaluation:
    """Let several judges rate planners' paths on the same pairs.

    Args:
        judges: Name -> independent recommender.
        pairs: As in ``evaluate``.
        paths_by_planner: As in ``evaluate``.
        train: The histories s_h.
        seed: Decides the bootstrap.
        resamples: Number of bootstrap resamples.

    Raises:
        ResultError: There is no judge; or as ``judge_paths`` raises.
    """
    if not judges:
        raise ResultError("no judge was given to evaluate with.")
    return JudgesEvaluation(
        {
            name: evaluate(judge, pairs, paths_by_planner, train, seed, resamples)
            for name, judge in judges.items()
        }
    )


def _cell(at: AcrossJudges) -> str:
    if math.isnan(at.mean):
        return "-"
    digits = 1 if abs(at.mean) >= 100 else 3
    mean = f"{at.mean:.{digits}f}"
    return mean if math.isnan(at.worst) else f"{at.worst:.{digits}f} ({at.worst_judge}), {mean}"
