"""What the recipes share: data, models, paths, judgements; each is made when first asked for."""

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import polars as pl

from influpath.evaluation import fixed_subset, summarise, with_role
from influpath.evaluation.judging import Judgement
from influpath.experiments.judging_jobs import Asked
from influpath.experiments.kept_judges import find_kept
from influpath.experiments.reproduction.config import FEWEST_PAIRS, ReproductionConfig
from influpath.experiments.run import Run
from influpath.experiments.training_jobs import TrainingJob
from influpath.files import read_json
from influpath.recommenders.base import Recommender
from influpath.recommenders.model_files import ABOUT

# What does not depend on IRN and so is the same for all its variants.
SHARED = (
    *("dataset", "split", "pairs", "report_pairs", "dial_pairs", "subset", "_evaluators"),
    "helpers",
)


class Bench(Run):
    """A run that also knows variants of IRN and uses a share of the pairs; see ``Run``.

    Attributes:
        irn_called: What tells its IRN's training from that of the configured IRN, for people.
        judged_as: The bench of another seed, whose order its judges keep; None for their own.
    """

    config: ReproductionConfig
    irn_called: str = ""
    judged_as: "Bench | None" = None

    def rank_evaluators(self) -> list[Recommender]:
        """Return the evaluators, best first, or in the order of another bench."""
        if self.judged_as is None:
            return super().rank_evaluators()
        return [self._evaluators[judge.name] for judge in self.judged_as.evaluators]

    @cached_property
    def report_pairs(self) -> pl.DataFrame:
        """The pairs of every table."""
        return self.share_of("report")

    @cached_property
    def dial_pairs(self) -> pl.DataFrame:
        """The pairs that choose dials."""
        return self.share_of("dial")

    def share_of(self, role: str) -> pl.DataFrame:
        """Return the share of a role's pairs that the configuration asks for."""
        pairs = with_role(self.pairs, role)
        if self.config.pair_share == 1:
            return pairs
        count = max(FEWEST_PAIRS, round(self.config.pair_share * pairs.height))
        return fixed_subset(pairs, count, self.config.seed)

    def variant(self, name: str | None) -> "Bench":
        """Return the bench whose "irn" is a variant; None is IRN itself."""
        if name is None:
            return self
        return self.with_irn(self.config.settings_of(name), name)

    def with_irn(self, settings: dict[str, Any], called: str) -> "Bench":
        """Return the bench whose "irn" has other settings; all else is shared.

        Args:
            settings: Those of IRN.
            called: What tells its training from others, such as "leak".
        """
        if settings == self.config.models["irn"]:
            return self
        models = self.config.models | {"irn": settings}
        other = Bench(self.config.model_copy(update={"models": models}), self.data_dir, self.root)
        other.irn_called, other.judged_as = called, self.judged_as
        # One record of times for one folder.
        other.workspace = self.workspace
        for name in SHARED:
            other.__dict__[name] = getattr(self, name)
        return other

    def jobs(self) -> dict[tuple[str, str], TrainingJob]:
        """Return what has to be trained, by role and recommender name."""
        jobs = super().jobs()
        if self.irn_called:
            own = jobs["model", "irn"]
            jobs["model", "irn"] = replace(own, label=f"{own.label} ({self.irn_called})")
        return jobs

    def job(self, role: str, name: str) -> TrainingJob:
        """Return the training of a model: ``bench.job("evaluator", "sasrec")``."""
        return self.jobs()[role, name]

    def kept_evaluators(self, results: Path) -> set[str]:
        """Return the evaluators that earlier results have kept; see ``kept_judges``."""
        jobs = {name: self.job("evaluator", name) for name in self.config.evaluators}
        found = find_kept(jobs.values(), results, self.split.train.fingerprint)
        directories = {job.directory for job, _ in found}
        return {name for name, job in jobs.items() if job.directory in directories}

    def judge_rows(
        self,
        label: str,
        pairs: pl.DataFrame,
        dials: dict[str, Any],
        metrics: tuple[str, ...] | None = None,
        max_length: int | None = None,
    ) -> dict[str, Any]:
        """Plan, let the headline judge read, and return every metric's mean and interval."""
        (judgement,) = self.judge_asked(Asked(label, dials, pairs, self.judge.name, max_length))
        return self.row(label, judgement, metrics)

    def row(
        self, label: str, judgement: Judgement, metrics: tuple[str, ...] | None = None
    ) -> dict[str, Any]:
        """Return a judgement's metrics, ``<metric>.{mean, ci95, n}``."""
        table = summarise({label: judgement}, self.config.seed).to_dict()
        found = cast(dict[str, Any], table["planners"][label])
        return {name: found[name] for name in metrics} if metrics else found


def training_seconds(job: TrainingJob) -> float | None:
    """Return how long a training took, from its model folder; None where it is not there."""
    about = Path(job.directory) / ABOUT
    return float(read_json(about)["history"]["seconds"]) if about.is_file() else None
