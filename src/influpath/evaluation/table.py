"""The table of a comparison: every planner, every metric, on the same pairs under one judge."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from influpath.data.dataset import Dataset
from influpath.data.sequences import IntArray
from influpath.errors import ResultError
from influpath.evaluation.intervals import RESAMPLES, Interval, bootstrap_means, paired_difference
from influpath.evaluation.judging import FloatArray, Judgement, judge_paths
from influpath.evaluation.metrics import METRICS, catalogue_coverage
from influpath.evaluation.path_rows import PlannedPaths
from influpath.recommenders.base import Recommender

# What a single Paths without a name is called.
UNNAMED = "planner"
# Widths of the text table's columns, in characters.
NAME_WIDTH, CELL_WIDTH = 17, 34


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Metrics of planners on the same pairs under one judge.

    Attributes:
        judge: The judge's name.
        pair_ids: Pair ids, int64 [P].
        user_rows: User rows, int64 [P].
        values: Planner -> metric -> one number per pair, float64 [P].
        intervals: Planner -> metric -> mean, 95% interval and count.
        coverage: Planner -> share of the catalogue its paths use.
    """

    judge: str
    pair_ids: IntArray
    user_rows: IntArray
    values: dict[str, dict[str, FloatArray]]
    intervals: dict[str, dict[str, Interval]]
    coverage: dict[str, float]

    def means(self, planner: str) -> dict[str, float]:
        """Return a planner's mean of each metric; NaN where no pair defines it."""
        return {name: interval.mean for name, interval in self.intervals[planner].items()}

    def difference(
        self, a: str, b: str, metric: str, seed: int = 0, resamples: int = RESAMPLES
    ) -> Interval:
        """Return planner ``a`` minus planner ``b`` in a metric, paired by pair."""
        return paired_difference(
            self.values[a][metric], self.values[b][metric], seed, resamples, self.user_rows
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers for JSON: ``planners.<name>.<metric>.{mean, ci95, n}``.

        Beside them are ``judge``, ``pairs`` (their count) and ``coverage``.
        """
        return {
            "judge": self.judge,
            "pairs": len(self.pair_ids),
            "planners": {
                planner: {metric: interval.to_dict() for metric, interval in row.items()}
                for planner, row in self.intervals.items()
            },
            "coverage": dict(self.coverage),
        }

    def frame(self) -> pl.DataFrame:
        """Return one row per planner and metric: ``planner, metric, mean, low, high, n``."""
        return pl.DataFrame(
            [
                (planner, metric, at.mean, at.ci95[0], at.ci95[1], at.count)
                for planner, row in self.intervals.items()
                for metric, at in row.items()
            ],
            schema={
                "planner": pl.String,
                "metric": pl.String,
                "mean": pl.Float64,
                "low": pl.Float64,
                "high": pl.Float64,
                "n": pl.Int64,
            },
            orient="row",
        )

    def text(self, width: int = 120, metrics: Sequence[str] | None = None) -> str:
        """Return a text table: mean, 95% interval and count of each metric and planner.

        Args:
            width: Characters per line; planners that do not fit go into a further table below.
            metrics: Names of the metrics to show; by default all.
        """
        names = list(self.intervals)
        size = max(1, (width - NAME_WIDTH) // CELL_WIDTH)
        tables = [
            self._table(names[start : start + size], metrics or list(METRICS))
            for start in range(0, len(names), size)
        ]
        return rendered(tables, width)

    def _table(self, planners: list[str], metrics: Sequence[str]) -> Table:
        table = Table(title=f"judge {self.judge}, {len(self.pair_ids)} pairs", title_justify="left")
        table.add_column("metric", no_wrap=True)
        for planner in planners:
            table.add_column(planner, justify="right")
        for metric in metrics:
            table.add_row(metric, *(_cell(self.intervals[name][metric]) for name in planners))
        table.add_row("coverage", *(f"{self.coverage[name]:.3f}" for name in planners))
        return table


def evaluate(
    judge: Recommender,
    pairs: pl.DataFrame,
    paths_by_planner: Mapping[str, PlannedPaths] | PlannedPaths,
    train: Dataset,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Evaluation:
    """Judge planners' paths on the same pairs.

    Args:
        judge: An independent recommender.
        pairs: Frame ``pair_id, user_id, objective_id``: every row of it counts for every planner.
        paths_by_planner: Name -> paths, or the paths of one planner.
        train: The histories s_h.
        seed: Decides the bootstrap; every planner and metric uses the same resamples.
        resamples: Number of bootstrap resamples.

    Raises:
        DataError, UnknownIdError, ResultError: See ``judge_paths``.
    """
    named = (
        paths_by_planner if isinstance(paths_by_planner, Mapping) else {UNNAMED: paths_by_planner}
    )
    judgements = {name: judge_paths(judge, pairs, paths, train) for name, paths in named.items()}
    return summarise(judgements, seed, resamples)


def summarise(
    judgements: Mapping[str, Judgement], seed: int = 0, resamples: int = RESAMPLES
) -> Evaluation:
    """Compute every metric from judgements of the same pairs by the same judge.

    Raises:
        ResultError: There is no judgement, or they differ in pairs or judge.
    """
    if not judgements:
        raise ResultError("no planner was given to evaluate.")
    first = next(iter(judgements.values()))
    for name, other in judgements.items():
        if other.judge != first.judge or not np.array_equal(other.pair_ids, first.pair_ids):
            raise ResultError(
                f"planner {name}: every row of a table must be on the same pairs in the same "
                "order, under the same judge."
            )
    values = {
        name: {metric: METRICS[metric].function(judgement) for metric in METRICS}
        for name, judgement in judgements.items()
    }
    return Evaluation(
        judge=first.judge,
        pair_ids=first.pair_ids,
        user_rows=first.user_rows,
        values=values,
        intervals={
            name: dict(
                zip(
                    row,
                    bootstrap_means(
                        np.stack(list(row.values()), 1), seed, resamples, first.user_rows
                    ),
                    strict=True,
                )
            )
            for name, row in values.items()
        },
        coverage={name: catalogue_coverage(judgement) for name, judgement in judgements.items()},
    )


def rendered(tables: Sequence[Table], width: int) -> str:
    """Return tables as plain text of lines of ``width`` characters."""
    console = Console(width=width, file=io.StringIO(), force_terminal=False, no_color=True)
    with console.capture() as capture:
        for table in tables:
            console.print(table)
    return capture.get()


def _cell(at: Interval) -> str:
    if not at.count:
        return "n = 0"
    digits = 1 if abs(at.mean) >= 100 else 3
    low, high = at.ci95
    return f"{at.mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}] n={at.count}"
