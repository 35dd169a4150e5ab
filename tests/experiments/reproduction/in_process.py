"""Training in this process: models of a second are not worth a worker's start."""

from collections.abc import Sequence

import pytest

from influpath.data import leave_last_out, load_dataset
from influpath.experiments.training_jobs import TrainingJob
from influpath.registry import recommender_class

USERS = (
    "influpath.experiments.training_jobs",
    "influpath.experiments.run",
    "influpath.experiments.reproduction.stages",
    "influpath.experiments.reproduction.recipes.table_6",
)


def train_here(jobs: Sequence[TrainingJob], workers: int) -> None:
    """Do what ``run_jobs`` does."""
    for job in jobs:
        if not job.done:
            data = job.data
            dataset = load_dataset(data.source, preset=data.preset, **data.options)
            model = recommender_class(job.kind)(**job.settings)
            model.fit(leave_last_out(dataset).train).save(job.directory, half=job.half)


def use(monkeypatch: pytest.MonkeyPatch, run_jobs: object = train_here) -> None:
    """Train with another function."""
    for module in USERS:
        monkeypatch.setattr(f"{module}.run_jobs", run_jobs)
