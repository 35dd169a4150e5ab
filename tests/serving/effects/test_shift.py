import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import jensenshannon

from influpath.serving.effects.shift import divergence, shift, thinned
from influpath.serving.schemas import Estimate

GENRES = 12


def people(
    rng: np.random.Generator, users: int, since: float, moved: float = 0.0
) -> npt.NDArray[np.float64]:
    """Users with tastes of their own, a share of which moves to the first category."""
    tastes_UG = rng.dirichlet(np.full(GENRES, 0.6), users)
    later_UG = (1 - moved) * tastes_UG
    later_UG[:, 0] += moved
    before_UG = rng.multinomial(rng.poisson(40, users) + 1, tastes_UG)
    since_UG = rng.multinomial(rng.poisson(since, users), later_UG)
    return np.stack([before_UG, since_UG], axis=-1).astype(np.float64)


def figures(estimate: Estimate) -> tuple[float, float, float]:
    low, value, high = estimate.low, estimate.value, estimate.high
    assert low is not None
    assert value is not None
    assert high is not None
    return low, value, high


@given(arrays(np.int64, (5, 4, 2), elements=st.integers(0, 9)))
def test_the_divergence_is_that_of_scipy(counts_UG2: npt.NDArray[np.int64]) -> None:
    counts_UG2[:, 0] += 1
    expected = jensenshannon(counts_UG2[..., 0], counts_UG2[..., 1], base=2, axis=1) ** 2
    found = divergence(counts_UG2[..., 0], counts_UG2[..., 1])
    assert found == pytest.approx(np.nan_to_num(expected), abs=1e-9)


def test_the_divergence_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="not defined"):
        divergence(np.zeros((1, 3)), np.ones((1, 3)))


@given(
    counts_UG=arrays(np.int64, (4, 3), elements=st.integers(0, 9)),
    share=st.floats(0, 1),
    seed=st.integers(0, 9),
)
def test_thinning_draws_as_many_as_wanted_from_what_is_there(
    counts_UG: npt.NDArray[np.int64], share: float, seed: int
) -> None:
    kept_U = (counts_UG.sum(1) * share).astype(np.int64)
    drawn_UG = thinned(counts_UG, kept_U, np.random.default_rng(seed))
    assert (drawn_UG.sum(1) == kept_U).all()
    assert ((drawn_UG >= 0) & (drawn_UG <= counts_UG)).all()


def test_thinning_favours_no_category() -> None:
    counts_UG = np.tile([60, 30, 10], (20_000, 1))
    drawn_UG = thinned(counts_UG, np.full(20_000, 10), np.random.default_rng(1))
    assert drawn_UG.mean(0) == pytest.approx([6, 3, 1], abs=0.05)


def test_taking_more_items_does_not_look_like_a_change_of_taste() -> None:
    # Nobody's taste moves, but those who are led take three times as much.
    rng = np.random.default_rng(5)
    treated, control = people(rng, 1500, since=36), people(rng, 1500, since=12)
    naive = [
        divergence(counts[..., 0], counts[..., 1])[counts[..., 1].sum(1) > 0].mean()
        for counts in (treated[treated[..., 1].sum(1) > 0], control[control[..., 1].sum(1) > 0])
    ]
    assert naive[1] - naive[0] > 0.05
    found = shift(treated, control, seed=1)
    low, value, high = figures(found.induced)
    assert low <= 0 <= high
    assert abs(value) < 0.01
    assert "may be chance" in found.words


def test_a_change_of_taste_is_found() -> None:
    rng = np.random.default_rng(6)
    found = shift(people(rng, 900, since=15, moved=0.4), people(rng, 100, since=15), seed=1)
    low, value, high = figures(found.induced)
    assert 0.05 < low < value < high
    assert "further than they drift" in found.words
    treated, control = figures(found.treated), figures(found.control)
    assert value == pytest.approx(treated[1] - control[1])
    assert control[0] < control[1] < control[2]


def test_users_who_took_nothing_before_or_since_are_left_out() -> None:
    some = people(np.random.default_rng(2), 30, since=50)
    none_since, none_before = some.copy(), some.copy()
    none_since[..., 1] = 0
    none_before[..., 0] = 0
    found = shift(np.concatenate([some, none_since, none_before]), some, seed=1)
    assert (found.treated.n, found.control.n, found.induced.n) == (30, 30, 60)
    assert found.induced.value == pytest.approx(0)


@pytest.mark.parametrize("empty", ["treated", "control", "both"])
def test_without_users_there_is_no_figure(empty: str) -> None:
    some, none = people(np.random.default_rng(2), 30, since=50), np.zeros((0, GENRES, 2))
    treated, control = (
        some if empty not in (arm, "both") else none for arm in ("treated", "control")
    )
    found = shift(treated, control, seed=1)
    assert found.induced.value is None
    assert found.words


def test_the_seed_decides() -> None:
    rng = np.random.default_rng(4)
    arms = people(rng, 200, since=9), people(rng, 50, since=30)
    assert shift(*arms, seed=1) == shift(*arms, seed=1)
    assert shift(*arms, seed=1) != shift(*arms, seed=2)


def test_large_arms_have_the_interval_of_the_bootstrap(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    arms = people(rng, 2500, since=20), people(rng, 400, since=20)
    fast = shift(*arms, seed=1)
    monkeypatch.setattr("influpath.serving.effects.shift.MANY", 10**9)
    slow = shift(*arms, seed=1)
    for arm in ("treated", "induced"):
        a, b = figures(getattr(fast, arm)), figures(getattr(slow, arm))
        assert a == pytest.approx(b, abs=0.1 * (b[2] - b[0]))


def test_counts_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="whole numbers"):
        shift(np.full((1, 2, 2), 0.5), np.zeros((0, 2, 2)), seed=1)
    with pytest.raises(ValueError, match="whole numbers"):
        shift(np.full((1, 2, 2), -1.0), np.zeros((0, 2, 2)), seed=1)
