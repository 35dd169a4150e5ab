import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from influpath.evaluation import Interval, bootstrap_mean, bootstrap_means, paired_difference
from influpath.evaluation import intervals as module

NUMBERS = st.floats(-1e6, 1e6)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.one_of(NUMBERS, st.just(math.nan)), max_size=30), st.integers(0, 99))
def test_the_interval_contains_the_mean(values: list[float], seed: int) -> None:
    result = bootstrap_mean(values, seed, resamples=100)
    defined = [value for value in values if not math.isnan(value)]
    assert result.count == len(defined)
    if not defined:
        assert math.isnan(result.mean)
        return
    assert result.mean == pytest.approx(np.mean(defined), abs=1e-6)
    low, high = result.ci95
    assert min(defined) - 1e-6 <= low <= result.mean <= high <= max(defined) + 1e-6


def test_width_agrees_with_the_standard_error() -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, size=400)
    low, high = bootstrap_mean(values, seed=1).ci95
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.08)


def test_memory_blocks_do_not_change_much_and_seeds_decide(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = np.random.default_rng(0).normal(size=50)
    one = bootstrap_mean(values, seed=1)
    assert one == bootstrap_mean(values, seed=1)
    assert one != bootstrap_mean(values, seed=2)
    monkeypatch.setattr(module, "BLOCK_DRAWS", 60)
    blocks = bootstrap_mean(values, seed=1)
    assert blocks.ci95 == pytest.approx(one.ci95, abs=0.03)


def test_values_of_one_user_are_drawn_together() -> None:
    users = np.repeat(np.arange(20), 30)
    values = np.repeat(np.random.default_rng(0).normal(size=20), 30)
    low, high = bootstrap_mean(values, seed=0, users=users).ci95
    apart_low, apart_high = bootstrap_mean(values, seed=0).ci95
    assert (high - low) / (apart_high - apart_low) == pytest.approx(30**0.5, rel=0.2)
    by_user = bootstrap_mean(values[::30], seed=0)
    assert by_user.ci95 == pytest.approx((low, high))


def test_columns_share_resamples() -> None:
    values = np.random.default_rng(0).normal(size=(30, 3))
    values[:10, 1] = np.nan
    for column, interval in enumerate(bootstrap_means(values, seed=5)):
        alone = bootstrap_mean(values[:, column], seed=5)
        assert interval.count == alone.count == (20 if column == 1 else 30)
        assert interval.mean == pytest.approx(alone.mean)
        assert interval.ci95 == pytest.approx(alone.ci95)


def test_paired_difference_uses_pairs_that_both_define() -> None:
    a = np.array([1.0, 2.0, np.nan, 4.0])
    b = np.array([0.5, np.nan, 3.0, 3.5])
    result = paired_difference(a, b, seed=0)
    assert result == Interval(0.5, (0.5, 0.5), 2)
    with pytest.raises(ValueError, match="same pairs"):
        paired_difference(a, b[:2], seed=0)


def test_infinite_values_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        bootstrap_mean([1.0, math.inf], seed=0)


def test_json_round_trip() -> None:
    interval = Interval(0.5, (0.25, 0.75), 12)
    assert interval.to_dict() == {"mean": 0.5, "ci95": [0.25, 0.75], "n": 12}
    assert Interval.from_dict(interval.to_dict()) == interval
    empty = bootstrap_mean([], seed=0)
    assert empty.to_dict() == {"mean": None, "ci95": [None, None], "n": 0}
    assert math.isnan(Interval.from_dict(empty.to_dict()).mean)
