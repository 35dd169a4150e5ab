"""Table VI: what a trial is and how it is scored, that killing changes nothing, the words."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from influpath.errors import ConfigError, DivergedError
from influpath.experiments.reproduction.bench import Bench
from influpath.experiments.reproduction.config import ReproductionConfig, read_config
from influpath.experiments.reproduction.recipes.table_6 import (
    PENALTY,
    Scorer,
    Table6,
    bench_of,
    dials_of,
    own_bench,
    printed_settings,
    score,
    space_of,
    train,
)
from influpath.experiments.reproduction.search import STARTUP
from influpath.experiments.reproduction.stages import Stages
from influpath.experiments.training_jobs import TrainingJob
from influpath.irn.config import IRNConfig

from .in_process import train_here, use

RECIPE = Table6()
SETTINGS = {
    "l_max": 30, "batch_size": 64, "d": 20, "d_user": 6, "layers": 4, "w_t": 0.5, "heads": 5,
    "lr": 0.002,
}  # fmt: skip


@pytest.fixture(scope="module")
def patched() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def made(
    patched: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
    tiny_config: ReproductionConfig,
) -> Stages:
    """A search of three trials."""
    use(patched)
    folder = tmp_path_factory.mktemp("table-6")
    stages = Stages(tiny_config, [RECIPE], folder / "results", root=folder / "runs")
    stages.make()
    return stages


@pytest.fixture(scope="module")
def document(made: Stages) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(made.path(RECIPE).read_text())
    return found


def without_times(document: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in document.items() if k not in ("seconds", "hardware", "versions")}


# What a trial is --------------------------------------------------------------------------------


def test_the_score_is_ioi_within_the_limit_and_little_beyond() -> None:
    assert score({"ioi": 2.0, "log_ppl": 4.0}, limit=4.5) == 2.0
    assert score({"ioi": 2.0, "log_ppl": 4.6}, limit=4.5) == pytest.approx(2.0 - 0.1 * PENALTY)
    # A nat of log(PPL) buys about four of IoI: not enough to pay for itself beyond the limit.
    assert score({"ioi": 6.0, "log_ppl": 5.5}, 4.5) < score({"ioi": 2.0, "log_ppl": 4.5}, 4.5)


def test_a_trial_is_irn_with_its_settings_and_the_others_of_the_configuration(
    made: Stages,
) -> None:
    bench = made.benches[0]
    irn = bench_of(bench, SETTINGS, epochs=7).config.models["irn"]
    config = IRNConfig.parse(irn, "trial")
    assert (config.l_max, config.batch_size, config.heads, config.layers) == (30, 64, 5, 4)
    assert (config.embedding_size, config.user_embedding_size, config.w_t) == (20, 6, 0.5)
    assert (config.training.learning_rate, config.training.epochs) == (0.002, 7)
    own = IRNConfig.parse(bench.config.models["irn"], "own")
    changed = {"embedding_size", "user_embedding_size", "layers", "heads", "w_t", "l_max"}
    changed |= {"batch_size", "training", "l_min"}
    for name, value in own:
        assert name in changed or getattr(config, name) == value
    assert config.l_min == min(own.l_min, 15)
    assert config.training.schedule == own.training.schedule


@pytest.mark.parametrize("dataset", ["lastfm", "ml-1m"])
def test_every_window_of_the_paper_is_cut_so_that_no_piece_is_too_short(
    made: Stages, dataset: str
) -> None:
    config = read_config(dataset)
    bench = Bench(config, root=made.root)
    for l_max in space_of(config).values["l_max"]:
        irn = bench.config.models["irn"]
        # Without data: only the settings are asked for.
        bench.with_irn = lambda settings, called: settings  # type: ignore[method-assign, assignment, return-value]
        settings: Any = bench_of(bench, {**SETTINGS, "l_max": l_max}, 4)
        parsed = IRNConfig.parse(settings, "trial")
        assert parsed.l_min == min(20, l_max // 2) == min(irn.get("l_min", 20), l_max // 2)


@pytest.mark.parametrize("dataset", ["lastfm", "ml-1m"])
def test_the_printed_settings_are_in_the_space(dataset: str) -> None:
    config = read_config(dataset)
    printed = printed_settings(dataset)
    assert printed is not None
    space = space_of(config)
    assert space.settings_of(space.params_of(printed)) == printed
    assert list(space.values["l_max"]) == [30, 40, 50, 60, 70, 80]


def test_windows_without_room_for_the_paths_are_left_out(tiny_config: ReproductionConfig) -> None:
    def with_horizon(horizon: int) -> ReproductionConfig:
        irn = tiny_config.models["irn"] | {"horizon": horizon, "l_max": horizon + 20}
        return tiny_config.model_copy(update={"models": {**tiny_config.models, "irn": irn}})

    assert space_of(with_horizon(39)).values["l_max"] == [50, 60, 70, 80]
    assert space_of(with_horizon(38)).values["l_max"] == [40, 50, 60, 70, 80]
    with pytest.raises(ConfigError, match="no printed l_max has room"):
        space_of(with_horizon(90))


def test_paths_are_planned_at_the_w_t_of_training(made: Stages) -> None:
    dials = dials_of(bench_of(made.benches[0], SETTINGS, 1))
    assert dials == {"w_t": 0.5, "guidance": 1.0, "pace": 1, "floor": 0}


def test_what_is_tried_does_not_depend_on_the_machine(tiny_config: ReproductionConfig) -> None:
    other = tiny_config.model_copy(update={"workers": 9})
    assert RECIPE.settings(other) == RECIPE.settings(tiny_config)


# The result -------------------------------------------------------------------------------------


def test_every_trial_is_scored_by_the_rule(document: dict[str, Any]) -> None:
    result, config = document["result"], document["config"]
    assert len(result["trials"]) == config["search"]["trials"] == 3
    assert result["limit"] == pytest.approx(result["vanilla_log_ppl"] + config["margin"])
    for trial in result["trials"]:
        for rung in trial["rungs"]:
            assert rung["score"] == pytest.approx(score(rung, result["limit"]), abs=1e-5)
    complete = [trial for trial in result["trials"] if trial["state"] == "complete"]
    assert result["trials"][result["best"]]["rungs"][-1]["score"] == max(
        trial["rungs"][-1]["score"] for trial in complete
    )
    assert result["importance"] is None  # Three trials say nothing of eight settings.


def test_a_trial_can_be_measured_again(made: Stages, document: dict[str, Any]) -> None:
    """What is recorded is what the settings give, under the evaluator that does not judge."""
    bench, result = made.benches[0], document["result"]
    assert result["judge"] == bench.evaluators[1].name != result["report"]["judge"]
    scorer = Scorer(bench, bench.evaluators[1], result["limit"])
    for trial in result["trials"]:
        epochs = document["config"]["search"]["rungs"][: len(trial["rungs"])]
        for rung, count in zip(trial["rungs"], epochs, strict=True):
            assert scorer.measured(bench_of(bench, trial["settings"], count)) == rung
    assert scorer.measured(own_bench(bench)) == result["project"]["measured"]


def test_the_report_is_on_other_pairs(made: Stages, document: dict[str, Any]) -> None:
    bench, report = made.benches[0], document["result"]["report"]
    assert not set(bench.subset["pair_id"]) & set(bench.dial_pairs["pair_id"])
    assert report["pairs"] == bench.subset.height
    assert set(report["rows"]) == {"best", "project"}
    for metric, at in report["differences"]["best minus project"].items():
        rows = report["rows"]
        if rows["best"][metric]["n"] == rows["project"][metric]["n"] == report["pairs"]:
            expected = rows["best"][metric]["mean"] - rows["project"][metric]["mean"]
            assert at["mean"] == pytest.approx(expected)


class Killed(BaseException):
    """Stands for the end of the process."""


def test_a_killed_search_ends_as_the_undisturbed_one(
    made: Stages,
    document: dict[str, Any],
    tiny_config: ReproductionConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every life trains one model and dies."""

    def train_one(jobs: Sequence[TrainingJob], workers: int) -> None:
        waiting = [job for job in jobs if not job.done]
        train_here(waiting[:1], workers)
        if waiting:
            raise Killed

    use(monkeypatch, train_one)
    for lives in range(1, 40):  # noqa: B007
        stages = Stages(tiny_config, [RECIPE], tmp_path / "results", root=tmp_path / "runs")
        try:
            stages.make()
            break
        except Killed:
            continue
    assert lives > 8
    found = json.loads(stages.path(RECIPE).read_text())
    assert without_times(found) == without_times(document)
    trained, expected = (
        sorted(path.name for path in (each.root / "tiny" / "models").iterdir())
        for each in (stages, made)
    )
    assert trained == expected


def test_a_finished_search_trains_nothing_again(
    made: Stages, document: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even with the result lost: journal and models are enough."""

    def refuse(jobs: Sequence[TrainingJob], workers: int) -> None:
        assert all(job.done for job in jobs)

    use(monkeypatch, refuse)
    for path in (made.root / "tiny").glob("table-6-*.json"):
        path.unlink()
    again = Stages(made.config, [RECIPE], tmp_path, root=made.root)
    again.make()
    found = json.loads(again.path(RECIPE).read_text())
    assert without_times(found) == without_times(document)


# What can go wrong ------------------------------------------------------------------------------


def test_a_training_that_diverges_costs_only_itself(
    made: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_jobs(jobs: Sequence[TrainingJob], workers: int) -> None:
        for job in jobs:
            if job.settings["training"]["learning_rate"] > 0.009:
                raise DivergedError("irn: the training diverged.")
            train_here([job], workers)

    use(monkeypatch, run_jobs)
    bench = made.benches[0]
    fast = {**SETTINGS, "lr": 0.0095}
    jobs = [bench_of(bench, s, 1).job("model", "irn") for s in (fast, SETTINGS)]
    assert train(jobs, 1) == {jobs[0].directory}
    assert jobs[1].done
    found = Scorer(bench, bench.evaluators[1], 4.0).rate([fast, SETTINGS], 1)
    assert found[0] is None
    assert found[1] is not None


def test_without_optuna_there_is_one_clear_sentence(
    made: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    for ask in (RECIPE.jobs, RECIPE.compute):
        with pytest.raises(ConfigError, match=r"needs optuna; .*influpath\[search\]"):
            ask(made.benches[0])


def test_optuna_is_wanted_only_where_a_search_is_made() -> None:
    """All recipes can be listed, drawn and worded without it."""
    code = (
        "import sys; sys.modules['optuna'] = None; "
        "from influpath.experiments.reproduction.recipes import chosen; "
        "print(len(chosen([], everything=True)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(found.stdout) > 2


# Words and drawing ------------------------------------------------------------------------------


def interval(mean: float, half: float) -> dict[str, Any]:
    return {"mean": mean, "ci95": [mean - half, mean + half], "n": 500}


@pytest.fixture
def searched(document: dict[str, Any]) -> dict[str, Any]:
    """A search of 16 trials on ML-1M, with the paper's settings among them."""
    made_up = deepcopy(document)
    result = made_up["result"]
    printed = printed_settings("ml-1m")
    made_up["config"]["printed"] = printed

    def trial(number: int, state: str, *scores: float | None) -> dict[str, Any]:
        rungs = [s if s is None else {"score": s, "ioi": s, "log_ppl": 4.0} for s in scores]
        settings = printed if number == 0 else SETTINGS
        return {
            "number": number, "settings": settings, "fixed": number == 0, "state": state,
            "rungs": rungs,
        }  # fmt: skip

    result["trials"] = [trial(0, "complete", 1.0, 1.5), trial(1, "diverged", None)]
    result["trials"] += [trial(n, "pruned", 0.1 * n) for n in range(2, 15)]
    result["trials"].append(trial(15, "complete", 1.6, 1.75))
    result["best"] = 15
    weights = {name: {"importance": 0.1, "chance": 0.4} for name in result["space"]}
    weights["lr"] = {"importance": 0.5, "chance": 0.4}
    result["importance"] = {"settings": weights, "by_chance": 0.35}
    row = {m: interval(0.5, 0.1) for m in ("sr", "accepted_sr@20", "ioi", "log_ppl")}
    result["report"]["rows"] = {"paper": row, "best": row, "project": row}
    changes = {**row, "ioi": interval(-0.3, 0.1), "log_ppl": interval(0.01, 0.1)}
    result["report"]["differences"] = {"best minus paper": changes, "best minus project": row}
    return made_up


def test_words_compare_with_the_paper(searched: dict[str, Any]) -> None:
    words = RECIPE.words(searched)
    assert "| lr | 0.0001 to 0.01 | 0.003 | 0.002 |" in words
    assert "16 settings were tried: 1 as the paper prints them, 7 drawn at random and 8" in words
    assert STARTUP == 8
    assert "In 1 the training diverged." in words
    assert "stopped (13)" in words
    assert "95% of shuffles of the scores give: lr." in words
    assert "IoI lower by 0.30 [0.20, 0.40]" in words
    assert "against the paper's settings" in words
    assert "not told apart: log(PPL)" in words
    assert "**16**" in words


def test_words_when_the_paper_is_the_best(searched: dict[str, Any]) -> None:
    searched["result"]["best"] = 0
    words = RECIPE.words(searched)
    assert "No other settings scored better than the paper's." in words
    assert "against the paper's settings" not in words


def test_words_without_the_paper_or_enough_trials(document: dict[str, Any]) -> None:
    words = RECIPE.words(document)
    assert "too few trials" in words
    assert "as the paper prints" not in words


@pytest.mark.parametrize("rungs", [[4], [2, 4, 8]])
def test_words_with_other_rungs(searched: dict[str, Any], rungs: list[int]) -> None:
    searched["config"]["search"]["rungs"] = rungs
    if len(rungs) == 1:
        for trial in searched["result"]["trials"]:
            trial["rungs"] = trial["rungs"][:1]
    words = RECIPE.words(searched)
    assert ("Each was trained for 4 epochs." in words) == (len(rungs) == 1)
    assert ("After 2 and 4 epochs" in words) == (len(rungs) == 3)
    widths = {line.count("|") for line in words.splitlines() if line.startswith(("| 1", "| **16"))}
    assert len(widths) == 1


def test_the_figure_shows_importances_and_every_trial(
    searched: dict[str, Any], document: dict[str, Any]
) -> None:
    figure = RECIPE.draw(searched)
    bars, trials = figure.axes
    assert len(bars.patches) == len(searched["result"]["space"])
    drawn = {line.get_label(): line for line in trials.get_lines()}
    assert len(drawn["stopped after fewer"].get_xdata()) == 13  # type: ignore[arg-type]
    assert list(drawn["trained for 2 epochs"].get_ydata()) == [1.5, 1.75]  # type: ignore[arg-type]
    assert list(drawn["best so far"].get_ydata()) == [1.5, 1.75, 1.75]  # type: ignore[arg-type]
    bottom = drawn["training diverged (at the bottom)"].get_ydata()
    assert bottom[0] < 0.2  # type: ignore[index, operator]
    assert list(drawn["the paper's settings"].get_xdata()) == [1]  # type: ignore[arg-type]
    # Without importances there is no empty panel.
    assert len(RECIPE.draw(document).axes) == 1
