"""Training in processes of their own: which comes first, and what is said where."""

import logging
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from influpath.cli.logs import log_to_stderr
from influpath.experiments.config import DataConfig, RunConfig
from influpath.experiments.run import Run
from influpath.experiments.training_jobs import (
    TrainingJob,
    log_to,
    longest_first,
    run_jobs,
    shown_level,
)

WORLD = {"users": 40, "items": 30, "shortest": 6, "longest": 8}


def job_of(label: str, directory: Path) -> TrainingJob:
    role, _, kind = label.partition(" ")
    assert role in ("evaluator", "model")
    data = DataConfig(source="simulated", options=WORLD)
    settings = {"embedding_size": 4, "training": {"epochs": 1}}
    return TrainingJob(label, kind, settings, data, None, directory, half=False)


@pytest.fixture
def package() -> Iterator[logging.Logger]:
    """The package's logger, put back afterwards."""
    logger = logging.getLogger("influpath")
    before = list(logger.handlers), logger.level, logger.propagate
    for handler in before[0]:
        logger.removeHandler(handler)
    yield logger
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.handlers, logger.level, logger.propagate = before[0], before[1], before[2]


def test_what_has_most_to_do_starts_first() -> None:
    """So that no long training runs alone at the end."""
    epochs = {
        "evaluator sasrec": 10,
        "model pop": None,
        "model caser": 8,
        "model bpr": 40,
        "model irn": 30,
        "evaluator gru4rec": 10,
    }
    jobs = [
        replace(
            job_of(label, Path(label)),
            settings={"training": {"epochs": count}} if count and "bpr" not in label else {},
        )
        for label, count in epochs.items()
    ]
    assert [job.label for job in longest_first(jobs)] == [
        "model irn",
        "model caser",
        "evaluator gru4rec",
        "evaluator sasrec",
        "model bpr",
        "model pop",
    ]


def test_a_run_trains_in_that_order_and_keeps_its_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[str] = []

    def record(jobs: list[TrainingJob], workers: int) -> None:
        given.extend(job.label for job in jobs)

    monkeypatch.setattr("influpath.experiments.run.run_jobs", record)
    config = RunConfig(
        name="order",
        data=DataConfig(source="simulated", options=WORLD),
        evaluators={"sasrec": {"seed": 1}, "bert4rec": {"seed": 2}},
        models={"pop": {}, "irn": {"seed": 3}},
        planners=("irn", "vanilla/pop"),
        planner_dials={"irn": {}},
    )
    run = Run(config, root=tmp_path)
    run.train()
    assert given == [job.label for job in longest_first(run.jobs().values())]
    assert given[-1] == "model pop"
    assert list(run.jobs()) == [
        ("evaluator", "sasrec"),
        ("evaluator", "bert4rec"),
        ("model", "pop"),
        ("model", "irn"),
    ]


def test_the_level_that_people_see(package: logging.Logger, tmp_path: Path) -> None:
    package.propagate = False
    package.setLevel(logging.INFO)
    # As Python does it: without a handler, warnings.
    assert shown_level() == logging.WARNING
    log_to_stderr(quiet=True)
    package.addHandler(logging.FileHandler(tmp_path / "run.log"))
    assert shown_level() == logging.WARNING
    log_to_stderr()
    assert shown_level() == logging.INFO
    package.setLevel(logging.ERROR)
    assert shown_level() == logging.ERROR


def test_handlers_further_up_count_as_far_as_records_reach_them(package: logging.Logger) -> None:
    root, handler = logging.getLogger(), logging.StreamHandler()
    package.setLevel(logging.DEBUG)
    root.addHandler(handler)
    try:
        handler.setLevel(logging.DEBUG)
        package.propagate = True
        assert shown_level() == logging.DEBUG
        package.propagate = False
        assert shown_level() == logging.WARNING
    finally:
        root.removeHandler(handler)


def test_the_file_has_all_that_people_are_spared(
    package: logging.Logger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log_to(tmp_path / "train.log", "model irn", logging.WARNING)
    package.info("epoch 1")
    package.warning("too warm")
    errors = capsys.readouterr().err
    assert "[model irn] too warm" in errors
    assert "epoch 1" not in errors
    text = (tmp_path / "train.log").read_text()
    assert "[model irn] epoch 1" in text
    assert "too warm" in text


@pytest.mark.parametrize("quiet", [True, False])
def test_workers_are_as_quiet_as_their_parent(
    quiet: bool, package: logging.Logger, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    package.propagate = False
    log_to_stderr(quiet)
    run_jobs([job_of("model bpr", tmp_path / "bpr")], workers=1)
    errors = capfd.readouterr().err
    assert ("[model bpr] bpr: epoch 1/1" in errors) is not quiet
    assert not quiet or errors == ""
    assert "[model bpr] bpr: epoch 1/1" in (tmp_path / "bpr" / "train.log").read_text()


def test_a_worker_whose_parent_was_gone_from_the_start_ends() -> None:
    code = (
        "import os, time\n"
        "from influpath.experiments.helpers import watch_parent\n"
        "watch_parent(os.getppid() + 1)  # Not its parent: that one is gone.\n"
        "time.sleep(60)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], timeout=50, check=False)
    assert ended.returncode == 1
