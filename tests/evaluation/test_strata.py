"""Strata: every pair in exactly one, and the same numbers as on its pairs alone."""

import json

import numpy as np
import pytest

from influpath.data import leave_last_out
from influpath.errors import ResultError
from influpath.evaluation import (
    Strata,
    by_history_length,
    by_popularity,
    by_start_rank,
    evaluate,
    judge_paths,
    stratify,
)
from influpath.evaluation.intervals import bootstrap_mean, paired_difference
from influpath.evaluation.strata import start_ranks, thirds
from influpath.evaluation.table import Evaluation
from influpath.testing import tiny_dataset, tiny_pairs

from .fakes import HashJudge, make_dataset, make_pairs, make_paths, random_case

NAMES = ("low", "middle", "high")
METRICS = ("sr", "ioi", "log_ppl")


def cut(values: list[int], edges: tuple[int, int] = (3, 7)) -> Strata:
    return Strata.cut("number", NAMES, edges, np.arange(len(values)), np.array(values))


def planners() -> Evaluation:
    case = random_case(11, users=40)
    judge = HashJudge(case.dataset)
    direct = make_paths([[objective] for objective in case.objectives], case.objectives)
    nothing = make_paths([[] for _ in case.objectives], case.objectives)
    paths = {"random": case.paths, "direct": direct, "nothing": nothing}
    return evaluate(judge, case.pairs, paths, case.dataset)


def test_an_edge_belongs_to_the_stratum_below_it() -> None:
    strata = cut([1, 3, 4, 7, 8])
    assert strata.place_P.tolist() == [0, 0, 1, 1, 2]
    assert [strata.limits(place) for place in range(3)] == [(None, 3), (4, 7), (8, None)]
    # Equal edges leave the stratum between them empty.
    assert cut([3, 4], (3, 3)).place_P.tolist() == [0, 2]
    for edges in ((7, 3), (3,)):
        with pytest.raises(ValueError, match="ascend"):
            Strata.cut("number", NAMES, edges, np.arange(1), np.arange(1))


def test_pairs_are_found_in_any_order_and_none_is_made_up() -> None:
    strata = Strata.cut(
        "number", NAMES, (3, 7), np.array([9, 2, 30]), np.array([8, 1, 5], dtype=np.int64)
    )
    assert strata.places(np.array([30, 9])).tolist() == [1, 2]
    for unknown in ([3], [31], [2, 0]):
        with pytest.raises(ResultError, match="by number"):
            strata.places(np.array(unknown))
    empty = Strata.cut("number", NAMES, (3, 7), np.empty(0, np.int64), np.empty(0, np.int64))
    with pytest.raises(ResultError):
        empty.places(np.array([1]))


@pytest.mark.parametrize("seed", range(5))
def test_thirds_leave_at_least_a_third_up_to_each_edge(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 12, size=rng.integers(1, 40))
    first, second = thirds(values)
    assert {first, second} <= set(values.tolist())
    for edge, share in ((first, 1 / 3), (second, 2 / 3)):
        assert (values <= edge).mean() >= share
        assert (values < edge).mean() < share


def test_each_stratum_is_what_its_pairs_alone_are() -> None:
    evaluation = planners()
    values = np.random.default_rng(0).integers(0, 10, size=40)
    strata = Strata.cut("number", NAMES, (3, 7), evaluation.pair_ids, values)
    found = stratify(evaluation, strata, METRICS, lead="random", seed=5)
    assert [stratum.name for stratum in found] == list(NAMES)
    for place, stratum in enumerate(found):
        inside = [
            row for row, value in enumerate(values.tolist()) if (value > 3) + (value > 7) == place
        ]
        assert stratum.pairs == len(inside)
        users = evaluation.user_rows[inside]
        for planner in evaluation.values:
            for metric in METRICS:
                own = evaluation.values[planner][metric][inside]
                assert_same(stratum.intervals[planner][metric], bootstrap_mean(own, 5, users=users))
        assert set(stratum.differences) == {"direct", "nothing"}
        for other, row in stratum.differences.items():
            for metric in METRICS:
                a, b = (evaluation.values[p][metric][inside] for p in ("random", other))
                assert_same(row[metric], paired_difference(a, b, 5, users=users))


def assert_same(found: object, expected: object) -> None:
    for key in ("mean", "ci95", "count"):
        assert getattr(found, key) == pytest.approx(getattr(expected, key), nan_ok=True)


def test_strata_add_up_to_the_whole() -> None:
    evaluation = planners()
    strata = cut(np.random.default_rng(1).integers(0, 10, size=40).tolist())
    found = stratify(evaluation, strata, METRICS)
    assert sum(stratum.pairs for stratum in found) == 40
    assert all(not stratum.differences for stratum in found)
    for planner in ("random", "direct"):
        for metric in METRICS:
            parts = [stratum.intervals[planner][metric] for stratum in found]
            whole = evaluation.intervals[planner][metric]
            assert sum(part.count for part in parts) == whole.count
            total = sum(part.mean * part.count for part in parts)
            assert total / whole.count == pytest.approx(whole.mean)


def test_undefined_numbers_are_none_in_json() -> None:
    evaluation = planners()
    everything_low = cut([0] * 40)
    low, middle, _ = stratify(evaluation, everything_low, METRICS, lead="random")
    content = json.loads(json.dumps([low.to_dict(), middle.to_dict()], allow_nan=False))
    nowhere = {"mean": None, "ci95": [None, None], "n": 0}
    # A planner without any path has no log(PPL); a stratum without pairs has nothing.
    assert content[0]["planners"]["nothing"]["log_ppl"] == nowhere
    assert content[0]["planners"]["nothing"]["sr"]["mean"] == 0
    assert content[1]["n"] == 0
    assert content[1]["planners"]["random"]["sr"] == nowhere
    assert content[1]["differences"]["direct"]["sr"] == nowhere


@pytest.mark.parametrize("seed", range(3))
def test_start_ranks_are_those_before_a_path_of_no_items(seed: int) -> None:
    case = random_case(seed, users=9)
    judge = HashJudge(case.dataset)
    nothing = make_paths([[] for _ in case.objectives], case.objectives)
    judgement = judge_paths(judge, case.pairs, nothing, case.dataset)
    found = start_ranks(case.pairs, judge, case.dataset)
    assert found.tolist() == judgement.objective_ranks[judgement.before].tolist()
    # Users are passed on: their taste decides too.
    assert judge.users_seen >= set(range(9))


def test_popularity_is_parted_by_the_items_that_may_be_objectives() -> None:
    dataset = tiny_dataset()
    train, pairs = leave_last_out(dataset).train, tiny_pairs(dataset)
    strata = by_popularity(pairs, dataset, train, minimum_interactions=18)
    counted = dict.fromkeys(train.items.ids, 0)
    for row in range(len(train.users)):
        for item in train.items.decode(train.sequences.row(row)):
            counted[item] += 1
    whole = np.bincount(dataset.sequences.values, minlength=len(dataset.items) + 1)[1:]
    eligible = sorted(
        counted[item] for item, count in zip(dataset.items.ids, whole, strict=True) if count >= 18
    )
    assert 0 < len(eligible) < len(dataset.items)
    size = len(eligible)
    assert strata.edges == (eligible[-(-size // 3) - 1], eligible[-(-2 * size // 3) - 1])
    expected = [
        sum(counted[item] > edge for edge in strata.edges) for item in pairs["objective_id"]
    ]
    assert strata.place_P.tolist() == expected
    assert strata.pair_ids.tolist() == pairs["pair_id"].to_list()


def test_history_length_is_parted_by_the_pairs() -> None:
    rows = [[1] * length for length in (2, 9, 4, 4, 6, 1)]
    dataset = make_dataset(rows, 3)
    strata = by_history_length(make_pairs([2] * 6), dataset)
    assert strata.edges == (2, 4)
    assert strata.place_P.tolist() == [0, 2, 1, 1, 2, 0]
    assert strata.to_dict() == {
        "quantity": "items in the history",
        "strata": [
            {"name": "short", "from": None, "to": 2},
            {"name": "middle", "from": 3, "to": 4},
            {"name": "long", "from": 5, "to": None},
        ],
    }


@pytest.mark.parametrize(("items", "fixed"), [(1000, False), (1001, True)])
def test_start_ranks_have_fixed_edges_where_the_catalogue_is_large(items: int, fixed: bool) -> None:
    case = random_case(3, users=12, items=items)
    judge = HashJudge(case.dataset)
    strata = by_start_rank(case.pairs, judge, case.dataset)
    ranks = start_ranks(case.pairs, judge, case.dataset)
    assert strata.edges == ((100, 1000) if fixed else thirds(ranks))
    assert strata.place_P.tolist() == [sum(r > e for e in strata.edges) for r in ranks.tolist()]
