import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaln, xlogy
from scipy.stats import binom, norm

from influpath.serving.effects.sequences import (
    difference_evidence,
    difference_interval,
    rate_evidence,
    rate_interval,
)

ALPHA = 0.05
THRESHOLD = -np.log(ALPHA)

counts = st.integers(0, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
arms = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
shares = st.sampled_from([0.05, 0.1, 0.3, 0.5, 0.8])


def ever_excluded(rate: float, users: int, excluded_NS: npt.NDArray[np.bool_]) -> float:
    """The exact probability that a true rate is excluded at some time: paths that are not yet."""
    alive_S = np.zeros(users + 1)
    alive_S[0] = 1.0
    for n in range(1, users + 1):
        alive_S[1:] = alive_S[1:] * (1 - rate) + alive_S[:-1] * rate
        alive_S[0] *= 1 - rate
        alive_S[excluded_NS[n]] = 0.0
    return float(1 - alive_S.sum())


class TestRate:
    @pytest.mark.parametrize("rate", [0.01, 0.1, 0.5, 0.8])
    def test_it_holds_at_every_look_and_the_ordinary_interval_does_not(self, rate: float) -> None:
        users = 600
        n, s = np.arange(users + 1)[:, None], np.arange(users + 1)[None, :]
        arrived = np.minimum(s, n)
        sequence = rate_evidence(rate, arrived, n) >= THRESHOLD
        assert ever_excluded(rate, users, sequence) <= ALPHA
        # The exact two-sided test of Clopper and Pearson errs in at most 5% of cases at one look.
        once = np.minimum(binom.cdf(arrived, n, rate), binom.sf(arrived - 1, n, rate)) < ALPHA / 2
        assert 1 - binom.pmf(s[0], users, rate)[~once[users]].sum() <= ALPHA
        assert ever_excluded(rate, users, once) > 2 * ALPHA

    @given(outcomes=st.lists(st.booleans(), max_size=60), rate=st.floats(0.01, 0.99))
    def test_the_evidence_is_what_a_bettor_wins_who_learns_from_each_outcome(
        self, outcomes: list[bool], rate: float
    ) -> None:
        won, arrived = 0.0, 0
        for n, outcome in enumerate(outcomes):
            believed = (arrived + 0.5) / (n + 1)
            won += np.log(believed / rate if outcome else (1 - believed) / (1 - rate))
            arrived += outcome
        assert rate_evidence(rate, arrived, len(outcomes)) == pytest.approx(won, abs=1e-9)

    def test_small_cases_by_hand(self) -> None:
        # One arrival: M(p) = 1 / (2 p), which reaches 1 / alpha at alpha / 2.
        low, high = rate_interval([0, 1, 0], [0, 1, 1], level=0.9)
        assert low == pytest.approx([0, 0.05, 0])
        assert high == pytest.approx([1, 1, 0.95])
        # Two of two: M(p) = 3 / 8 / p^2.
        assert rate_interval(2, 2, level=0.9)[0] == pytest.approx(np.sqrt(0.0375))

    @settings(max_examples=40, deadline=None)
    @given(counts)
    def test_it_contains_what_was_seen_and_mirrors(self, case: tuple[int, int]) -> None:
        arrived, users = case
        low, high = rate_interval(arrived, users)
        seen = arrived / users if users else 0.5
        assert 0 <= low <= seen <= high <= 1
        mirrored = rate_interval(users - arrived, users)
        assert 1 - mirrored[1] == pytest.approx(low, abs=1e-9)
        assert 1 - mirrored[0] == pytest.approx(high, abs=1e-9)

    @settings(max_examples=40, deadline=None)
    @given(arms, st.integers(2, 50))
    def test_more_users_at_the_same_rate_and_a_lower_level_narrow_it(
        self, case: tuple[int, int], times: int
    ) -> None:
        arrived, users = case
        low, high = rate_interval([arrived, arrived * times], [users, users * times])
        assert high[1] - low[1] < high[0] - low[0]
        inner = rate_interval(arrived, users, level=0.9)
        assert low[0] <= inner[0] <= inner[1] <= high[0]


class TestDifference:
    @settings(max_examples=40, deadline=None)
    @given(
        difference=st.integers(-9, 9).map(lambda tenths: tenths / 10),
        place=st.sampled_from([0, 0.003, 0.1, 0.4, 0.77, 0.99, 1]),
        users=st.integers(0, 40),
        controls=st.integers(0, 40),
        holdout=shares,
    )
    def test_nobody_wins_by_betting_against_the_truth(
        self, difference: float, place: float, users: int, controls: int, holdout: float
    ) -> None:
        # Exact means, whatever the pair, the sizes of the arms and the share that was said.
        control = max(0.0, -difference) + (1 - abs(difference)) * place
        treated = np.clip(control + difference, 0, 1)
        s, r = np.arange(users + 1)[:, None], np.arange(controls + 1)[None, :]
        weight = binom.pmf(s, users, treated) * binom.pmf(r, controls, control)
        evidence = difference_evidence(difference, (s, users), (r, controls), holdout)
        assert (weight * np.exp(evidence)).sum() <= 1 + 1e-9

    @pytest.mark.parametrize(
        ("treated", "control", "holdout", "order"),
        [
            (0.05, 0.05, 0.1, "random"),
            (0.3, 0.25, 0.5, "random"),
            (0.02, 0.0, 0.2, "random"),
            (0.2, 0.3, 0.3, "controls first"),
        ],
    )
    def test_it_holds_at_every_look_and_the_ordinary_interval_does_not(
        self, treated: float, control: float, holdout: float, order: str
    ) -> None:
        rng = np.random.default_rng(7)
        runs, users = 400, 2000
        drawn = rng.random((runs, users)) < holdout
        if order == "controls first":
            drawn = np.sort(drawn, axis=1)[:, ::-1]
        arrived = rng.random((runs, users)) < np.where(drawn, control, treated)
        looks = np.unique(np.geomspace(10, users, 40).astype(int)) - 1
        n, m = (np.cumsum(arm, axis=1)[:, looks] for arm in (~drawn, drawn))
        s, r = (np.cumsum(arm & arrived, axis=1)[:, looks] for arm in (~drawn, drawn))
        evidence = difference_evidence(treated - control, (s, n), (r, m), holdout)
        assert (evidence >= THRESHOLD).any(1).mean() <= ALPHA
        if order == "random" and control:
            p, q = s / np.maximum(n, 1), r / np.maximum(m, 1)
            spread = np.sqrt(p * (1 - p) / np.maximum(n, 1) + q * (1 - q) / np.maximum(m, 1))
            ordinary = abs(p - q - treated + control) > norm.ppf(1 - ALPHA / 2) * spread
            assert ordinary[:, n[0] > 100].any(1).mean() > 2 * ALPHA

    @settings(max_examples=25, deadline=None)
    @given(treated=arms, control=arms, holdout=shares)
    def test_it_contains_what_was_seen_and_mirrors(
        self, treated: tuple[int, int], control: tuple[int, int], holdout: float
    ) -> None:
        low, high = difference_interval(treated, control, holdout)
        seen = treated[0] / treated[1] - control[0] / control[1]
        assert -1 <= low <= seen <= high <= 1
        swapped = difference_interval(control, treated, 1 - holdout)
        assert (-swapped[1], -swapped[0]) == pytest.approx((low, high), abs=1e-6)
        narrower = difference_interval(treated, control, holdout, 0.8)
        assert low <= narrower[0] <= narrower[1] <= high

    @settings(max_examples=25, deadline=None)
    @given(treated=arms, control=arms, holdout=shares)
    def test_everything_beyond_the_ends_is_excluded(
        self, treated: tuple[int, int], control: tuple[int, int], holdout: float
    ) -> None:
        low, high = difference_interval(treated, control, holdout)
        beyond = np.concatenate([np.linspace(-1, low, 9)[:-1], np.linspace(high, 1, 9)[1:]])
        beyond = beyond[(beyond < low - 1e-6) | (beyond > high + 1e-6)]
        if not len(beyond):
            return
        assert (difference_evidence(beyond, treated, control, holdout) >= THRESHOLD - 1e-6).all()

    def test_without_users_in_an_arm_everything_is_possible(self) -> None:
        assert difference_interval((3, 10), (0, 0), 0.1) == (-1, 1)
        assert difference_interval((0, 0), (0, 4), 0.1) == (-1, 1)

    def test_extreme_counts_have_an_interval(self) -> None:
        for treated, control in [((9, 9), (0, 9)), ((0, 10**7), (10**6, 10**6))]:
            low, high = difference_interval(treated, control, 0.1)
            assert -1 <= low <= high <= 1

    @pytest.mark.parametrize("users", [1000, 20_000])
    @pytest.mark.parametrize("rates", [(0.08, 0.03), (0.3, 0.2)])
    def test_it_is_narrower_than_the_projection_of_a_joint_confidence_set(
        self, users: int, rates: tuple[float, float]
    ) -> None:
        n, m = users * 0.9, users * 0.1
        s, r = rates[0] * n, rates[1] * m

        def joint(
            arrived: float, size: float, rate: npt.NDArray[np.float64]
        ) -> npt.NDArray[np.float64]:
            mixture = betaln(arrived + 0.5, size - arrived + 0.5) - betaln(0.5, 0.5)
            found: npt.NDArray[np.float64] = (
                mixture - xlogy(arrived, rate) - xlogy(size - arrived, 1 - rate)
            )
            return found

        q = np.linspace(0.0005, 0.9995, 1500)
        p = np.linspace(0.0005, 0.9995, 1500)[:, None]
        inside = joint(s, n, p) + joint(r, m, q) < THRESHOLD
        projected = (p - q)[inside]
        low, high = difference_interval((s, n), (r, m), 0.1)
        assert high - low < 0.93 * np.ptp(projected)
