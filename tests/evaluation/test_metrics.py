"""Every metric on five items and four pairs, worked out by hand.

P(. | last item), the same for every user:

    last    1     2     3     4     5
    1     0.10  0.40  0.30  0.15  0.05
    2     0.10  0.10  0.50  0.10  0.20
    3     0.05  0.10  0.05  0.30  0.50
    4     0.20  0.20  0.20  0.20  0.20
    5     0.30  0.20  0.25  0.20  0.05

All histories are [1].  Pairs, objective 5:
    A  path 2 3 5   reaches      B  path 2 3    fails
    C  path 5       direct       D  no path
"""

from math import log

import numpy as np
import pytest
from numpy.testing import assert_allclose

from influpath.evaluation import METRICS, Judgement, catalogue_coverage, judge_paths

from .fakes import MarkovJudge, make_dataset, make_pairs, make_paths

TABLE = [
    [0.20, 0.20, 0.20, 0.20, 0.20],
    [0.10, 0.40, 0.30, 0.15, 0.05],
    [0.10, 0.10, 0.50, 0.10, 0.20],
    [0.05, 0.10, 0.05, 0.30, 0.50],
    [0.20, 0.20, 0.20, 0.20, 0.20],
    [0.30, 0.20, 0.25, 0.20, 0.05],
]
NAN = np.nan
# -log P of the items of path A: 2 after 1, 3 after 2, 5 after 3.
A_STEPS = [-log(0.4), -log(0.5), -log(0.5)]


@pytest.fixture(scope="module")
def judgement() -> Judgement:
    data = make_dataset([[1]] * 4, items=5)
    objectives = [5, 5, 5, 5]
    paths = make_paths([[2, 3, 5], [2, 3], [5], []], objectives)
    return judge_paths(MarkovJudge(data, TABLE), make_pairs(objectives), paths, data)


EXPECTED: dict[str, list[float]] = {
    "sr": [1, 0, 1, 0],
    # The catalogue is smaller than 20, so whatever is shown is accepted.
    "accepted_sr@20": [1, 0, 1, 0],
    "accepted_sr@100": [1, 0, 1, 0],
    # From 0.05 after item 1 to 0.50 after item 3, in A before 5 is shown.
    "ioi": [log(10), log(10), 0, 0],
    # A and B leave out 1, 2, 3: of items 4 and 5, 5 is second after 1 and first after 3.
    "ior": [1, 1, 0, 0],
    "log_ppl": [sum(A_STEPS) / 3, sum(A_STEPS[:2]) / 2, -log(0.05), NAN],
    "worst_step": [-log(0.4), -log(0.4), -log(0.05), NAN],
    "acceptance@20": [1, 1, 1, NAN],
    "arrival@20": [1, 1, 1, 1],
    "length": [3, 2, 1, 0],
    "repeat_rate": [0, 0, 0, NAN],
}


@pytest.mark.parametrize("name", list(METRICS))
def test_hand_computed(judgement: Judgement, name: str) -> None:
    values = METRICS[name].function(judgement)
    assert values.dtype == np.float64
    assert_allclose(values, EXPECTED[name], atol=1e-6)


def test_names_are_those_of_the_result_files() -> None:
    assert list(METRICS) == list(EXPECTED)
    assert all(metric.description for metric in METRICS.values())


def test_ranks_along_the_path(judgement: Judgement) -> None:
    # Shown items.  A: 2 is first after 1 (0.40); 3 is first after 2 among 3, 4, 5; 5 is first
    # after 3 among 4, 5.  C: 5 is last of 2, 3, 4, 5 after 1.
    assert judgement.item_ranks.tolist() == [1, 1, 1, 1, 1, 4]
    # The objective.  A: of 4, 5 after 1: 2nd; after 2: 1st; after 3: 1st; after 5: 2nd.
    # B the same without the last.  C: 4th before, and of 2..5 last after 5.  D: 4th.
    assert judgement.objective_ranks.tolist() == [2, 1, 1, 2, 2, 1, 1, 4, 4, 4]


def test_thresholds_count(judgement: Judgement) -> None:
    from influpath.evaluation.metrics import acceptance, accepted_success, arrival

    assert_allclose(accepted_success(judgement, k=3), [1, 0, 0, 0])
    assert_allclose(acceptance(judgement, k=3), [1, 1, 0, NAN])
    # C just before 5 is shown and D, which shows nothing, have 5 on rank 4.
    assert_allclose(arrival(judgement, k=3), [1, 1, 0, 0])


def test_coverage_counts_distinct_items(judgement: Judgement) -> None:
    assert catalogue_coverage(judgement) == pytest.approx(3 / 5)


def test_repeats_are_counted_in_history_and_path() -> None:
    data = make_dataset([[1, 4]], items=5)
    paths = make_paths([[2, 1, 2, 3]], [5])
    result = judge_paths(MarkovJudge(data, TABLE), make_pairs([5]), paths, data)
    assert result.repeated.tolist() == [False, True, True, False]
    assert_allclose(METRICS["repeat_rate"].function(result), [0.5])


def test_both_ranks_of_ior_leave_out_the_same_items() -> None:
    # After 1 the objective 4 (0.15) is behind 2 and 3; after 3 it is behind 5.  Leaving out only
    # the history before and the path after would give 3 - 2 = 1 place, although of the items
    # that stay, 4 and 5, it falls from first to second.
    data = make_dataset([[1]], items=5)
    paths = make_paths([[2, 3]], [4])
    result = judge_paths(MarkovJudge(data, TABLE), make_pairs([4]), paths, data)
    assert_allclose(METRICS["ior"].function(result), [-1])
