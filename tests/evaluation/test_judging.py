"""judge_paths against slow loops written straight from formulas 11 to 14, and its invariances."""

import math
import threading
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from influpath.data.sequences import Sequences
from influpath.errors import ResultError, UnknownIdError
from influpath.evaluation import METRICS, Judgement, evaluate, judge_paths, judging

from .fakes import (
    Case,
    FakeJudge,
    FakePaths,
    HashJudge,
    MarkovJudge,
    make_dataset,
    make_pairs,
    make_paths,
    random_case,
)

FAST = settings(deadline=None, max_examples=40)


def reference(judge: FakeJudge, case: Case) -> dict[str, list[float]]:
    """All metrics, one pair, one item and one comparison at a time."""

    def probabilities(user: int, sequence: list[int]) -> dict[int, float]:
        row = judge.log_probs(Sequences.from_rows([sequence]), np.array([user]))[0]
        return {number: float(row[number - 1]) for number in range(1, judge.item_count + 1)}

    def rank(log_p: dict[int, float], item: int, left_out: set[int]) -> int:
        better = [i for i in log_p if i not in left_out and log_p[i] > log_p[item]]
        return 1 + len(better)

    result: dict[str, list[float]] = {name: [] for name in METRICS}
    for user, (s_h, i_t, s_p) in enumerate(
        zip(case.histories, case.objectives, case.rows, strict=True)
    ):
        without = [i for i in s_p if i != i_t]
        before, after = probabilities(user, s_h), probabilities(user, s_h + without)
        left_out = set(s_h) | set(without)
        surprise, accepted = [], []
        delivered = math.inf
        for k, item in enumerate(s_p):
            log_p = probabilities(user, s_h + s_p[:k])
            place = rank(log_p, item, set(s_h) | set(s_p[:k]))
            surprise.append(-log_p[item])
            accepted.append(place <= 20)
            if item == i_t:
                delivered = place
        seen = [item in s_h or item in s_p[:k] for k, item in enumerate(s_p)]

        def mean(values: list[Any]) -> float:
            return sum(values) / len(values) if values else math.nan

        row: dict[str, float] = {
            "sr": i_t in s_p,
            "accepted_sr@20": delivered <= 20,
            "accepted_sr@100": delivered <= 100,
            "ioi": after[i_t] - before[i_t],
            "ior": -(rank(after, i_t, left_out) - rank(before, i_t, left_out)),
            "log_ppl": mean(surprise),
            "worst_step": max(surprise, default=math.nan),
            "acceptance@20": mean(accepted),
            "arrival@20": rank(after, i_t, left_out) <= 20,
            "length": len(s_p),
            "repeat_rate": mean(seen),
        }
        for name, value in row.items():
            result[name].append(float(value))
    return result


@FAST
@given(st.integers(0, 10**6), st.sampled_from([25, 40, 150]))
def test_equals_the_slow_reference(seed: int, items: int) -> None:
    case = random_case(seed, items=items)
    judge = HashJudge(case.dataset)
    judgement = judge_paths(judge, case.pairs, case.paths, case.dataset)
    expected = reference(judge, case)
    for name, metric in METRICS.items():
        assert_allclose(metric.function(judgement), expected[name], atol=1e-5, err_msg=name)


def assert_same(a: Judgement, b: Judgement) -> None:
    for name in ("item_log_probs", "item_ranks", "objective_log_probs", "objective_ranks"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


@FAST
@given(st.integers(0, 10**6), st.integers(1, 50), st.booleans())
def test_chunks_and_their_order_do_not_matter(seed: int, chunk: int, reverse: bool) -> None:
    case = random_case(seed)
    one = judge_paths(HashJudge(case.dataset), case.pairs, case.paths, case.dataset)
    judge = HashJudge(case.dataset, chunk=chunk, reverse=reverse)
    assert_same(one, judge_paths(judge, case.pairs, case.paths, case.dataset))


@FAST
@given(st.integers(0, 10**6))
def test_order_of_rows_does_not_matter(seed: int) -> None:
    case = random_case(seed)
    judge = HashJudge(case.dataset)
    one = judge_paths(judge, case.pairs, case.paths, case.dataset)
    shuffled = FakePaths(
        case.paths.steps.sample(fraction=1, shuffle=True, seed=seed),
        case.paths.outcomes.sample(fraction=1, shuffle=True, seed=seed),
    )
    assert_same(one, judge_paths(judge, case.pairs, shuffled, case.dataset))
    order = np.random.default_rng(seed).permutation(len(one))
    other = judge_paths(judge, case.pairs[order], shuffled, case.dataset)
    for metric in METRICS.values():
        np.testing.assert_array_equal(metric.function(other), metric.function(one)[order])


@FAST
@given(st.integers(0, 10**6))
def test_direct_has_success_and_no_influence(seed: int) -> None:
    case = random_case(seed)
    direct = make_paths([[objective] for objective in case.objectives], case.objectives)
    judgement = judge_paths(HashJudge(case.dataset), case.pairs, direct, case.dataset)
    assert (METRICS["sr"].function(judgement) == 1).all()
    assert (METRICS["ioi"].function(judgement) == 0).all()
    assert (METRICS["ior"].function(judgement) == 0).all()


def test_an_unreachable_pair_is_a_failure_that_counts() -> None:
    case = random_case(1, users=2)
    rows = [[case.objectives[0]], []]
    paths = make_paths(rows, case.objectives)
    for outcomes in (paths.outcomes, paths.outcomes.filter(pl.col("length") > 0)):
        given_paths = FakePaths(paths.steps, outcomes)
        result = evaluate(HashJudge(case.dataset), case.pairs, given_paths, case.dataset)
        planner = result.to_dict()["planners"]["planner"]
        assert planner["sr"]["mean"] == 0.5
        assert planner["sr"]["n"] == planner["ioi"]["n"] == planner["ior"]["n"] == 2
        assert planner["log_ppl"]["n"] == 1


def test_no_path_at_all() -> None:
    case = random_case(1, users=3)
    paths = make_paths([[], [], []], case.objectives)
    result = evaluate(HashJudge(case.dataset), case.pairs, paths, case.dataset)
    planner = result.to_dict()["planners"]["planner"]
    assert planner["sr"] == {"mean": 0.0, "ci95": [0.0, 0.0], "n": 3}
    assert planner["log_ppl"] == {"mean": None, "ci95": [None, None], "n": 0}
    assert "n = 0" in result.text()


def test_no_pairs() -> None:
    case = random_case(1, users=3)
    result = evaluate(HashJudge(case.dataset), case.pairs[:0], case.paths, case.dataset)
    assert result.to_dict()["planners"]["planner"]["sr"]["n"] == 0


def test_fewer_pairs_select_their_paths() -> None:
    case = random_case(5)
    judge = HashJudge(case.dataset)
    whole = judge_paths(judge, case.pairs, case.paths, case.dataset)
    part = judge_paths(judge, case.pairs[[4, 1]], case.paths, case.dataset)
    for metric in METRICS.values():
        np.testing.assert_array_equal(metric.function(part), metric.function(whole)[[4, 1]])


def test_the_judge_gets_its_own_user_numbers() -> None:
    case = random_case(3, users=3)
    strangers = make_dataset([[1], [2]], items=30)
    judge = HashJudge(strangers)
    judge_paths(judge, case.pairs, case.paths, case.dataset)
    assert judge.users_seen == {-1, 0, 1}


@pytest.mark.parametrize("parallel", [True, False])
def test_parts_and_threads_do_not_matter(monkeypatch: pytest.MonkeyPatch, parallel: bool) -> None:
    """Pairs are read in parts, several at a time where the judge allows it."""
    case = random_case(5, users=23)
    readers: set[int] = set()

    class Judge(HashJudge):
        def read_paths(self, *args: Any, **kwargs: Any) -> Any:
            readers.add(threading.get_ident())
            return super().read_paths(*args, **kwargs)

    Judge.parallel = parallel
    judge = Judge(case.dataset)
    whole = judge_paths(judge, case.pairs, case.paths, case.dataset)
    assert readers == {threading.get_ident()}
    readers.clear()
    monkeypatch.setattr(judging, "PART", 4)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        parts = judge_paths(judge, case.pairs, case.paths, case.dataset)
    finally:
        torch.set_num_threads(before)
    assert (threading.get_ident() not in readers) is parallel
    for name, value in vars(whole).items():
        if isinstance(value, np.ndarray):
            assert_array_equal(getattr(parts, name), value)


def test_errors_name_what_is_wrong() -> None:
    data = make_dataset([[1], [2]], items=5)
    judge = MarkovJudge(data, [[0.2] * 5] * 6)
    pairs, paths = make_pairs([5, 4]), make_paths([[2, 3, 5], [3, 4]], [5, 4])
    steps, outcomes = paths.steps, paths.outcomes

    def judged(steps: pl.DataFrame = steps, outcomes: pl.DataFrame = outcomes) -> Judgement:
        return judge_paths(judge, pairs, FakePaths(steps, outcomes), data)

    assert len(judged()) == 2
    with pytest.raises(ResultError, match=r"lacks column\(s\) item_id"):
        judged(steps.drop("item_id"))
    with pytest.raises(ResultError, match="empty values in item_id"):
        judged(steps.with_columns(item_id=pl.lit(None, dtype=pl.Int64)))
    with pytest.raises(ResultError, match=r"not 1, 2, 3.*first pair 0"):
        judged(steps.filter(pl.col("step") != 2))
    with pytest.raises(ResultError, match="once each"):
        judged(pl.concat([steps, steps[:1]]))
    with pytest.raises(UnknownIdError, match="paths: 1 item id"):
        judged(steps.with_columns(item_id=pl.col("item_id").replace({2: 77})))
    with pytest.raises(ResultError, match="outcomes and steps disagree"):
        judged(outcomes=outcomes.with_columns(reached=False))
    with pytest.raises(ResultError, match="outcomes and steps disagree"):
        judged(outcomes=outcomes.with_columns(length=2))
    with pytest.raises(ResultError, match="goes on after the objective, in 1 pair"):
        judge_paths(judge, pairs, make_paths([[5, 2], [4]], [5, 4]), data)
    with pytest.raises(ResultError, match="train it on this dataset"):
        judge_paths(judge, pairs, paths, make_dataset([[1], [2]], items=6))


def test_judges_without_probabilities_are_refused() -> None:
    data = make_dataset([[1]], items=3)
    paths, pairs = make_paths([[2, 3]], [3]), make_pairs([3])

    class Nowhere(FakeJudge):
        def logits(self, history: Any, user: int) -> list[float]:
            return [math.nan, 0.0, 0.0]

    with pytest.raises(ResultError, match="no positive probability"):
        judge_paths(Nowhere(data), pairs, paths, data)

    class Never(FakeJudge):
        def logits(self, history: Any, user: int) -> list[float]:
            return [0.0, -math.inf, 0.0]

    with pytest.raises(ResultError, match="no positive probability"):
        judge_paths(Never(data), pairs, paths, data)

    class Lazy(HashJudge):
        def read_paths(self, *args: Any, **kwargs: Any) -> Any:
            return iter(list(super().read_paths(*args, **kwargs))[:-1])

    with pytest.raises(ResultError, match="left prefixes"):
        judge_paths(Lazy(data, chunk=2), pairs, paths, data)
