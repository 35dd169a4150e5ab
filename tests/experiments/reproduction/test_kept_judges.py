"""Judges kept beside results need no training; what is damaged or of other inputs is trained."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from influpath.experiments.kept_judges import take_kept
from influpath.experiments.reproduction.recipes import chosen
from influpath.experiments.reproduction.stages import Stages
from influpath.experiments.training_jobs import TrainingJob
from influpath.recommenders.model_files import WEIGHTS, read_model


@pytest.fixture
def results(stages: Stages, tmp_path: Path) -> Path:
    """A folder of results with two judges, as a run leaves them."""
    bench = stages.benches[0]
    for name, place in (("sasrec", "judge"), ("gru4rec", "judges/gru4rec")):
        folder = tmp_path / "results" / "simulated" / "main" / place
        shutil.copytree(bench.job("evaluator", name).directory, folder)
    return tmp_path / "results"


def missing(stages: Stages, folder: Path) -> dict[str, TrainingJob]:
    """The evaluators' trainings in an empty working folder."""
    bench = stages.benches[0]
    jobs = {name: bench.job("evaluator", name) for name in bench.config.evaluators}
    return {name: replace(job, directory=folder / name) for name, job in jobs.items()}


def test_what_was_kept_is_taken(stages: Stages, results: Path, tmp_path: Path) -> None:
    fingerprint = stages.benches[0].split.train.fingerprint
    jobs = missing(stages, tmp_path / "runs")
    taken = take_kept(jobs.values(), results, fingerprint)
    assert {job.label for job in taken} == {"evaluator sasrec", "evaluator gru4rec"}
    assert {name for name, job in jobs.items() if job.done} == {"sasrec", "gru4rec"}
    for job in taken:
        # Reading checks the weights against the checksum.
        assert read_model(job.directory, job.kind).trained_on.fingerprint == fingerprint
    assert take_kept(jobs.values(), results, fingerprint) == []


def test_a_budget_spares_what_is_kept(stages: Stages, results: Path) -> None:
    bench = stages.benches[0]
    assert bench.kept_evaluators(results) == {"sasrec", "gru4rec"}
    assert bench.kept_evaluators(results / "nothing") == set()


def test_other_inputs_are_trained(stages: Stages, results: Path, tmp_path: Path) -> None:
    fingerprint = stages.benches[0].split.train.fingerprint
    job = missing(stages, tmp_path / "runs")["sasrec"]
    other = replace(job, settings={**job.settings, "dropout": 0.123})
    assert take_kept([other, replace(job, half=False)], results, fingerprint) == []
    assert take_kept([job], results, "other data") == []
    assert take_kept([job], tmp_path / "nothing", fingerprint) == []
    assert not job.done


def test_what_is_damaged_is_trained(
    stages: Stages, results: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    weights = results / "simulated" / "main" / "judge" / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1])
    job = missing(stages, tmp_path / "runs")["sasrec"]
    assert take_kept([job], results, stages.benches[0].split.train.fingerprint) == []
    assert "does not fit the checksum" in caplog.text
    assert not job.done


def test_a_reproduction_takes_kept_judges(
    stages: Stages, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(
        "influpath.experiments.reproduction.stages.run_jobs",
        lambda jobs, _: asked.extend(job.label for job in jobs if not job.done),
    )
    recipes = [recipe for recipe in chosen([]) if recipe.name == "table-2"]
    again = Stages(stages.config, recipes, results, root=tmp_path / "runs")
    again.train(recipes)
    assert asked == ["evaluator bert4rec"]
