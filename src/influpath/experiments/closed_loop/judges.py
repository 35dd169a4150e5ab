"""Judges against the truth: do a learnt judge's figures rank planners by what true users do?

On the simulated world every point, a planner with dials, is measured three times with the same
users:

1. offline: its paths on the report pairs, judged by each learnt evaluator, and by the truth itself
   as a judge, which tells what a metric misses from what a judge gets wrong;
2. in the closed loop with users driven by the headline judge;
3. in the closed loop with the true users: what really happens.

A metric is as good as its ranking of the points is like the true one: Spearman's rho and Kendall's
tau, with intervals from resampling users.

Shape suffixes: P pairs (users), N points.
"""

import logging
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from influpath.errors import ConfigError
from influpath.evaluation import fixed_subset, judge_paths
from influpath.evaluation.metrics import METRICS
from influpath.experiments.closed_loop.config import combinations
from influpath.experiments.closed_loop.correlations import FloatArray, rank_correlations
from influpath.experiments.closed_loop.document import write_document
from influpath.experiments.closed_loop.loop import ClosedLoop, Row, dials_text
from influpath.recommenders.base import Recommender
from influpath.simulation.outcomes import MEASURES, Outcomes
from influpath.simulation.truth_judge import TruthJudge

logger = logging.getLogger("influpath")

FORMAT = "influpath-judges-1"
# What true users do, and is to be ranked by.
TARGETS = ("arrived", "left", "acceptance")
# What ranks: of paths judged offline, and of the loop driven by the headline judge.
OFFLINE = (
    *("accepted_sr@20", "ioi", "ior", "arrival@20", "sr"),
    *("log_ppl", "worst_step", "acceptance@20"),
)
LOOP = ("arrived", "left", "acceptance")


class JudgesStudy:
    """The study; what was done is not done again.

    Args:
        loop: A closed loop on the simulated world.
        users: Report users, at most; the settings' own where None.

    Raises:
        ConfigError: The data are not of the simulated world, or no points are named.
    """

    def __init__(self, loop: ClosedLoop, users: int | None = None) -> None:
        self.loop = loop
        self.run = loop.run
        self.settings = loop.settings.judges
        self.count = users or self.settings.users
        source = self.run.config.data.source
        if source != "simulated" or not self.settings.points:
            raise ConfigError(
                "judges are held against the truth of the simulated world, at the points of "
                f"simulate.judges.points; the data are {source}, with "
                f"{len(self.settings.points)} planner(s) named there."
            )

    @cached_property
    def pairs(self) -> pl.DataFrame:
        """The report pairs of the study."""
        return fixed_subset(self.run.report_pairs, self.count, self.run.config.seed)

    @property
    def points(self) -> list[tuple[str, dict[str, Any]]]:
        """Planners and dials."""
        return [
            (label, dials)
            for label, grid in self.settings.points.items()
            for dials in combinations(grid)
        ]

    @property
    def result_path(self) -> Path:
        """Where the result goes: beside the closed loop's."""
        return self.loop.result_path.with_name("judges.json")

    def judges(self) -> dict[str, Recommender]:
        """Return the evaluators, the headline judge first, and the truth."""
        learnt = {judge.name: judge for judge in self.run.evaluators}
        return {**learnt, "truth": TruthJudge(self.loop.true_users)}

    def offline(self, label: str, dials: dict[str, Any]) -> dict[str, dict[str, FloatArray]]:
        """Return what every judge says of a point's paths: judge -> metric -> one per pair."""
        paths = self.run.paths(label, self.pairs, dials, self.run.judge)
        found = {}
        for name, judge in self.judges().items():
            judgement = judge_paths(judge, self.pairs, paths, self.run.split.train)
            found[name] = {metric: METRICS[metric].function(judgement) for metric in OFFLINE}
        return found

    def in_loop(self, label: str, dials: dict[str, Any], driver: Any) -> dict[str, FloatArray]:
        """Return what users do at a point: measure -> one per pair."""
        visits = self.loop.visits(Row(label), dials, self.loop.users(driver), self.pairs)
        rounds = self.loop.settings.loop.rounds
        return Outcomes.of({"": visits}, self.pairs, rounds).values[""]

    def write(self) -> dict[str, Any]:
        """Measure every point, write the result and return it."""
        self.run.train()
        began = time.monotonic()
        values: dict[tuple[str, str], list[FloatArray]] = {}
        for number, (label, dials) in enumerate(self.points, start=1):
            logger.info("point %d/%d: %s %s", number, len(self.points), label, dials_text(dials))
            for judge, metrics in self.offline(label, dials).items():
                for metric in OFFLINE:
                    values.setdefault((judge, metric), []).append(metrics[metric])
            for driver in ("judge", "truth"):
                measures = self.in_loop(label, dials, driver)
                for measure in LOOP:
                    values.setdefault((f"loop/{driver}", measure), []).append(measures[measure])
        stacked = {key: np.stack(columns, axis=1) for key, columns in values.items()}
        found = {
            "headline": self.run.judge.name,
            "users": self.pairs.height,
            "points": [
                {"planner": label, "dials": dials, "means": means_of(stacked, place)}
                for place, (label, dials) in enumerate(self.points)
            ],
            "correlations": correlations(stacked, self.run.config.seed),
            "settings": self.loop.settings.model_dump(mode="json"),
        }
        return write_document(self.result_path, FORMAT, self.run, found, began)


def means_of(values: Mapping[tuple[str, str], FloatArray], place: int) -> dict[str, Any]:
    """Return a point's means: judge or loop -> metric -> mean, None where undefined."""
    found: dict[str, dict[str, float | None]] = {}
    for (source, metric), values_PN in values.items():
        defined = values_PN[:, place][~np.isnan(values_PN[:, place])]
        mean = round(float(defined.mean()), 6) if len(defined) else None
        found.setdefault(source, {})[metric] = mean
    return found


def correlations(values: Mapping[tuple[str, str], FloatArray], seed: int) -> dict[str, Any]:
    """Return target -> source -> metric -> rho and tau with their intervals.

    Signs are such that 1 is a ranking as wished: a metric that is better when it is low is negated,
    and so is leaving.
    """
    true = {target: signed("loop/truth", target, values) for target in TARGETS}
    others = {key: signed(*key, values) for key in values if key[0] != "loop/truth"}
    found: dict[str, Any] = {}
    for target, true_PN in true.items():
        rows = rank_correlations(list(others.values()), true_PN, seed)
        for (source, metric), row in zip(others, rows, strict=True):
            found.setdefault(target, {}).setdefault(source, {})[metric] = row
    return found


def signed(source: str, metric: str, values: Mapping[tuple[str, str], FloatArray]) -> FloatArray:
    """Return the values of a metric such that more is better."""
    better: Any = MEASURES if source.startswith("loop/") else METRICS
    return values[source, metric] * (-1.0 if better[metric].higher_is_better is False else 1.0)
