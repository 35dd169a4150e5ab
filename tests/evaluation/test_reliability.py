"""Calibration, discrimination and sharpness of predicted probabilities."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from influpath.evaluation.reliability import area_under_curve, reliability

CASES = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]), st.booleans()),
    min_size=1,
    max_size=40,
)


@settings(deadline=None, max_examples=30)
@given(CASES)
def test_the_auc_is_how_often_a_true_one_is_above_a_false_one(
    cases: list[tuple[float, bool]],
) -> None:
    p, y = (np.array(column, dtype=float) for column in zip(*cases, strict=True))
    pairs = [(a > b) + 0.5 * (a == b) for a in p[y == 1] for b in p[y == 0]]
    found = area_under_curve(p, y)
    assert found == pytest.approx(np.mean(pairs)) if pairs else np.isnan(found)


@settings(deadline=None, max_examples=30)
@given(CASES, st.integers(1, 12))
def test_bins_hold_every_prediction_once_in_order(
    cases: list[tuple[float, bool]], bins: int
) -> None:
    p, y = (np.array(column, dtype=float) for column in zip(*cases, strict=True))
    found = reliability(p, y, seed=1, bins=bins)
    sizes = [each.happened.count for each in found.bins]
    assert sum(sizes) == len(p) == found.count
    assert max(sizes) - min(sizes) <= 1
    means = [each.predicted for each in found.bins]
    assert means == pytest.approx(sorted(means))
    gaps = [abs(each.predicted - each.happened.mean) for each in found.bins]
    assert found.ece == pytest.approx(np.average(gaps, weights=sizes))
    assert found.brier.mean == pytest.approx(np.mean((p - y) ** 2))


def test_true_probabilities_are_calibrated_and_wrong_ones_are_not() -> None:
    rng = np.random.default_rng(3)
    p = rng.beta(1, 3, size=5000)
    y = rng.random(5000) < p
    honest = reliability(p, y, seed=1)
    assert honest.ece < 0.03
    assert honest.ece == pytest.approx(honest.ece_by_chance, abs=0.01)
    assert honest.brier.mean < honest.brier_of_the_mean
    wrong = reliability(np.sqrt(p), y, seed=1)
    assert wrong.ece > 0.15
    assert wrong.auc == pytest.approx(honest.auc)


@pytest.mark.parametrize("given", [([], []), ([0.5], [1, 0]), ([1.5], [1])])
def test_what_is_no_probability_is_refused(given: tuple[list[float], list[float]]) -> None:
    with pytest.raises(ValueError, match="one probability per outcome"):
        reliability(*given, seed=1)
