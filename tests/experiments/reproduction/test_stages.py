"""Recipes are made once, and again only if their inputs changed; killing loses nothing."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from influpath.errors import ConfigError
from influpath.experiments.config import RunConfig
from influpath.experiments.reproduction.config import ReproductionConfig, read_config, shipped
from influpath.experiments.reproduction.recipes import RECIPES, chosen
from influpath.experiments.reproduction.spread import spread
from influpath.experiments.reproduction.stages import Stages
from influpath.experiments.training_jobs import TrainingJob

from .conftest import TINY


def figures(path: Path) -> dict[str, Any]:
    """Return a result without what differs from one time to the next."""
    document: dict[str, Any] = json.loads(path.read_text())
    for key in ("seconds", "hardware", "versions"):
        del document[key]
    return document


def without_times(value: Any) -> Any:
    """Leave out durations, wherever they are."""
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k != "seconds"}
    return [without_times(v) for v in value] if isinstance(value, list) else value


def test_every_core_recipe_writes_its_result(stages: Stages) -> None:
    for recipe in chosen([]):
        document = json.loads(stages.path(recipe).read_text())
        assert document["recipe"] == recipe.name
        assert document["result"]
        assert document["data"]["users"] == 80
        assert recipe.words(document)


def test_figures_are_written_as_png_and_svg(stages: Stages) -> None:
    drawn = [r for r in chosen([]) if r.name.startswith("figure-")]
    for recipe in drawn:
        assert stages.path(recipe, ".png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in stages.path(recipe, ".svg").read_text()


def test_a_result_file_is_enough_to_skip_a_recipe(
    stages: Stages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("nothing may be trained")

    monkeypatch.setattr("influpath.experiments.training_jobs.train_model", refuse)
    before = {recipe.name: stages.path(recipe).stat().st_mtime_ns for recipe in stages.recipes}
    # No working files at all: neither models nor paths.
    again = Stages(stages.config, stages.recipes, stages.results, root=tmp_path)
    again.make()
    assert before == {r.name: again.path(r).stat().st_mtime_ns for r in again.recipes}


def test_a_recipe_is_stale_only_if_its_own_inputs_changed(stages: Stages, tmp_path: Path) -> None:
    changed = stages.config.model_copy(
        update={"figure_7": stages.config.figure_7.model_copy(update={"k": (3,)})}
    )
    other = Stages(changed, stages.recipes, stages.results, root=tmp_path)
    assert [r.name for r in other.recipes if not other.is_current(r)] == ["figure-7"]


def test_every_recipe_depends_on_the_data(stages: Stages, tmp_path: Path) -> None:
    data = stages.config.data
    other_world = data.model_copy(update={"options": {**data.options, "users": 81}})
    changed = stages.config.model_copy(update={"data": other_world})
    other = Stages(changed, stages.recipes, stages.results, root=tmp_path)
    assert not any(other.is_current(recipe) for recipe in other.recipes)


def test_a_budget_makes_everything_smaller_and_depends_on_nothing_else() -> None:
    whole = read_config("lastfm")
    small = whole.within(5, {"core"})
    assert small == whole.within(5, {"core"})
    assert 0 < small.pair_share < 0.5
    for group in ("evaluators", "models"):
        for name, settings in getattr(small, group).items():
            epochs = settings.get("training", {}).get("epochs")
            if epochs is not None:
                assert 1 <= epochs < getattr(whole, group)[name]["training"]["epochs"]
    assert len(small.figure_7.w_t) < len(whole.figure_7.w_t)
    assert small.figure_7.w_t[0] == whole.figure_7.w_t[0]
    assert small.figure_7.w_t[-1] == whole.figure_7.w_t[-1]
    assert list(small.frontier) == list(whole.frontier)
    assert whole.within(40, {"core"}).figure_7 == whole.figure_7
    spared = whole.within(5, {"core"}, {"sasrec"}).evaluators
    assert spared["sasrec"] == whole.evaluators["sasrec"]
    assert spared["bert4rec"] == small.evaluators["bert4rec"]
    assert whole.within(None, {"core"}) is whole
    assert whole.within(10_000, {"core"}) is whole


def test_seeds_change_every_model_and_nothing_else() -> None:
    first = read_config("lastfm")
    second = first.at_seed(1)
    changed = {
        name for name, value in second.model_dump().items() if value != first.model_dump()[name]
    }
    assert changed == {"evaluators", "models"}
    for group in ("evaluators", "models"):
        for name, settings in getattr(first, group).items():
            other = getattr(second, group)[name]
            # POP counts, and so has no seed.
            assert (other == settings) is (name == "pop")
            assert {k: v for k, v in other.items() if k != "seed"} == {
                k: v for k, v in settings.items() if k != "seed"
            }
    assert RunConfig.parse(second.model_dump(include=set(RunConfig.model_fields)), "again")


@pytest.mark.parametrize("dataset", shipped())
@pytest.mark.parametrize("preset", ["clean", "paper"])
def test_shipped_settings_are_complete(dataset: str, preset: str) -> None:
    config = read_config(dataset).under(preset)
    assert config.data.preset == preset
    assert {r.group for r in RECIPES if r.available(config)} <= set(config.minutes)
    # What a dataset's IRN does anyway, or never, is no choice to take back.
    left_out = {r.name for r in RECIPES if not r.available(config)}
    assert left_out <= {"ablation-cut-once", "ablation-four-layers"}
    paper = [
        label for label in config.planners if "/" in label or label in ("dijkstra", "mst", "irn")
    ]
    assert len([p for p in paper if p.split("/")[0] not in ("ipg", "lookahead")]) == 15


@pytest.mark.parametrize("dataset", shipped())
def test_shipped_models_are_those_of_the_run_files(dataset: str) -> None:
    """So that both have the same judge and the same IRN, and share their working folder."""
    run = RunConfig.from_toml(Path(__file__).parents[3] / "configs" / f"{dataset}.toml")
    config = read_config(dataset)
    assert config.evaluators == run.evaluators
    for name, settings in run.models.items():
        assert config.models[name] == settings
    assert (config.name, config.dials, config.pairs) == (run.name, run.dials, run.pairs)


def test_an_unknown_recipe_or_dataset_is_one_clear_error() -> None:
    with pytest.raises(ConfigError, match="table-9"):
        chosen(["table-9"])
    with pytest.raises(ConfigError, match="lastfm and ml-1m"):
        read_config("netflix")


def test_spread_is_mean_and_deviation_over_seeds() -> None:
    found = spread([{"a": 1.0, "b": "x", "c": [1, 2]}, {"a": 3.0, "b": "x", "c": [1, 4]}])
    assert found["a"] == {"mean": 2.0, "sd": pytest.approx(2**0.5, abs=1e-6), "by_seed": [1.0, 3.0]}
    assert "b" not in found
    assert found["c"][1]["mean"] == 3.0


SMALL = ("table-1", "table-2", "table-3")


def command(folder: Path) -> list[str]:
    """Return the command that makes three recipes."""
    only = [part for name in SMALL for part in ("--only", name)]
    return [
        *(sys.executable, "-c", "from influpath.cli.main import main; main()"),
        *("--quiet", "reproduce", str(TINY), "--results-dir", str(folder / "results")),
        *("--runs-dir", str(folder / "runs"), *only),
    ]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_killing_at_random_moments_changes_nothing(tmp_path: Path, stages: Stages) -> None:
    """The results after kill -9 at random moments equal those of the undisturbed reproduction."""
    rng = random.Random(os.getpid())
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    kills = 0
    for _ in range(40):
        process = subprocess.Popen(
            command(tmp_path), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        # The first three lives are short; then it may finish.
        patience = rng.uniform(1.5, 9.0) if kills < 3 else 120.0
        try:
            _, errors = process.communicate(timeout=patience)
            assert process.returncode == 0, errors.decode()
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            kills += 1
            time.sleep(1.2)  # Until the workers have seen that their parent is gone.
    for name in SMALL:
        killed = tmp_path / "results" / "simulated" / "clean" / f"{name}.json"
        whole = stages.folder / f"{name}.json"
        assert without_times(figures(killed)) == without_times(figures(whole)), name
    assert kills >= 1


def test_jobs_are_trained_once(stages: Stages) -> None:
    jobs: list[TrainingJob] = [
        job for recipe in stages.recipes for job in recipe.jobs(stages.benches[0])
    ]
    assert jobs
    assert all(job.done for job in jobs)
    labels = {job.directory: job.label for job in jobs}
    assert len(labels) < len(jobs)


def test_configuration_round_trips(tiny_config: ReproductionConfig) -> None:
    assert ReproductionConfig.parse(tiny_config.model_dump(mode="json"), "again") == tiny_config
