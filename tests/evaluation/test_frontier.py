"""The frontier's envelope against independent references, and that comparing is fair."""

import math
import time
from itertools import permutations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull, QhullError

from influpath.evaluation.frontier import OFFSETS, Frontier, Points, envelope, frontier
from influpath.evaluation.intervals import bootstrap_mean
from influpath.evaluation.judging import FloatArray

# Places that are apart by more than rounding, so that no test hangs on the last bit.
NUMBER = st.integers(-200, 200).map(lambda n: n / 32)
POINT = st.tuples(NUMBER, NUMBER)
POINTS = st.lists(POINT, min_size=1, max_size=7)
GRID = np.linspace(-7, 7, 57)


def curve(points: list[tuple[float, float]], grid: FloatArray = GRID) -> FloatArray:
    x, y = (np.array(side, dtype=np.float64)[None] for side in zip(*points, strict=True))
    values: FloatArray = envelope(x, y, grid[None])[0]
    return values


@settings(deadline=None, max_examples=150)
@given(POINTS)
def test_it_is_concave_never_falls_and_lies_above_all_points(
    points: list[tuple[float, float]],
) -> None:
    values = curve(points)
    leftmost = min(x for x, _ in points)
    np.testing.assert_array_equal(np.isnan(values), leftmost > GRID + 1e-9)
    defined = values[~np.isnan(values)]
    assert (np.diff(defined) >= -1e-12).all()
    assert (np.diff(defined, 2) <= 1e-9).all()
    at_points = curve(points, np.array([x for x, _ in points]))
    assert (at_points >= np.array([y for _, y in points]) - 1e-12).all()
    highest = max(y for _, y in points)
    assert curve(points, np.array([100.0]))[0] == highest


@settings(deadline=None, max_examples=150)
@given(st.lists(POINT, min_size=3, max_size=9, unique=True))
def test_it_is_the_upper_convex_hull_up_to_its_highest_point(
    points: list[tuple[float, float]],
) -> None:
    corners = np.array(points)
    try:
        hull = ConvexHull(corners)
    except QhullError:
        assume(False)  # On one line.
    corners = corners[hull.vertices]
    top = corners[:, 1].max()
    peak = corners[corners[:, 1] == top, 0].min()
    # The facets above the points, as half-planes n x + m y + b <= 0 with m > 0.
    normals = hull.equations[hull.equations[:, 1] > 1e-9]
    inside = GRID[(corners[:, 0].min() <= GRID) & (peak >= GRID)]
    expected = (-(normals[:, 0] * inside[:, None] + normals[:, 2]) / normals[:, 1]).min(axis=1)
    if len(inside):
        np.testing.assert_allclose(curve(points, inside), expected, atol=1e-9)
    right = GRID[peak <= GRID]
    np.testing.assert_array_equal(curve(points, right), top)


@settings(deadline=None, max_examples=60)
@given(POINTS, st.integers(0, 56))
def test_no_mixture_of_points_does_better(points: list[tuple[float, float]], place: int) -> None:
    """Random mixtures of all points that cost no more than allowed; the best one is a chord."""
    allowed = GRID[place]
    mixtures = np.random.default_rng(0).dirichlet(np.full(len(points), 0.3), size=400)
    cost, influence = (
        mixtures @ np.array([x for x, _ in points]),
        mixtures @ np.array([y for _, y in points]),
    )
    reached = influence[cost <= allowed]
    value = curve(points, np.array([allowed]))[0]
    if len(reached):
        assert value >= reached.max() - 1e-9


def test_the_order_of_points_does_not_matter() -> None:
    points = [(0.0, 0.0), (1.0, 3.0), (2.0, 2.0), (3.0, 4.0), (3.0, 1.0)]
    first = curve(points)
    for other in permutations(points):
        np.testing.assert_array_equal(curve(list(other)), first)


def test_a_worked_example() -> None:
    # (2, 2) lies under the chord from (1, 3) to (3, 4); right of (3, 4) nothing is gained.
    values = curve(
        [(0.0, 0.0), (1.0, 3.0), (2.0, 2.0), (3.0, 4.0), (5.0, 3.0)],
        np.array([-0.5, 0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 9.0]),
    )
    np.testing.assert_array_equal(values, [np.nan, 0.0, 1.5, 3.0, 3.5, 4.0, 4.0, 4.0])


def random_points(seed: int, pairs: int = 40, count: int = 4, shift: float = 0.0) -> Points:
    rng = np.random.default_rng(seed)
    cost = np.arange(count) / count + shift
    x = cost + rng.normal(scale=0.3, size=(pairs, count))
    y = 3 * np.sqrt(cost) + rng.normal(scale=0.5, size=(pairs, count))
    return Points(x, y)


def plain(seed: int = 0, pairs: int = 40) -> Points:
    rng = np.random.default_rng(seed)
    return Points(rng.normal(scale=0.1, size=(pairs, 1)), rng.normal(size=(pairs, 1)))


def numbers(result: Frontier, a: str, b: str) -> list[float]:
    intervals = [result.mean_difference(a, b), *result.difference(a, b)]
    return [n for at in intervals for n in (at.mean, *at.ci95) if not math.isnan(n)]


def test_identical_planners_differ_by_exactly_nothing() -> None:
    one = random_points(1)
    order = [2, 0, 3, 1]
    same = Points(one.x_PT[:, order].copy(), one.y_PT[:, order].copy())
    others = {f"other {n}": random_points(n) for n in range(5)}
    result = frontier({"plain": plain(), "a": one, **others, "b": same}, "plain", seed=3)
    found = numbers(result, "a", "b")
    assert found
    assert set(found) == {0.0}
    share = result.share("a", "b")
    assert (share.mean, share.ci95) == (1.0, (1.0, 1.0))
    # And unlike ones do differ, so that the zeros are no accident.
    assert set(numbers(result, "a", "other 2")) != {0.0}


def test_a_planner_that_begins_as_the_reference_is_defined_from_the_start() -> None:
    reference = plain()
    more = random_points(1, shift=0.4)
    points = Points(
        np.concatenate([more.x_PT, reference.x_PT], 1),
        np.concatenate([more.y_PT, reference.y_PT], 1),
    )
    result = frontier({"a": points, "plain": reference}, "plain", seed=3)
    assert not np.isnan(result.curves["a"]).any()
    np.testing.assert_array_equal(result.curves["a"][:, 0], result.curves["plain"][:, 0])


def test_the_grid_begins_at_the_references_mean_in_every_resample() -> None:
    result = frontier({"plain": plain()}, "plain", seed=3, resamples=50)
    assert result.grid_RG.shape == (51, 11)
    assert result.grid_RG[0, 0] == pytest.approx(plain().x_PT.mean(), abs=1e-12)
    np.testing.assert_allclose(np.diff(result.grid_RG, axis=1), 0.1)
    # A single point is flat, and its interval is that of its mean.
    at = result.at("plain")
    assert {interval.mean for interval in at} == {at[0].mean}
    full = frontier({"plain": plain()}, "plain", seed=3).at("plain")[0]
    alone = bootstrap_mean(plain().y_PT[:, 0], seed=3)
    assert (full.mean, *full.ci95) == pytest.approx((alone.mean, *alone.ci95))
    assert full.count == 40


def test_resamples_match_a_slow_loop() -> None:
    points = {"plain": plain(), "a": random_points(1), "b": random_points(2)}
    points["a"].x_PT[3:9, 1] = np.nan
    result = frontier(points, "plain", seed=5, resamples=20)
    drawn = np.random.default_rng([5, 0xB007]).integers(40, size=(20, 40))
    for resample, rows in enumerate(drawn, start=1):
        grid = points["plain"].x_PT[rows].mean() + np.array(OFFSETS)
        for name, own in points.items():
            mean = [
                (np.nanmean(own.x_PT[rows, t]), own.y_PT[rows, t].mean())
                for t in range(own.x_PT.shape[1])
            ]
            np.testing.assert_allclose(result.curves[name][resample], curve(mean, grid), atol=1e-9)


def test_values_of_one_user_are_drawn_together() -> None:
    once = {"plain": plain(pairs=20), "a": random_points(1, pairs=20)}
    thrice = {
        name: Points(np.repeat(own.x_PT, 3, axis=0), np.repeat(own.y_PT, 3, axis=0))
        for name, own in once.items()
    }
    alone = frontier(once, "plain", seed=1)
    grouped = frontier(thrice, "plain", seed=1, users=np.repeat(np.arange(20), 3))
    for name in once:
        np.testing.assert_allclose(grouped.curves[name], alone.curves[name], atol=1e-9)


def test_means_and_shares_are_over_the_places_where_both_are_defined() -> None:
    pairs = np.zeros((10, 1))
    points = {
        "plain": Points(pairs, pairs),
        "early": Points(
            np.concatenate([pairs, pairs + 1.0], 1), np.concatenate([pairs, pairs + 4], 1)
        ),
        "late": Points(pairs + 0.55, pairs + 8.0),
        "never": Points(pairs + 7.0, pairs + 9.0),
        "without paths": Points(pairs * np.nan, pairs),
    }
    result = frontier(points, "plain", seed=0, resamples=30)
    # At 0.6, 0.7, 0.8, 0.9 and 1.0 early has 4 times as much, late 8.
    difference, share = result.mean_difference("early", "late"), result.share("early", "late")
    assert difference.count == share.count == 5
    assert difference.mean == pytest.approx(4 * 0.8 - 8)
    assert difference.ci95 == pytest.approx((4 * 0.8 - 8,) * 2)
    assert share.mean == pytest.approx(0.4)
    for missing in ("never", "without paths"):
        for interval in (result.mean_difference("early", missing), result.share("early", missing)):
            assert interval.count == 0
            assert math.isnan(interval.mean)
            assert interval.to_dict() == {"mean": None, "ci95": [None, None], "n": 0}
    # No share of nothing, nor of what may be nothing.
    assert math.isnan(result.share("early", "plain").mean)


def test_places_that_many_resamples_lack_are_not_compared_at() -> None:
    """A curve that begins late in a resample is low there; to average the rest would raise it."""
    rng = np.random.default_rng(0)
    reference = Points(np.zeros((200, 1)), np.zeros((200, 1)))
    # Its cost is at 0.30, give or take 0.03: about half of the resamples lack the place there.
    x_P = rng.normal(size=200)
    x_P = 0.3 + 0.4 * (x_P - x_P.mean()) / x_P.std() - 1e-6
    steep = Points(
        np.stack([x_P, x_P + 2], axis=1), np.stack([np.zeros(200), np.full(200, 20.0)], axis=1)
    )
    result = frontier({"plain": reference, "steep": steep}, "plain", seed=0)
    lacking = np.isnan(result.curves["steep"][1:]).mean(axis=0)
    assert lacking[3] == pytest.approx(0.5, abs=0.1)
    assert (lacking[4:] == 0).all()
    at = result.difference("steep", "plain")
    assert at[3].mean == pytest.approx(0, abs=0.01)
    assert math.isnan(at[3].ci95[0])
    mean = result.mean_difference("steep", "plain")
    assert mean.count == 7
    assert mean.mean == pytest.approx(np.mean([10 * (0.1 * n) for n in range(1, 8)]), abs=0.01)
    assert mean.ci95[0] < mean.mean < mean.ci95[1]


def test_optimism_is_what_choosing_among_equals_gains() -> None:
    rng = np.random.default_rng(0)
    zeros = np.zeros((400, 1))
    many = Points(np.zeros((400, 30)), rng.normal(size=(400, 30)))
    result = frontier({"plain": Points(zeros, zeros), "many": many}, "plain", seed=0)
    assert result.optimism("plain") == 0
    # The highest of 30 means with a standard error of 0.05 each, none of which is worth anything.
    assert result.curves["many"][0, 0] == pytest.approx(0.1, abs=0.03)
    assert 0.01 < result.optimism("many") < 0.1


def test_a_reference_without_paths_gives_no_grid() -> None:
    nothing = Points(np.full((5, 1), np.nan), np.zeros((5, 1)))
    with pytest.raises(ValueError, match="no grid"):
        frontier({"plain": nothing}, "plain", seed=0)


def test_eight_planners_of_six_points_take_seconds() -> None:
    points = {f"p{n}": random_points(n, pairs=500, count=6) for n in range(8)}
    began = time.process_time()
    result = frontier({"plain": plain(pairs=500), **points}, "plain", seed=0)
    for name in points:
        result.mean_difference("p0", name)
    assert time.process_time() - began < 20
