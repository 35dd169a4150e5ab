"""Calibrate feasibility on the dial users of a run, check it on its report users.

feasibility.json                    what was fitted, and how far it can be trusted
feasibility.png, .svg               reliability plots
feasibility/predictions.parquet     of the report pairs, from which `verify` recomputes
<model>/feasibility.*               for `influpath plan` and `influpath audience`

The outcome is accepted SR: the objective is shown while it is among the judge's top 20.  The dial
users' own objectives are uniform over the items, and few of them are easy.  Sets and categories
lead to easy ones, and to those that look easier than they are, since the best of many is taken.
So each dial user has two more objectives: one drawn by rank under the planner's model, the ranks'
logarithms about uniform, and the best member of a category drawn for the user.

Shape suffixes: P pairs, B users, I catalogue items.
"""

import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from influpath.data.sequences import IntArray
from influpath.environment import hardware, versions
from influpath.errors import ConfigError, DataError
from influpath.evaluation import judge_paths
from influpath.evaluation.judging import FloatArray
from influpath.evaluation.metrics import accepted_success
from influpath.evaluation.reliability import Reliability, reliability
from influpath.experiments.reliability_figure import reliability_figure
from influpath.experiments.result import result_path
from influpath.experiments.run import Run
from influpath.experiments.saved_figures import save_figures
from influpath.files import atomic_path, write_json
from influpath.planning.aims import aim, rate_pairs
from influpath.planning.feasibility import Feasibility
from influpath.planning.feasibility_features import Reading
from influpath.planning.model_planner import ModelPlanner
from influpath.planning.objectives import Objective
from influpath.planning.parts import PlannerParts
from influpath.planning.paths import Paths
from influpath.recommenders.base import Recommender
from influpath.registry import make_planner, planner_class

logger = logging.getLogger("influpath")

FORMAT = "influpath-feasibility-result-1"
PREDICTIONS = "predictions.parquet"
# The judge's top ranks that count as accepting.
ACCEPTED_RANK = 20
OUTCOME = f"accepted SR@{ACCEPTED_RANK}"
# Members that a category must have to be drawn as an objective of the check.
LEAST_MEMBERS = 5


@dataclass(eq=False)
class FeasibilityStudy:
    """The feasibility of one planner of a run.

    Attributes:
        run: Models, judges, pairs and paths.
        label: The planner, which stands on a model.
    """

    run: Run
    label: str = "irn"

    @cached_property
    def planner(self) -> ModelPlanner[Any]:
        """The planner with its dials.

        Raises:
            ConfigError: It stands on no model of the run.
        """
        run = self.run
        models = run.config.models
        kind, _, name = self.label.partition("/")
        if (name or kind) not in models or not issubclass(planner_class(kind), ModelPlanner):
            raise ConfigError(
                f"planner {self.label!r}: stands on no model of the run {run.config.name}, which "
                f"has {', '.join(models)}."
            )
        parts = PlannerParts(run.models, run.split.train)
        planner = make_planner(self.label, parts, run.dials_of(self.label))
        assert isinstance(planner, ModelPlanner)
        return planner

    @property
    def model(self) -> Recommender:
        """The planner's model."""
        return self.planner.model

    @property
    def folder(self) -> Path:
        """The folder of the planner's model, where the feasibility goes."""
        return self.run.jobs()["model", self.model.name].directory

    @property
    def seed(self) -> int:
        """Draws objectives and reference users."""
        return self.run.config.seed

    # Pairs --------------------------------------------------------------------------------------

    @cached_property
    def second_pairs(self) -> pl.DataFrame:
        """A second pair for each dial user, drawn by rank."""
        first = self.run.dial_pairs
        users = len(self.run.dataset.users)
        rows = self.run.dataset.rows_of(first["user_id"].to_list())
        known = self.run.split.train.sequences.take(rows)
        numbers = self.model.users.encode(first["user_id"].to_list(), unknown="mark")
        reading = Reading.of(self.model, known, numbers)
        # Nobody is to be led to what they took next anyway, nor to the same item twice.
        for left_out in (
            self.run.split.held_out[rows],
            self.model.items.encode(first["objective_id"].to_list()),
        ):
            at = np.flatnonzero(left_out > 0)
            reading.had_BI[torch.from_numpy(at), torch.from_numpy(left_out[at] - 1)] = True
        return first.with_columns(
            pair_id=pl.col("pair_id") + users,
            objective_id=self.model.items.series("objective_id", draw_by_rank(reading, self.seed)),
        )

    def category_pairs(
        self, users: pl.Series, feasibility: Feasibility, seed: int
    ) -> pl.DataFrame | None:
        """Return users, each with the best member of a category drawn for it.

        Args:
            users: Outside user ids.
            feasibility: Says which member is best.
            seed: Draws the categories.

        Returns:
            Pairs, numbered from twice the number of users on; None where the data has no
            categories of ``LEAST_MEMBERS`` items.  Users who have had a whole category are left
            out.
        """
        dataset = self.run.dataset
        sizes = np.bincount(dataset.categories.category_N, minlength=len(dataset.categories.names))
        large = np.flatnonzero(sizes >= LEAST_MEMBERS)
        if not len(large):
            return None
        drawn = np.random.default_rng([seed, 0xCA7E]).choice(large, size=len(users))
        parts = []
        for place in np.unique(drawn):
            objective = Objective.category(dataset.categories.names[place])
            own = users.filter(pl.Series(drawn == place)).to_list()
            parts.append(aim(self.model, objective, self.run.split.train, feasibility, own, 0.0))
        chosen = pl.concat(parts).filter("reachable")
        rows = dataset.rows_of(chosen["user_id"].to_list()) + 2 * len(dataset.users)
        return chosen.with_columns(pair_id=pl.Series(rows)).sort("pair_id")

    # Fitting ------------------------------------------------------------------------------------

    @cached_property
    def fitted(self) -> Feasibility:
        """The feasibility, fitted to the dial users under the headline judge.

        Fitted twice: what it takes for the best members at first is what it learns from then.
        """
        parts = [self.run.dial_pairs, self.second_pairs]
        first = self.fit(parts)
        third = self.category_pairs(self.run.dial_pairs["user_id"], first, self.seed)
        return first if third is None or not third.height else self.fit([*parts, third])

    def fit(self, parts: list[pl.DataFrame]) -> Feasibility:
        """Return the feasibility fitted to pairs under the headline judge."""
        run = self.run
        return Feasibility.fit(
            self.planner,
            pl.concat(pairs.select("user_id", "objective_id") for pairs in parts),
            np.concatenate([self.outcomes(pairs, run.judge) for pairs in parts]),
            run.split.train,
            judge=run.judge.name,
            outcome=OUTCOME,
            max_length=run.config.max_length,
            seed=self.seed,
        )

    def predict(self, pairs: pl.DataFrame) -> FloatArray:
        """Return the feasibility of pairs, float64 [P]."""
        rated = rate_pairs(self.model, pairs, self.run.split.train, self.fitted)
        return rated["feasibility"].to_numpy()

    def paths(self, pairs: pl.DataFrame) -> Paths:
        """Return the planner's paths for pairs."""
        return self.run.paths(self.label, pairs, self.run.dials_of(self.label), self.run.judge)

    def outcomes(self, pairs: pl.DataFrame, judge: Recommender) -> FloatArray:
        """Return 1 where a judge accepts the objective when it is shown, else 0: [P]."""
        judgement = judge_paths(judge, pairs, self.paths(pairs), self.run.split.train)
        return accepted_success(judgement, ACCEPTED_RANK)

    # Checking -----------------------------------------------------------------------------------

    def check(self, pairs: pl.DataFrame, judge: Recommender) -> Reliability:
        """Compare predictions for pairs with what a judge says of their paths."""
        return reliability(self.predict(pairs), self.outcomes(pairs, judge), self.seed)

    def write(self) -> dict[str, Any]:
        """Fit, check, write the result, its figures and the feasibility; return the result."""
        run = self.run
        with run.workspace.timed("feasibility fitted"):
            self.fitted.save(self.folder)
        logger.info("feasibility fitted: %s", self.folder)
        with run.workspace.timed("feasibility checked"):
            predicted_P = self.predict(run.report_pairs)
            happened_P = self.outcomes(run.report_pairs, run.judge)
            report = reliability(predicted_P, happened_P, self.seed)
            best = self.category_pairs(run.subset["user_id"], self.fitted, self.seed + 1)
            chosen = None if best is None or not best.height else self.check(best, run.judge)
            others = {judge.name: self.check_subset(judge).to_dict() for judge in run.evaluators}
        document = {
            "format": FORMAT,
            "name": run.config.name,
            "config": run.config.model_dump(mode="json"),
            "seed": self.seed,
            "data": {
                "source": run.config.data.source,
                "preset": run.config.data.preset,
                "fingerprint": run.dataset.fingerprint,
            },
            "run": result_path(run).stem,
            "feasibility": self.fitted.to_dict(),
            "report": report.to_dict(),
            "chosen_members": None if chosen is None else chosen.to_dict(),
            "subset_by_judge": others,
            "versions": versions(),
            "hardware": hardware(),
        }
        path = feasibility_path(run)
        with atomic_path(path.with_suffix("") / PREDICTIONS) as temporary:
            run.report_pairs.select(
                pl.col("pair_id").cast(pl.Int32),
                feasibility=pl.Series(predicted_P, dtype=pl.Float32),
            ).write_parquet(temporary, compression="zstd")
        write_json(path, document)
        figures = (path.with_suffix(suffix) for suffix in (".png", ".svg"))
        save_figures(lambda: reliability_figure(document), "feasibility", *figures)
        return document

    def check_subset(self, judge: Recommender) -> Reliability:
        """Compare predictions with what any evaluator says, on the fixed subset."""
        run = self.run
        paths = self.paths(run.report_pairs).of_pairs(run.subset)
        judgement = judge_paths(judge, run.subset, paths, run.split.train)
        accepted_P = accepted_success(judgement, ACCEPTED_RANK)
        return reliability(self.predict(run.subset), accepted_P, self.seed)


def draw_by_rank(reading: Reading, seed: int) -> IntArray:
    """Draw one item for each user, those of low ranks more often: p(rank) ~ 1 / rank.

    Args:
        reading: Of the users; items that they have had are not drawn.
        seed: Decides the draws.

    Returns:
        Item numbers, int64 [B].

    Raises:
        DataError: A user has had every item.
    """
    if bool(reading.had_BI.all(dim=1).any()):
        raise DataError("a user has had every item, so that none can be an objective.")
    rng = np.random.default_rng([seed, 0x4A4C])
    noise_BI = torch.from_numpy(rng.gumbel(size=tuple(reading.had_BI.shape)))
    score_BI = (noise_BI - reading.rank_BI.double().log()).masked_fill(reading.had_BI, -torch.inf)
    drawn: IntArray = score_BI.argmax(1).numpy() + 1
    return drawn


def feasibility_path(run: Run) -> Path:
    """Return where the result goes, beside main-paper.json in feasibility-paper.json."""
    path = result_path(run)
    stem = path.stem.removeprefix("main")
    return path.with_name(f"feasibility{stem if stem[:1] in ('', '-') else '-' + stem}.json")
