"""Schedules, stopping and bookkeeping, on a task whose validation follows a script."""

import logging
import math
import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from influpath.errors import ConfigError
from influpath.training.loop import (
    Task,
    TrainingConfig,
    TrainingHistory,
    scheduled,
    seeded,
    train,
)
from influpath.training.progress import Progress, clock


class Scripted(Task):
    """One weight that grows by training; validation gives the next value of a script."""

    label = "scripted"
    criterion = "figure"

    def __init__(self, script: list[float], higher_is_better: bool = True) -> None:
        self.module = nn.Linear(1, 1, bias=False)
        self.weight = self.module.weight
        nn.init.zeros_(self.weight)
        self.script, self.higher_is_better = list(script), higher_is_better
        self.weights: list[float] = []
        self.drawn: list[tuple[float, float]] = []

    def batches(self, rng: np.random.Generator) -> list[Any]:
        return [0, 1]

    def loss(self, batch: Any, rng: np.random.Generator) -> tuple[Tensor, int]:
        assert self.module.training
        self.drawn.append((rng.random(), float(torch.rand(()))))
        return -self.weight.sum(), 3

    def validate(self) -> dict[str, float]:
        assert not self.module.training
        assert not torch.is_grad_enabled()
        self.weights.append(self.weight.item())
        return {"figure": self.script[len(self.weights) - 1], "other": 1.0}


def rates(history: TrainingHistory) -> list[float]:
    return [entry["learning_rate"] for entry in history.epochs]


def test_plateau_halves_the_rate_when_validation_stagnates() -> None:
    task = Scripted([1, 2, 2, 1.5, 2, 3, 1, 1, 1, 1])
    config = TrainingConfig(
        epochs=10, learning_rate=0.8, schedule="plateau", plateau_patience=1, patience=9
    )
    history = train(task, config, seed=0)
    # Epochs 3 and 4 do not improve: the second one halves.  Epoch 6 starts the count anew.
    assert rates(history) == [0.8, 0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.4, 0.2, 0.2]
    assert (history.best_epoch, history.best) == (6, 3)


def test_the_rate_reaches_the_optimizer() -> None:
    """Adam's first steps on a constant gradient have the size of the rate."""
    task = Scripted([1, 0, 0])
    config = TrainingConfig(
        epochs=3, learning_rate=0.1, schedule="plateau", plateau_patience=0, patience=9
    )
    train(task, config, seed=0)
    assert np.diff([0.0, *task.weights]) == pytest.approx([0.2, 0.2, 0.1], rel=1e-3)


@pytest.mark.parametrize("higher_is_better", [True, False])
def test_early_stop_keeps_the_best_weights(higher_is_better: bool) -> None:
    sign = 1 if higher_is_better else -1
    task = Scripted([sign * value for value in (1, 3, 2, 3, 1, 9)], higher_is_better)
    config = TrainingConfig(epochs=20, learning_rate=0.1, schedule="plateau", patience=3)
    history = train(task, config, seed=0)
    assert len(history.epochs) == 5
    assert (history.best_epoch, history.best) == (2, sign * 3)
    assert task.weight.item() == task.weights[1]
    assert not task.module.training


def test_validation_every_few_epochs_and_at_the_end() -> None:
    task = Scripted([1, 2, 3])
    history = train(task, TrainingConfig(epochs=5, validate_every=2), seed=0)
    assert [e["epoch"] for e in history.epochs if "figure" in e] == [2, 4, 5]
    assert [e["loss"] for e in history.epochs] == sorted(
        (e["loss"] for e in history.epochs), reverse=True
    )


def test_batches_without_positions_are_skipped() -> None:
    class Empty(Scripted):
        def loss(self, batch: Any, rng: np.random.Generator) -> tuple[Tensor, int]:
            loss, _ = super().loss(batch, rng)
            return (loss * 0, 0) if batch == 1 else (loss, 3)

    task = Empty([1])
    train(task, TrainingConfig(epochs=1, learning_rate=0.1, schedule="plateau"), seed=0)
    assert task.weights == pytest.approx([0.1])


def test_cosine_warms_up_and_decays_to_nothing() -> None:
    config = TrainingConfig(epochs=10, warmup=0.2, schedule="cosine")
    found = [scheduled(config, 2.0, done) for done in np.linspace(0, 10, 101)]
    assert found[0] == pytest.approx(0.002)
    assert found[10] == pytest.approx(1.0)
    assert found[20] == max(found) == pytest.approx(2.0)
    assert found[60] == pytest.approx(1.0)
    assert found[100] == pytest.approx(0.0)
    assert found[:21] == sorted(found[:21])
    assert found[20:] == sorted(found[20:], reverse=True)
    assert scheduled(TrainingConfig(warmup=0), 2.0, 0) == 2.0


def test_every_epoch_has_randomness_of_its_own_and_the_callers_is_left_alone() -> None:
    def drawn(seed: int) -> list[tuple[float, float]]:
        task = Scripted([1] * 3)
        torch.manual_seed(seed * 100)
        before = torch.random.get_rng_state()
        train(task, TrainingConfig(epochs=3), seed=seed)
        assert torch.equal(torch.random.get_rng_state(), before)
        return task.drawn

    first = drawn(1)
    assert first == drawn(1)
    assert not set(first) & set(drawn(2))
    assert len(set(first)) == 6


def test_seeded_restores_the_generator_after_an_error() -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()

    def fail() -> None:
        with seeded(1, 2):
            torch.rand(3)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_gradient_norm_is_bounded() -> None:
    class Steep(Scripted):
        def loss(self, batch: Any, rng: np.random.Generator) -> tuple[Tensor, int]:
            return -1e6 * self.weight.sum(), 1

        def validate(self) -> dict[str, float]:
            gradient = self.weight.grad
            assert gradient is not None
            return {"figure": float(gradient.norm())}

    history = train(Steep([]), TrainingConfig(epochs=1, clip_norm=0.5), seed=0)
    assert history.best == pytest.approx(0.5, rel=1e-4)


def test_history_as_plain_values() -> None:
    history = train(Scripted([1, 2]), TrainingConfig(epochs=2), seed=0)
    values = history.to_dict()
    assert values["best"] == 2
    assert values["best_epoch"] == 2
    assert [set(entry) for entry in values["epochs"]] == [
        {"epoch", "loss", "learning_rate", "figure", "other", "seconds"}
    ] * 2
    assert TrainingHistory().to_dict()["best"] is None
    assert math.isnan(TrainingHistory().best)


def test_wrong_settings_name_the_key() -> None:
    with pytest.raises(ConfigError, match=r"learning_rate.*given: 0"):
        TrainingConfig.parse({"learning_rate": 0}, "here")
    with pytest.raises(ConfigError, match="epoch:"):
        TrainingConfig.parse({"epoch": 3}, "here")


def test_progress_is_logged_with_the_time_left(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "influpath.training"):
        train(Scripted([0.25, 0.5]), TrainingConfig(epochs=2), seed=0)
    assert len(caplog.messages) == 2
    assert "scripted: epoch 1/2" in caplog.messages[0]
    assert "figure 0.2500" in caplog.messages[0]
    assert "best at 2" in caplog.messages[1]
    assert "at most 0.0 s left" in caplog.messages[1]


def test_batches_redraw_a_line_on_terminals_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Progress("quiet", 2).batch(1, 1, 4, 0.5)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    shown = Progress("loud", 2)
    shown.start_epoch()
    shown.batch(1, 1, 4, 0.5)
    shown.batch(1, 2, 4, 0.5)
    text = capsys.readouterr().err
    assert "loud: epoch 1/2, batch 1/4, loss 0.5000" in text
    assert "batch 2/4" not in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.96, "10.0 s"), (48, "48 s"), (720, "12 min"), (9000, "2.5 h")],
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
