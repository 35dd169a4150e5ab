"""The whole job: data, models, dials, influence paths, judgement, result file.

Each stage leaves its product in the run's folder under a hash of its inputs, so that a run that
was interrupted, or whose configuration changed in part, repeats only what is needed.
"""

import logging
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import polars as pl

from influpath.evaluation import (
    fixed_subset,
    judge_at,
    sample_pairs,
    summarise,
    with_role,
)
from influpath.evaluation.judging import Judgement
from influpath.evaluation.table import Evaluation
from influpath.experiments.config import RunConfig
from influpath.experiments.dial_choice import try_dials, yardsticks
from influpath.experiments.experiment import Experiment
from influpath.experiments.helpers import Helpers
from influpath.experiments.judge_tables import Rating, judge_tables, rate
from influpath.experiments.judging_jobs import Asked, judge_each
from influpath.experiments.training_jobs import (
    TrainedModels,
    TrainingJob,
    longest_first,
    plan_job,
    run_jobs,
)
from influpath.experiments.workspace import input_hash
from influpath.files import sha256_file
from influpath.planning.algorithm import plan
from influpath.planning.model_planner import ModelPlanner
from influpath.planning.parts import PlannerParts
from influpath.planning.paths import Paths
from influpath.recommenders.base import Recommender
from influpath.recommenders.model_files import WEIGHTS
from influpath.registry import make_planner, planner_class

logger = logging.getLogger("influpath")

ORACLE = "oracle"
NEUTRAL: dict[str, Any] = {"w_t": 1.0, "guidance": 1.0, "pace": 1, "floor": 0}


class Run(Experiment[RunConfig]):
    """The whole job: models, dials, paths and their judgement; see ``Experiment``."""

    @cached_property
    def pairs(self) -> pl.DataFrame:
        """All (user, objective) pairs."""
        pairs = self.config.pairs
        return sample_pairs(self.dataset, pairs.seed, pairs.dial_share)

    @cached_property
    def report_pairs(self) -> pl.DataFrame:
        """The pairs of every table."""
        return with_role(self.pairs, "report")

    @cached_property
    def dial_pairs(self) -> pl.DataFrame:
        """The pairs that choose dials."""
        return with_role(self.pairs, "dial")

    @cached_property
    def subset(self) -> pl.DataFrame:
        """The fixed report pairs of expensive rows."""
        return fixed_subset(self.report_pairs, self.config.pairs.subset, self.config.seed)

    # Models -----------------------------------------------------------------------------------

    def jobs(self) -> dict[tuple[str, str], TrainingJob]:
        """Return what has to be trained, by role and recommender name."""
        named = [("evaluator", name, s) for name, s in self.config.evaluators.items()]
        named += [("model", name, s) for name, s in self.config.models.items()]
        return {
            (role, name): plan_job(
                role,
                name,
                settings,
                self.config.data,
                self.data_dir,
                self.dataset.fingerprint,
                self.workspace,
                half=self.config.half and role == "evaluator",
            )
            for role, name, settings in named
        }

    def train(self) -> None:
        """Train every model that is not there yet, several at a time, the longest first."""
        run_jobs(longest_first(self.jobs().values()), self.config.workers)

    @cached_property
    def trained(self) -> dict[tuple[str, str], Recommender]:
        """All models, trained where they are missing."""
        self.train()
        return {
            (role, name): models[name]
            for role, models in (("evaluator", self._evaluators), ("model", self.models))
            for name in models
        }

    @cached_property
    def models(self) -> TrainedModels:
        """The planners' models by recommender name."""
        return self._models_of("model")

    @cached_property
    def _evaluators(self) -> TrainedModels:
        return self._models_of("evaluator")

    def _models_of(self, wanted: str) -> TrainedModels:
        jobs = {name: job for (role, name), job in self.jobs().items() if role == wanted}
        return TrainedModels(jobs, self.config.workers)

    @cached_property
    def evaluators(self) -> list[Recommender]:
        """The evaluators, best on validation first: it judges, the second chooses dials."""
        return self.rank_evaluators()

    def rank_evaluators(self) -> list[Recommender]:
        """Return the evaluators, best on validation first."""
        return sorted(self._evaluators.values(), key=lambda model: -model.history["best"])

    @property
    def judge(self) -> Recommender:
        """The headline judge."""
        return self.evaluators[0]

    def model_hash(self, role: str, name: str) -> str:
        """Return what identifies a trained model: its weights, and settings that planning reads.

        Of the settings some change nothing in training, so that the weights alone do not tell.
        """
        job = self.jobs()[role, name]
        return input_hash([sha256_file(job.directory / WEIGHTS), job.kind, job.settings])

    # Paths ------------------------------------------------------------------------------------

    def paths(
        self,
        label: str,
        pairs: pl.DataFrame,
        dials: dict[str, Any],
        judge: Recommender,
        max_length: int | None = None,
    ) -> Paths:
        """Plan, or read the paths planned before for the same inputs (M is the run's if None)."""
        max_length = max_length or self.config.max_length
        label, dials, model = self.identity(label, dials, judge)
        given = pairs.select("pair_id", "user_id", "objective_id").write_csv()
        inputs = [label, dials, model, max_length, self.dataset.fingerprint, given]
        if dials.get("distance") == "genre":
            inputs.append(self.dataset.catalogue_fingerprint)
        path = self.workspace.path(f"paths/{label.replace('/', '-')}", inputs, ".parquet")
        if not path.exists():
            planner = make_planner(label, PlannerParts(self.models, self.split.train, judge), dials)
            with self.workspace.timed(f"plan {label} {input_hash(inputs)}"):
                planned = plan(planner, pairs, self.split.train, max_length)
                planned.write(path)
        return Paths.read(path, pairs)

    def identity(
        self, label: str, dials: dict[str, Any], judge: Recommender
    ) -> tuple[str, dict[str, Any], str | None]:
        """Return what a planner is: label, all its dials, and what identifies its models."""
        kind, _, name = label.partition("/")
        dials = planner_settings(label, dials)
        model: str | None = None
        if kind == ORACLE:
            model = self.model_hash("evaluator", judge.name)
        elif issubclass(planner_class(kind), ModelPlanner):
            model = self.model_hash("model", name or kind)
            if "guidance_model" in dials:
                model += self.model_hash("model", dials["guidance_model"])
        return label, dials, model

    def judged(
        self, label: str, pairs: pl.DataFrame, dials: dict[str, Any], judge: Recommender
    ) -> Judgement:
        """Plan and judge."""
        return self.judge_asked(Asked(label, dials, pairs, judge.name))[0]

    def judge_asked(self, asked: Asked) -> list[Judgement]:
        """Plan and judge what is asked for; return the judgement at each temperature."""
        judge = self._evaluators[asked.judge]
        pairs = asked.pairs if asked.judged_on is None else asked.judged_on
        paths = self.paths(asked.label, asked.pairs, asked.dials, judge, asked.max_length)
        train = self.split.train
        return judge_at(judge, pairs, paths.of_pairs(pairs), train, asked.temperatures)

    def judge_all(self, asked: Sequence[Asked]) -> Iterator[Judgement]:
        """Yield the judgement of each that is asked for, in order; helpers plan several at once.

        That of the first temperature; see ``judge_each`` for all.
        """
        return (judgements[0] for judgements in judge_each(self, asked))

    @cached_property
    def helpers(self) -> Helpers:
        """The processes that plan and judge."""
        return Helpers(self.config.workers)

    def on_subset(
        self,
        label: str,
        dials: dict[str, Any],
        judge: Recommender,
        temperatures: tuple[float, ...] = (1.0,),
    ) -> Asked:
        """Ask for paths on the fixed subset: of those on all report pairs, where they are made."""
        whole = label in self.config.whole_planners and dials == self.dials_of(label)
        pairs = self.report_pairs if whole else self.subset
        return Asked(
            label, dials, pairs, judge.name, judged_on=self.subset, temperatures=temperatures
        )

    def dials_of(self, label: str) -> dict[str, Any]:
        """Return the settings of a planner: chosen for IRN, configured or default otherwise."""
        given = self.config.planner_dials.get(label)
        if given is None and label == "irn":
            return dict(self.dial_choice["chosen"])
        return dict(given or {})

    @cached_property
    def dial_choice(self) -> dict[str, Any]:
        """IRN's dials, chosen on the dial pairs under the evaluator that does not judge."""
        given = self.config.planner_dials.get("irn")
        if given is not None:
            return {"chosen": given, "reason": "given in the configuration", "candidates": []}
        grid, other = self.config.dials, self.evaluators[1]
        inputs = [
            grid.model_dump(),
            other.name,
            self.model_hash("evaluator", other.name),
            self.model_hash("model", "irn"),
            *(self.identity(label, dials, other) for label, dials in yardsticks(self.config)),
            self.dial_pairs.write_csv(),
            self.config.max_length,
        ]
        choice: dict[str, Any] = self.workspace.json(
            "dials", inputs, lambda: try_dials(self, other, self.dial_pairs)
        )
        return choice

    # Judgement --------------------------------------------------------------------------------

    @cached_property
    def judgements(self) -> dict[str, Judgement]:
        """Every planner but the expensive ones on the report pairs, under the headline judge."""
        labels = self.config.whole_planners
        asked = [
            Asked(label, self.dials_of(label), self.report_pairs, self.judge.name)
            for label in labels
        ]
        return dict(zip(labels, self.judge_all(asked), strict=True))

    @cached_property
    def subset_judgements(self) -> dict[str, Judgement]:
        """Every planner, the expensive ones included, on the same fixed subset."""
        return self.judged_on_subset(self.judge)[0]

    def judged_on_subset(
        self, judge: Recommender, temperatures: tuple[float, ...] = (1.0,)
    ) -> list[dict[str, Judgement]]:
        """Return what a judge says of every planner on the fixed subset, at each temperature."""
        labels = self.config.planners
        asked = [
            self.on_subset(label, self.dials_of(label), judge, temperatures) for label in labels
        ]
        found = zip(*judge_each(self, asked), strict=True)
        return [dict(zip(labels, judgements, strict=True)) for judgements in found]

    @cached_property
    def subset_evaluation(self) -> Evaluation:
        """Every planner on the same fixed subset, under the headline judge."""
        return summarise(self.subset_judgements, self.config.seed)

    def judge_tables(self) -> dict[str, Any]:
        """Return what every evaluator says of the planners on the subset, for JSON."""
        return judge_tables(self.ratings())

    def ratings(self) -> dict[str, Rating]:
        """Let every evaluator rate the planners on the subset (the oracle only under its own)."""
        judges = {judge.name: judge for judge in self.evaluators}
        return rate(
            judges,
            lambda name, temperatures: self.judged_on_subset(judges[name], temperatures),
            self.split,
            self.config.seed,
        )

    def paths_before(self, judge: Recommender, label: str) -> Paths:
        """Return a planner's paths on the subset; the oracle looks through the judge given."""
        dials = self.dials_of(label)
        if label in self.config.subset_planners:
            return self.paths(label, self.subset, dials, judge)
        return self.paths(label, self.report_pairs, dials, judge).of_pairs(self.subset)


def planner_settings(label: str, dials: dict[str, Any]) -> dict[str, Any]:
    """Return a planner's settings with all defaults, as JSON has them.

    So a default and the same value given are the same inputs.
    """
    settings = planner_class(label.partition("/")[0]).config_class.parse(dials, label)
    return settings.model_dump(mode="json", exclude_none=True)
