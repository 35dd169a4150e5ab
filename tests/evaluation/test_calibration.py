"""Temperature and calibration error."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from influpath.data import leave_last_out
from influpath.evaluation import calibrate, judge_at, judge_paths
from influpath.evaluation.calibration import (
    at_temperature,
    calibration_error,
    fit_temperature,
    mean_loss,
)
from influpath.planning.algorithm import plan
from influpath.planning.direct import DirectPlanner
from influpath.recommenders.sasrec import SASRec
from influpath.testing import tiny_dataset, tiny_pairs


def predictions(rows: int, items: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, items, generator=generator).mul(2).log_softmax(1)


def draws(log_probs_RI: torch.Tensor, seed: int) -> np.ndarray:
    generator = torch.Generator().manual_seed(seed)
    drawn: np.ndarray = torch.multinomial(log_probs_RI.exp(), 1, generator=generator)[:, 0].numpy()
    return drawn + 1


@pytest.mark.parametrize("truth", [0.6, 1.0, 1.7])
def test_the_temperature_of_the_truth_is_found(truth: float) -> None:
    claimed = predictions(20_000, 12, seed=1)
    targets = draws(at_temperature(claimed, truth), seed=2)
    assert fit_temperature(claimed, targets) == pytest.approx(truth, rel=0.03)
    honest = calibration_error(at_temperature(claimed, truth), targets, k=5)
    assert honest < 0.01
    if truth != 1:
        assert calibration_error(claimed, targets, k=5) > 5 * honest


def test_the_error_by_hand() -> None:
    # Top items 0.5 and 0.8; the first comes next, the second does not.
    probabilities = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1]])
    targets = np.array([1, 3])
    assert calibration_error(probabilities.log(), targets, k=1, bins=2) == pytest.approx(
        (abs(0.5 - 1) + abs(0.8 - 0)) / 2
    )
    assert calibration_error(probabilities.log(), targets, k=1, bins=1) == pytest.approx(
        abs(0.65 - 0.5)
    )
    assert mean_loss(probabilities.log(), targets) == pytest.approx(-np.log([0.5, 0.1]).mean())


@given(st.floats(0.2, 5.0), st.integers(0, 100))
@settings(max_examples=20, deadline=None)
def test_a_temperature_keeps_the_order_and_a_distribution(temperature: float, seed: int) -> None:
    claimed = predictions(3, 8, seed)
    rescaled = at_temperature(claimed, temperature)
    assert torch.equal(claimed.argsort(1), rescaled.argsort(1))
    torch.testing.assert_close(rescaled.exp().sum(1), torch.ones(3))
    assert at_temperature(claimed, 1.0) is claimed


def test_a_judge_at_its_temperature() -> None:
    dataset = tiny_dataset()
    split = leave_last_out(dataset)
    judge = SASRec(embedding_size=8, blocks=1, training={"epochs": 2}).fit(split.train)
    calibration = calibrate(judge, split)
    assert calibration.measured_on == len(dataset.sequences)
    assert 0 < calibration.fitted_on < calibration.measured_on
    assert calibration.to_dict()["temperature"] == pytest.approx(calibration.temperature, abs=1e-6)
    pairs = tiny_pairs(dataset)
    paths = plan(DirectPlanner(dataset.items), pairs, split.train, max_length=3)
    plain, same, other = (
        judge_paths(judge, pairs, paths, split.train, temperature) for temperature in (1, 1.0, 2.0)
    )
    np.testing.assert_array_equal(plain.item_log_probs, same.item_log_probs)
    np.testing.assert_array_equal(plain.item_ranks, other.item_ranks)
    np.testing.assert_array_equal(plain.objective_ranks, other.objective_ranks)
    # Twice as hot is flatter: closer to equal shares.
    share = -np.log(len(dataset.items))
    closer = np.abs(other.item_log_probs - share).mean()
    assert 0 < closer < 0.7 * np.abs(plain.item_log_probs - share).mean()
    # In one reading, whatever comes first.
    both = judge_at(judge, pairs, paths, split.train, (2.0, 1.0))
    for together, alone in zip(both, (other, plain), strict=True):
        for name in ("item_log_probs", "objective_log_probs", "item_ranks", "objective_ranks"):
            np.testing.assert_array_equal(getattr(together, name), getattr(alone, name))
