"""Recipes are made once, and again only if their inputs changed; killing loses nothing."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from influpath.errors import ConfigError, ResultError
from influpath.experiments.config import RunConfig
from influpath.experiments.reproduction.bench import Bench
from influpath.experiments.reproduction.config import ReproductionConfig, read_config, shipped
from influpath.experiments.reproduction.recipes import RECIPES, chosen
from influpath.experiments.reproduction.spread import spread
from influpath.experiments.reproduction.stages import Stages
from influpath.experiments.training_jobs import TrainingJob
from influpath.files import read_json
from influpath.recommenders.sasrec import SASRecConfig

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


def stale(config: ReproductionConfig, stages: Stages, root: Path) -> set[str]:
    """Return the recipes whose result would be made anew with another configuration."""
    other = Stages(config, stages.recipes, stages.results, root=root)
    return {recipe.name for recipe in other.recipes if not other.is_current(recipe)}


def test_a_default_that_is_given_changes_nothing(stages: Stages, tmp_path: Path) -> None:
    config = stages.config
    values = config.model_dump(mode="json")
    values["planner_dials"]["lookahead/sasrec"] = {"k": 20}
    values["models"]["sasrec"]["dropout"] = SASRecConfig().dropout
    assert not stale(config.parse(values, "spelled out"), stages, tmp_path)
    values["planner_dials"]["lookahead/sasrec"] = {"k": 3}
    assert stale(config.parse(values, "changed"), stages, tmp_path) == {"table-3", "rigorous-table"}


def test_irns_results_depend_on_what_its_dials_are_chosen_by(
    stages: Stages, tmp_path: Path
) -> None:
    """Rec2Inf's worst step is a limit of the choice, so its dials decide IRN's."""
    config = stages.config
    values = config.model_dump(mode="json")
    values["planner_dials"]["rec2inf/sasrec"] = {"distance": "genre", "k": 2}
    changed = config.parse(values, "changed")
    assert stale(changed, stages, tmp_path) == {
        recipe.name for recipe in stages.recipes if recipe.name not in ("table-1", "table-2")
    }
    own, other = (Bench(c, root=stages.root) for c in (config, changed))
    assert own.dial_choice["yardsticks"] != other.dial_choice["yardsticks"]


def test_results_depend_on_the_catalogue(stages: Stages, tmp_path: Path) -> None:
    """Genres decide what Rec2Inf does by genre, though they are not in the log."""
    bench = Bench(stages.config, root=tmp_path)
    genres = pl.lit(["another"]).alias("genres")
    bench.dataset = replace(bench.dataset, catalogue=bench.dataset.catalogue.with_columns(genres))
    assert bench.dataset.fingerprint == stages.benches[0].dataset.fingerprint
    for recipe in stages.recipes:
        assert stages.inputs(recipe, bench) != stages.inputs(recipe, stages.benches[0])


def test_every_training_has_a_name_of_its_own(stages: Stages) -> None:
    """So that progress can be told apart, and no time is counted for another."""
    jobs = [job for recipe in stages.recipes for job in recipe.jobs(stages.benches[0])]
    assert len({job.label for job in jobs}) == len({job.directory for job in jobs})
    names = {job.label for job in jobs}
    assert {"model irn", "model irn (type-1)", "model irn (type-2)", "model irn (window)"} <= names
    document = read_json(stages.folder / "table-5.json", ResultError)
    assert {"train model irn", "train model irn (type-1)"} <= set(document["seconds"])


def test_another_seed_keeps_the_kind_of_judge(stages: Stages, tmp_path: Path) -> None:
    made = Stages(stages.config, stages.recipes, tmp_path, root=stages.root, seeds=2)
    first, second = made.benches
    first.__dict__["evaluators"] = list(reversed(first.evaluators))
    wanted = [judge.name for judge in first.evaluators]
    trained = {name: stages.benches[0].trained["evaluator", name] for name in wanted}
    second.__dict__["_evaluators"] = trained
    assert [judge.name for judge in second.evaluators] == wanted
    variant = second.variant("leak")
    assert [judge.name for judge in variant.evaluators] == wanted


def test_every_recipe_depends_on_the_data(stages: Stages, tmp_path: Path) -> None:
    data = stages.config.data
    other_world = data.model_copy(update={"options": {**data.options, "users": 81}})
    changed = stages.config.model_copy(update={"data": other_world})
    other = Stages(changed, stages.recipes, stages.results, root=tmp_path)
    assert not any(other.is_current(recipe) for recipe in other.recipes)


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


SMALL = ("table-1", "table-2", "table-3", "figure-7", "figure-9", "frontier")


def command(folder: Path) -> list[str]:
    """Return the command that makes a few recipes."""
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
        # The first four lives are short; then it may finish.
        patience = rng.uniform(1.5, 9.0) if kills < 4 else 120.0
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


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"planners": ["irn", "rec2inf/gru4rec"]}, "rec2inf/gru4rec: needs models.gru4rec"),
        ({"frontier": {"ipg/bpr": {"k": [1]}}}, "ipg/bpr: needs models.bpr"),
        ({"models": {"sasrec": {"seed": 4}}, "planners": ["direct"]}, "needs models.irn"),
        ({"models": {"irn": {"seed": 4}}, "planners": ["irn"]}, "needs models.sasrec"),
    ],
)
def test_a_model_that_is_missing_is_said_before_anything_is_trained(
    tiny_config: ReproductionConfig, changes: dict[str, Any], said: str
) -> None:
    values = {**tiny_config.model_dump(mode="json"), **changes}
    with pytest.raises(ConfigError, match=said):
        ReproductionConfig.parse(values, "test")


def test_configuration_round_trips(tiny_config: ReproductionConfig) -> None:
    assert ReproductionConfig.parse(tiny_config.model_dump(mode="json"), "again") == tiny_config
