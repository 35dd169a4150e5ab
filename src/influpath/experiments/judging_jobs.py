"""Planning and judging many sets of paths, several at once, each in a process on one thread.

A path does not depend on what it is planned with, so it is the same wherever it is planned.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import torch

from influpath.evaluation.judging import Judgement
from influpath.experiments.workspace import Workspace, input_hash

if TYPE_CHECKING:
    from influpath.experiments.run import Run

# With fewer pairs than these to plan for, helpers that are not there yet take longer to start.
FEWEST_PAIRS = 4000


@dataclass(frozen=True, eq=False)
class Asked:
    """Paths to be planned, if they are not there, and judged.

    Attributes:
        label: The planner.
        dials: Its settings.
        pairs: Whom to plan for.
        judge: The evaluator that reads the paths, and through which the oracle looks.
        max_length: M; the run's if None.
        judged_on: The pairs whose paths are judged; all if None.
        temperatures: See ``judge_at``.
    """

    label: str
    dials: dict[str, Any]
    pairs: pl.DataFrame
    judge: str
    max_length: int | None = None
    judged_on: pl.DataFrame | None = None
    temperatures: tuple[float, ...] = (1.0,)


@dataclass(frozen=True)
class Job:
    """What a helper needs to know.

    Attributes:
        kind: The class of the run.
        config: Its configuration.
        data_dir: Folder of the real datasets.
        root: Folder of the working files.
        asked: What is asked.
    """

    kind: "type[Run]"
    config: Any
    data_dir: str | None
    root: Path
    asked: Asked


@dataclass(eq=False)
class Unsaved(Workspace):
    """A helper's view of the folder: durations are left to the process that asked.

    Attributes:
        root: The folder.
        seconds: Durations.
    """

    root: Path
    seconds: dict[str, float] = field(default_factory=dict)

    def record(self, stage: str, seconds: float) -> None:
        """Keep a duration."""
        self.seconds[stage] = seconds


# What a helper has read: runs, the same data only once.
_runs: "dict[str, Run]" = {}


def judge_each(run: "Run", asked: Sequence[Asked]) -> Iterator[list[Judgement]]:
    """Yield the judgements of each, one per temperature, in their order as they come."""
    few = not run.helpers.ready and sum(one.pairs.height for one in asked) < FEWEST_PAIRS
    if run.config.workers == 1 or len(asked) == 1 or few:
        yield from map(run.judge_asked, asked)
        return
    jobs = [Job(type(run), run.config, run.data_dir, run.root, one) for one in asked]
    for judgements, seconds in run.helpers.each(judge_in_helper, jobs):
        for stage, duration in seconds.items():
            run.workspace.record(stage, duration)
        yield judgements


def judge_in_helper(job: Job) -> tuple[list[Judgement], dict[str, float]]:
    """Plan and judge in a process of its own; return the judgements, and seconds by stage."""
    torch.set_num_threads(1)
    # The process that asked says all there is to say.
    logging.getLogger("influpath").setLevel(logging.ERROR)
    run = run_of(job)
    judgements = run.judge_asked(job.asked)
    seconds = dict(run.workspace.seconds)
    run.workspace.seconds.clear()
    return judgements, seconds


def run_of(job: Job) -> "Run":
    """Return a helper's own run, which keeps the models that it has read."""
    key = input_hash([job.config.model_dump(mode="json"), job.data_dir, str(job.root)])
    if key not in _runs:
        # Threads of torch that it may use are as many as its models are trained with.
        config = job.config.model_copy(update={"workers": 1})
        run = job.kind(config, job.data_dir, job.root)
        run.workspace = Unsaved(run.workspace.root)
        for other in _runs.values():
            if (other.config.data, other.data_dir) == (config.data, job.data_dir):
                run.__dict__ |= {name: getattr(other, name) for name in ("dataset", "split")}
        _runs[key] = run
    return _runs[key]
