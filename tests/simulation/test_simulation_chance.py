"""Random numbers that are a function of seed, pair, round and purpose."""

import numpy as np
from scipy import stats

from influpath.simulation.chance import Chance, Purpose

PAIRS = np.arange(4000, dtype=np.int64)
ONES = np.ones(4000, dtype=np.int64)


def test_numbers_are_uniform_and_independent() -> None:
    columns = [
        Chance.of(seed, PAIRS).uniform(ONES * number, purpose)
        for seed in (1, 2)
        for number in (1, 2)
        for purpose in Purpose
    ]
    for column in columns:
        assert column.min() >= 0
        assert column.max() < 1
        assert stats.kstest(column, "uniform").pvalue > 1e-4
        # Neighbouring pairs have nothing to do with each other.
        assert abs(np.corrcoef(column[1:], column[:-1])[0, 1]) < 0.07
    correlations = np.corrcoef(columns) - np.eye(len(columns))
    assert np.abs(correlations).max() < 0.07


def test_a_number_depends_on_its_row_alone() -> None:
    chance = Chance.of(5, PAIRS)
    rounds = 1 + PAIRS % 20
    numbers = chance.uniform(rounds, Purpose.LEAVE)
    some = np.array([7, 3999, 0])
    few = Chance.of(5, PAIRS[some]).uniform(rounds[some], Purpose.LEAVE)
    assert few.tolist() == numbers[some].tolist()
    assert Chance(chance.keys_B[some]).uniform(rounds[some], Purpose.LEAVE).tolist() == few.tolist()
    seeds = np.full(3, 5, dtype=np.uint64)
    assert Chance.of(seeds, PAIRS[some]).keys_B.tolist() == chance.keys_B[some].tolist()
    # Negative ids are ids too.
    assert Chance.of(5, np.array([-1])).keys_B != Chance.of(5, np.array([1])).keys_B
