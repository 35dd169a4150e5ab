"""Recommenders as next-item models, by full ranking (paper Table II, and all baselines beside it).

Every user's last item is held out; the rank counts the items that are not in the user's history.
The result is one JSON file, ``<recommender>.{hr@10, hr@20, ndcg@10, mrr, ...}``; beside it lie the
ranks it is computed from and a figure.
"""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from pydantic import Field, field_validator

from influpath.config import FrozenConfig
from influpath.data.sequences import IntArray
from influpath.environment import hardware, versions
from influpath.evaluation import calibrate, next_item_ranks, next_item_values
from influpath.evaluation.intervals import bootstrap_mean
from influpath.experiments import reported
from influpath.experiments.config import DataConfig, check_settings, with_seed
from influpath.experiments.experiment import Experiment
from influpath.experiments.figures import next_item_figure
from influpath.experiments.training_jobs import TrainingJob, plan_job, run_jobs
from influpath.files import atomic_path, write_json
from influpath.registry import load_model

logger = logging.getLogger("influpath")

FORMAT = "influpath-next-item-1"
# What stands beside the recommenders at the top of the file.
ABOUT = (
    *("format", "name", "config", "data", "users", "paper_evaluators"),
    *("versions", "hardware", "seconds"),
)


class NextItemConfig(FrozenConfig):
    """The recommenders to compare.

    Attributes:
        name: Working files go to ``runs/<name>``; with the name of a run, its evaluators are used
            where their settings are the same.
        result: File the result is written to; by default ``runs/<name>/next_item.json``.
        seed: Bootstrap intervals.
        seeds: Every recommender is trained once with each seed; by default once, with its own.
        workers: Models trained at the same time, each on one thread.
        data: The interaction log.
        recommenders: Settings by recommender name.
        half: Store weights in half precision, and measure exactly that, as judges are.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    result: str | None = None
    seed: int = 1
    seeds: tuple[int, ...] = ()
    workers: int = Field(default=2, ge=1)
    data: DataConfig
    recommenders: dict[str, dict[str, Any]] = Field(min_length=1)
    half: bool = True

    @field_validator("recommenders")
    @classmethod
    def _settings_fit(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        taken = sorted(set(value) & set(ABOUT))
        if taken:
            raise ValueError(f"{taken[0]}: is a key of the result file; register another name")
        return check_settings(value)


class NextItemTable(Experiment[NextItemConfig]):
    """One comparison, resumable: models that are there are not trained again."""

    @property
    def result_path(self) -> Path:
        """Where the result goes."""
        given = self.config.result
        return Path(given) if given else self.workspace.root / "next_item.json"

    def jobs(self) -> dict[tuple[str, int], TrainingJob]:
        """Return what has to be trained, by recommender and seed."""
        wanted = {
            (name, seed): with_seed(name, settings, seed)
            for name, settings in self.config.recommenders.items()
            for seed in self.config.seeds or (settings.get("seed", 0),)
        }
        return {
            (name, seed): plan_job(
                "evaluator",
                name,
                settings,
                self.config.data,
                self.data_dir,
                self.dataset.fingerprint,
                self.workspace,
                self.config.half,
            )
            for (name, seed), settings in wanted.items()
        }

    def write(self) -> dict[str, Any]:
        """Train what is missing, rank every held-out item, write the result and return it."""
        jobs = self.jobs()
        run_jobs(list({job.directory: job for job in jobs.values()}.values()), self.config.workers)
        torch.set_num_threads(self.config.workers)
        rows = np.flatnonzero(self.split.held_out)
        ranks: dict[str, dict[int, IntArray]] = {}
        document: dict[str, Any] = {
            "format": FORMAT,
            "name": self.config.name,
            "config": self.config.model_dump(mode="json"),
            "data": {
                "source": self.config.data.source,
                "preset": self.config.data.preset,
                "fingerprint": self.dataset.fingerprint,
                **self.dataset.stats(),
            },
            "users": len(rows),
            "paper_evaluators": reported.evaluators(self.config.data.source) or None,
            "versions": versions(),
            "hardware": hardware(),
            "seconds": {},
        }
        for name in self.config.recommenders:
            trained = {
                seed: load_model(job.directory) for (n, seed), job in jobs.items() if n == name
            }
            with self.workspace.timed(f"rank {name}"):
                ranks[name] = {
                    seed: next_item_ranks(model, self.split, rows)
                    for seed, model in trained.items()
                }
            first = next(iter(trained.values()))
            document[name] = {
                **scores(list(ranks[name].values()), self.config.seed),
                "calibration": calibrate(first, self.split).to_dict(),
                "settings": first.config.model_dump(mode="json"),
                "seeds": [
                    about_training(seed, model.history, ranks[name][seed])
                    for seed, model in trained.items()
                ],
            }
            document["seconds"][f"rank {name}"] = self.workspace.seconds[f"rank {name}"]
            logger.info(
                "%s: HR@10 %.4f, HR@20 %.4f, NDCG@10 %.4f, MRR %.4f",
                name,
                *(document[name][key] for key in ("hr@10", "hr@20", "ndcg@10", "mrr")),
            )
        self.write_beside(ranks, document)
        write_json(self.result_path, document)
        return document

    def write_beside(self, ranks: dict[str, dict[int, IntArray]], document: dict[str, Any]) -> None:
        """Write the ranks and the figure."""
        columns = {
            f"{name}-{seed}": pl.Series(values, dtype=pl.Int32)
            for name, by_seed in ranks.items()
            for seed, values in by_seed.items()
        }
        with atomic_path(self.result_path.with_suffix(".parquet")) as temporary:
            pl.DataFrame(columns).write_parquet(temporary, compression="zstd")
        with atomic_path(self.result_path.with_suffix(".svg")) as temporary:
            temporary.write_text(next_item_figure(document), encoding="utf-8")


def scores(ranks_by_seed: list[IntArray], seed: int) -> dict[str, Any]:
    """Return every metric: the mean over seeds and users, its interval, and the seeds' spread.

    Args:
        ranks_by_seed: For each seed the users' ranks, int64 [R].
        seed: Decides the bootstrap, which resamples users.
    """
    by_seed = [next_item_values(ranks) for ranks in ranks_by_seed]
    found: dict[str, Any] = {}
    for metric in by_seed[0]:
        values_SR = np.stack([values[metric] for values in by_seed])
        interval = bootstrap_mean(values_SR.mean(0), seed)
        found[metric] = interval.mean
        found[f"{metric}_ci95"] = list(interval.ci95)
        if len(by_seed) > 1:
            found[f"{metric}_sd_of_seeds"] = float(values_SR.mean(1).std(ddof=1))
    return found


def about_training(seed: int, history: dict[str, Any], ranks: IntArray) -> dict[str, Any]:
    """Return what one training came to."""
    return {
        "seed": seed,
        **{name: float(values.mean()) for name, values in next_item_values(ranks).items()},
        "epochs": len(history["epochs"]),
        "best_epoch": int(history["best_epoch"]),
        "seconds": history["seconds"],
    }
