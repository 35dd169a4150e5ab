"""Rank correlations against scipy, and what their intervals say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from influpath.experiments.closed_loop.correlations import kendall, rank_correlations, spearman


@given(
    st.lists(st.tuples(*[st.integers(-3, 3)] * 2), min_size=3, max_size=12).filter(
        lambda pairs: all(len(set(column)) > 1 for column in zip(*pairs, strict=True))
    )
)
def test_they_are_scipys(pairs: list[tuple[int, int]]) -> None:
    a, b = np.array(pairs, dtype=np.float64).T
    assert spearman(a[None], b[None])[0] == pytest.approx(stats.spearmanr(a, b).statistic)
    assert kendall(a[None], b[None])[0] == pytest.approx(stats.kendalltau(a, b).statistic)


def test_intervals_tell_signal_from_noise() -> None:
    rng = np.random.default_rng(1)
    points = np.linspace(0, 1, 12)
    true = points + rng.normal(size=(400, 12)) * 0.3
    good = points + rng.normal(size=(400, 12)) * 0.3
    noise = rng.normal(size=(400, 12))
    good[5, 3] = np.nan
    found = rank_correlations([good, -good, noise, np.ones_like(true)], true, seed=1, resamples=400)
    assert found[0]["rho"]["value"] > 0.95
    assert found[0]["rho"]["ci95"][0] > 0.9
    assert found[1]["tau"]["value"] == pytest.approx(-found[0]["tau"]["value"])
    low, high = found[2]["rho"]["ci95"]
    assert low < 0 < high
    assert found[3]["rho"] == {"value": None, "ci95": [None, None]}
