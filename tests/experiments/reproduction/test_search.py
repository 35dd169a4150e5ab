"""The search: what is tried, that killing it changes nothing, and Table VI made with it."""

import json
import math
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from pydantic import ValidationError

from influpath.errors import ConfigError
from influpath.experiments.reproduction.config import SearchConfig
from influpath.experiments.reproduction.search import (
    FEWEST_TRIALS,
    Measured,
    Rate,
    Tried,
    importance,
    search,
)
from influpath.experiments.reproduction.search_space import Settings, Space

SPACE = Space(
    values={"layers": [1, 2, 3, 4, 5, 6], "d": [10, 20, 30, 40], "heads": [1, 2, 3, 4, 5, 6, 7, 8]},
    ranges={"lr": (1e-4, 1e-2)},
    divisors={"heads": "d"},
)
FIRST: Settings = {"layers": 6, "d": 30, "heads": 6, "lr": 0.003}
CONFIG = SearchConfig(trials=14, batch=2, rungs=(2, 5), seed=3)


def quality(settings: Settings, epochs: int) -> Measured | None:
    """Return a score that a few settings decide; very fast learning diverges."""
    if settings["lr"] > 0.004:
        return None
    score = -abs(settings["layers"] - 4) + math.log10(settings["lr"]) + 0.01 * settings["heads"]
    return {"score": score * (1 + 1 / epochs), "epochs": float(epochs)}


def rate(batch: Sequence[Settings], epochs: int) -> list[Measured | None]:
    return [quality(settings, epochs) for settings in batch]


def record(path: Path) -> list[Any]:
    """Return a journal without its dates."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for entry in lines:
        for key in ("datetime_start", "datetime_complete", "worker_id"):
            entry.pop(key, None)
    return lines


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Tried], Path]:
    path = tmp_path_factory.mktemp("search") / "undisturbed.journal"
    return search(SPACE, CONFIG, rate, path, [FIRST]), path


# What may be tried ------------------------------------------------------------------------------


def draws(count: int) -> Iterator[dict[str, Any]]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(count):
        yield study.ask(SPACE.distributions()).params


def test_every_draw_is_in_the_space_and_heads_divide_d() -> None:
    seen = [SPACE.settings_of(params) for params in draws(300)]
    for settings in seen:
        assert settings["d"] % settings["heads"] == 0
        assert all(settings[name] in values for name, values in SPACE.values.items())
        assert 1e-4 <= settings["lr"] <= 1e-2
    for d, heads in ((10, {1, 2, 5}), (20, {1, 2, 4, 5}), (30, {1, 2, 3, 5, 6})):
        assert {s["heads"] for s in seen if s["d"] == d} == heads
    # Evenly on a logarithmic scale: half of the draws are below the geometric middle.
    assert np.mean([s["lr"] < 1e-3 for s in seen]) == pytest.approx(0.5, abs=0.1)


def test_settings_are_drawn_by_the_params_that_stand_for_them() -> None:
    for params in draws(50):
        settings = SPACE.settings_of(params)
        assert SPACE.settings_of(SPACE.params_of(settings)) == settings


@pytest.mark.parametrize(
    "change", [{"layers": 7}, {"heads": 4}, {"heads": 9}, {"lr": 0.1}, {"d": 64}]
)
def test_settings_outside_of_the_space_are_refused(change: Settings) -> None:
    with pytest.raises(ConfigError, match=next(iter(change))):
        SPACE.params_of(FIRST | change)


def test_rungs_must_rise() -> None:
    with pytest.raises(ValidationError, match="more epochs"):
        SearchConfig(rungs=(4, 4))


# The search -------------------------------------------------------------------------------------


def test_trials_go_through_every_rung_unless_they_fall_behind(
    undisturbed: tuple[list[Tried], Path],
) -> None:
    tried, _ = undisturbed
    assert [trial.number for trial in tried] == list(range(CONFIG.trials))
    assert (tried[0].settings, tried[0].fixed, tried[0].state) == (FIRST, True, "complete")
    assert not any(trial.fixed for trial in tried[1:])
    assert {trial.state for trial in tried} == {"complete", "pruned", "diverged"}
    for trial in tried:
        expected = [quality(trial.settings, epochs) for epochs in CONFIG.rungs]
        if trial.state == "diverged":
            assert trial.rungs == [None]
        else:
            assert trial.rungs == expected[: len(trial.rungs)]
            assert (len(trial.rungs) == 2) == (trial.state == "complete")


def test_those_that_go_on_are_the_better_half_so_far(
    undisturbed: tuple[list[Tried], Path],
) -> None:
    """Successive halving: in the best half of those that reached the rung when it is decided."""
    tried, _ = undisturbed
    before: list[float] = []
    for trial in tried:
        if trial.rungs[0] is None:
            continue
        score = trial.rungs[0]["score"]
        before.append(score)
        best = sorted(before, reverse=True)[: max(1, len(before) // 2)]
        assert (trial.state == "complete") == (score >= best[-1])


class Killed(BaseException):
    """Stands for the end of the process."""


def killed_at(calls: int, whole: bool) -> Rate:
    """Return a rate that ends everything when it is called for the n-th time, or after it."""
    made = 0

    def rate_until(batch: Sequence[Settings], epochs: int) -> list[Measured | None]:
        nonlocal made
        made += 1
        if made == calls and not whole:
            raise Killed
        found = rate(batch, epochs)
        if made == calls:
            raise Killed
        return found

    return rate_until


@pytest.mark.parametrize("whole", [False, True])
def test_a_search_killed_again_and_again_is_the_undisturbed_one(
    undisturbed: tuple[list[Tried], Path], tmp_path: Path, whole: bool
) -> None:
    """Killed within every batch, at every rung, and started again."""
    expected, journal = undisturbed
    path = tmp_path / journal.name
    lives = 0
    # Two calls of rate finish a batch, so every third kills the second batch of that life.
    for calls in (1, 2, 3, 4) * 10:
        lives += 1
        try:
            found = search(SPACE, CONFIG, killed_at(calls, whole), path, [FIRST])
            break
        except Killed:
            continue
    assert lives > 8
    assert found == expected
    assert record(path) == record(journal)


def test_a_search_killed_between_the_trials_of_a_batch_goes_on_with_the_same(
    undisturbed: tuple[list[Tried], Path], tmp_path: Path
) -> None:
    """Only some of a batch's lines are in the journal, the last of them half written."""
    expected, journal = undisturbed
    lines = journal.read_bytes().splitlines(keepends=True)
    trials = [n for n, line in enumerate(lines) if b'"params"' in line]
    assert len(trials) == CONFIG.trials
    for kept in range(len(lines) + 1):
        for part in (0.0, 0.6):
            path = tmp_path / str(kept) / str(part) / journal.name
            path.parent.mkdir(parents=True)
            torn = lines[kept][: int(part * len(lines[kept]))] if kept < len(lines) else b""
            path.write_bytes(b"".join(lines[:kept]) + torn)
            assert search(SPACE, CONFIG, rate, path, [FIRST]) == expected
            assert record(path) == record(journal)


def test_a_finished_search_measures_nothing(undisturbed: tuple[list[Tried], Path]) -> None:
    expected, journal = undisturbed
    assert search(SPACE, CONFIG, killed_at(1, False), journal, [FIRST]) == expected


def test_a_longer_search_begins_with_the_shorter_one(
    undisturbed: tuple[list[Tried], Path], tmp_path: Path
) -> None:
    expected, _ = undisturbed
    path = tmp_path / "short.journal"
    for trials in (3, 5, CONFIG.trials):
        config = CONFIG.model_copy(update={"trials": trials})
        assert search(SPACE, config, rate, path, [FIRST]) == expected[:trials]


def test_the_seed_decides_what_is_tried(
    undisturbed: tuple[list[Tried], Path], tmp_path: Path
) -> None:
    expected, _ = undisturbed
    other = CONFIG.model_copy(update={"seed": 4})
    found = search(SPACE, other, rate, tmp_path / "other.journal", [FIRST])
    assert found[0] == expected[0]
    assert {str(t.settings) for t in found[1:]}.isdisjoint(str(t.settings) for t in expected[1:])


def test_the_search_learns(tmp_path: Path) -> None:
    """After its random beginning it tries better settings than at random."""
    config = SearchConfig(trials=40, batch=2, rungs=(1,), seed=0)

    def score(batch: Sequence[Settings], epochs: int) -> list[Measured | None]:
        return [{"score": -abs(s["layers"] - 4.0) - abs(math.log(s["lr"] / 1e-3))} for s in batch]

    tried = search(SPACE, config, score, tmp_path / "learns.journal")
    scores = [trial.rungs[0]["score"] for trial in tried if trial.rungs[0] is not None]
    assert np.mean(scores[20:]) > np.mean(scores[:8]) + 0.5


def test_optuna_says_nothing_of_its_own(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = optuna.logging.get_verbosity()
    search(SPACE, CONFIG.model_copy(update={"trials": 2}), rate, tmp_path / "quiet.journal")
    assert "Trial 0" not in capfd.readouterr().err
    assert optuna.logging.get_verbosity() == before


SCRIPT = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.experiments.reproduction.test_search import CONFIG, FIRST, SPACE, rate
from influpath.experiments.reproduction.search import search

def slowly(batch, epochs):
    print("at work", flush=True)
    time.sleep(0.05)
    return rate(batch, epochs)

search(SPACE, CONFIG, slowly, Path(sys.argv[1]), [FIRST])
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_killing_the_process_changes_nothing(
    undisturbed: tuple[list[Tried], Path], tmp_path: Path
) -> None:
    expected, journal = undisturbed
    path = tmp_path / journal.name
    root = str(Path(__file__).parents[3])
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(path), root], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    # One batch is written, the next is at its second rung.
    for _ in range(4):
        assert process.stdout.readline() == "at work\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert 2 <= sum("params" in entry for entry in record(path)) < CONFIG.trials
    assert search(SPACE, CONFIG, rate, path, [FIRST]) == expected
    assert record(path) == record(journal)


# Importance -------------------------------------------------------------------------------------


FEW = 20


def made_up(count: int, score: Any) -> list[Tried]:
    found = [SPACE.settings_of(params) for params in draws(count)]
    return [Tried(n, s, False, "complete", [{"score": score(s)}]) for n, s in enumerate(found)]


def test_the_setting_that_decides_is_important_and_the_others_are_not() -> None:
    tried = made_up(80, lambda s: -abs(math.log(s["lr"] / 2e-3)))
    whole = importance(SPACE, tried, 1, FEW)
    assert whole is not None
    found = whole["settings"]
    assert list(found) == ["layers", "d", "heads", "lr"]
    assert sum(row["importance"] for row in found.values()) == pytest.approx(1, abs=1e-4)
    assert found["lr"]["importance"] > max(0.5, found["lr"]["chance"])
    assert all(found[name]["importance"] < found[name]["chance"] for name in ("layers", "d"))
    assert 0.05 <= whole["by_chance"] <= 0.4
    assert importance(SPACE, tried, 1, FEW) == whole


def test_importance_is_of_no_meaning_for_few_trials_or_equal_ones() -> None:
    assert importance(SPACE, made_up(FEWEST_TRIALS - 1, lambda s: s["lr"]), 0, FEW) is None
    assert importance(SPACE, made_up(FEWEST_TRIALS, lambda s: s["lr"]), 0, FEW) is not None
    assert importance(SPACE, made_up(30, lambda s: 1.0), 0, FEW) is None


def test_trials_that_diverged_do_not_count_for_importance() -> None:
    tried = made_up(20, lambda s: s["lr"])
    diverged = [Tried(20, FIRST, True, "diverged", [None])]
    assert importance(SPACE, [*tried, *diverged], 0, FEW) == importance(SPACE, tried, 0, FEW)
