"""Training several models at once, each in a process of its own on one thread."""

import logging
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from influpath.data import load_dataset
from influpath.data.splits import leave_last_out
from influpath.errors import ModelFileError
from influpath.experiments.config import DataConfig
from influpath.experiments.helpers import Helpers
from influpath.experiments.workspace import Workspace
from influpath.recommenders.base import Recommender
from influpath.recommenders.model_files import ABOUT, read_model
from influpath.registry import load_model, recommender_class

logger = logging.getLogger("influpath")

# What an epoch costs, in epochs of IRN with two layers; measured on MovieLens-1M.  A kind that is
# not here counts as 1.
EPOCH_COST = {
    "caser": 2.4,
    "gru4rec": 1.5,
    "irn": 1.0,
    "sasrec": 1.0,
    "bert4rec": 0.9,
    "transrec": 0.1,
    "bpr": 0.1,
}


@dataclass(frozen=True)
class TrainingJob:
    """One model to train.

    Attributes:
        label: Names it in progress lines, such as "evaluator sasrec".
        kind: Recommender name.
        settings: Its configuration.
        data: What to train on (the history without each user's last item).
        data_dir: Folder of the real datasets, or None for the environment's.
        directory: Model folder; its checkpoint and log lie in it too.
        half: Store the weights in half precision.
    """

    label: str
    kind: str
    settings: dict[str, Any]
    data: DataConfig
    data_dir: str | None
    directory: Path
    half: bool

    @property
    def role(self) -> str:
        """What the model is for: "evaluator" or "model"."""
        return self.label.partition(" ")[0]

    @property
    def done(self) -> bool:
        """Whether the model is there (its folder's name says for which inputs)."""
        return (self.directory / ABOUT).is_file()


def plan_job(
    role: str,
    kind: str,
    settings: dict[str, Any],
    data: DataConfig,
    data_dir: str | None,
    fingerprint: str,
    workspace: Workspace,
    half: bool,
) -> TrainingJob:
    """Return the job of one model, whose folder's name says for which inputs.

    Args:
        role: "evaluator" or "model".
        kind: Recommender name.
        settings: Its configuration.
        data: The interaction log.
        data_dir: Folder of the real datasets.
        fingerprint: The prepared data's.
        workspace: The run's folder.
        half: Store the weights in half precision.
    """
    # Defaults belong to the inputs: a changed default is another model.
    full = recommender_class(kind).config_class.parse(settings, kind)
    inputs = [full.model_dump(mode="json"), fingerprint, half]
    return TrainingJob(
        label=f"{role} {kind}",
        kind=kind,
        settings=settings,
        data=data,
        data_dir=data_dir,
        directory=workspace.path(f"models/{role}-{kind}", inputs),
        half=half,
    )


def longest_first(jobs: Iterable[TrainingJob]) -> list[TrainingJob]:
    """Return jobs in the order that leaves the least idle at the end: those with most to do first.

    What a job has to do is taken as its epochs at most times what an epoch of its kind costs.
    """
    return sorted(jobs, key=work, reverse=True)


def work(job: TrainingJob) -> float:
    """Return how long a training may take, in epochs of IRN."""
    settings = recommender_class(job.kind).config_class.parse(job.settings, job.kind)
    training = getattr(settings, "training", settings)
    return getattr(training, "epochs", 0) * EPOCH_COST.get(job.kind, 1.0)


def run_jobs(jobs: Sequence[TrainingJob], workers: int) -> None:
    """Train every model that is not there yet, in the order given.

    Raises:
        InfluPathError: What a job raised; the others' checkpoints stay.
    """
    waiting = [job for job in jobs if not job.done]
    if not waiting:
        return
    logger.info(
        "training %d model(s), %d at a time: %s",
        len(waiting),
        min(workers, len(waiting)),
        ", ".join(job.label for job in waiting),
    )
    with Helpers(min(workers, len(waiting))) as helpers:
        for _ in helpers.each(partial(train_model, shown=shown_level()), waiting):
            pass


class TrainedModels(Mapping[str, Recommender]):
    """Models by name, each trained (if it is missing) and read when first asked for.

    Args:
        jobs: The training of each.
        workers: Models trained at the same time, and threads for using them.
    """

    def __init__(self, jobs: Mapping[str, TrainingJob], workers: int) -> None:
        self.jobs = jobs
        self.workers = workers
        self._read: dict[str, Recommender] = {}

    def __getitem__(self, name: str) -> Recommender:
        if name not in self._read:
            job = self.jobs[name]
            run_jobs([job], self.workers)
            torch.set_num_threads(self.workers)
            self._read[name] = load_model(job.directory)
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.jobs)

    def __len__(self) -> int:
        return len(self.jobs)


def train_model(job: TrainingJob, shown: int = logging.INFO) -> None:
    """Train one model on one thread; resume from its checkpoint if there is one.

    Args:
        job: What to train.
        shown: Level from which on progress goes to standard error; its log file has all of it.
    """
    torch.set_num_threads(1)
    job.directory.mkdir(parents=True, exist_ok=True)
    # The parent has said all there is to say about the data.
    logging.getLogger("influpath").setLevel(logging.ERROR)
    dataset = load_dataset(
        job.data.source, preset=job.data.preset, data_dir=job.data_dir, **job.data.options
    )
    log_to(job.directory / "train.log", job.label, shown)
    checkpoint = job.directory / "checkpoint.safetensors"
    model = recommender_class(job.kind)(**job.settings)
    model.fit(leave_last_out(dataset).train, checkpoint=checkpoint)
    model.save(job.directory, half=job.half)
    # Read back once: a model that cannot be read must not count as done.
    try:
        read_model(job.directory, job.kind)
    except ModelFileError:
        (job.directory / ABOUT).unlink(missing_ok=True)
        raise


def shown_level() -> int:
    """Return from which level on this process shows the package's log to people.

    Files do not count: they may hold more than is shown.
    """
    levels: list[int] = []
    source: logging.Logger | None = logger
    while source is not None:
        levels += [
            max(logger.getEffectiveLevel(), handler.level)
            for handler in source.handlers
            if not isinstance(handler, (logging.FileHandler, logging.NullHandler))
        ]
        source = source.parent if source.propagate else None
    # Without any handler, Python shows warnings.
    return min(levels, default=logging.WARNING)


def log_to(path: Path, label: str, shown: int = logging.INFO) -> None:
    """Send the progress of this process to a file and to standard error, under its label.

    Args:
        path: The file, which gets all of it.
        label: Names the training.
        shown: Level from which on standard error gets it.
    """
    package = logging.getLogger("influpath")
    package.setLevel(logging.INFO)
    package.propagate = False
    for handler in list(package.handlers):
        package.removeHandler(handler)
    to_people, to_file = logging.StreamHandler(sys.stderr), logging.FileHandler(path)
    to_people.setLevel(shown)
    for handler in (to_people, to_file):
        handler.setFormatter(logging.Formatter(f"%(asctime)s [{label}] %(message)s", "%H:%M:%S"))
        package.addHandler(handler)
