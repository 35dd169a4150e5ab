import numpy as np
import pytest

from influpath.serving.effects.sequences import difference_evidence, difference_interval
from influpath.serving.effects.uplift import Arm, uplift
from influpath.serving.effects.users_needed import users_needed


def needed(baseline: float, least: float, holdout: float, **options: float) -> int:
    users = users_needed(
        baseline, least, holdout, level=options.get("level", 0.95), power=options.get("power", 0.8)
    ).users
    assert users is not None
    return users


class TestUplift:
    def test_a_clear_effect_is_decided_and_said(self) -> None:
        found = uplift(Arm(9000, 900), Arm(1000, 50), pending=1)
        assert found.decided
        assert found.difference.value == pytest.approx(0.05)
        assert found.difference.n == 10_000
        assert (found.difference.low, found.difference.high) == difference_interval(
            (900, 9000), (50, 1000), 0.1
        )
        low, high = found.treated.low, found.treated.high
        assert low is not None
        assert high is not None
        assert low < 0.1 < high
        assert "Of 9,000 users who were led, 900 arrived (1 in 10)" in found.words
        assert "Of 1,000 users in the hold-out, 50 arrived (1 in 20)" in found.words
        assert "The campaign raised arrival by 5 percentage points" in found.words
        assert "1 user whose time is not over is not counted yet" in found.words

    def test_harm_is_said_as_such(self) -> None:
        found = uplift(Arm(5000, 100), Arm(5000, 1000), holdout=0.5)
        assert found.decided
        assert found.difference.high is not None
        assert found.difference.high < 0
        assert "lowered arrival by 18 percentage points" in found.words

    def test_chance_is_said_as_such(self) -> None:
        found = uplift(Arm(90, 9), Arm(10, 0))
        assert not found.decided
        assert "chance alone may explain" in found.words

    def test_nothing_is_known_without_users(self) -> None:
        found = uplift(Arm(0, 0), Arm(0, 0))
        assert (found.difference.value, found.treated.value, found.decided) == (None, None, False)
        assert found.words == "Nobody's time is over yet, so nothing can be said."

    @pytest.mark.parametrize("holdout", [0.0, 0.1])
    def test_there_is_no_uplift_without_a_holdout(self, holdout: float) -> None:
        found = uplift(Arm(50, 40), Arm(0, 0), holdout=holdout)
        assert found.treated.value == 0.8
        assert found.difference.value is None
        assert "no hold-out to compare with" in found.words

    @pytest.mark.parametrize("counts", [(1, 2), (1, -1), (-1, 0)])
    def test_impossible_counts_are_refused(self, counts: tuple[int, int]) -> None:
        with pytest.raises(ValueError, match="cannot have arrived"):
            Arm(*counts)


class TestUsersNeeded:
    @pytest.mark.parametrize(
        ("baseline", "least", "holdout", "power"),
        [
            (0.02, 0.05, 0.1, 0.8),
            (0.1, 0.1, 0.2, 0.8),
            (0.3, 0.05, 0.5, 0.9),
            (0.0, 0.03, 0.3, 0.8),
            (0.6, 0.2, 0.1, 0.7),
        ],
    )
    def test_so_many_users_show_the_uplift_about_as_often_as_said(
        self, baseline: float, least: float, holdout: float, power: float
    ) -> None:
        users = needed(baseline, least, holdout, power=power)
        rng = np.random.default_rng(3)
        controls = rng.binomial(users, holdout, 4000)
        treated = users - controls
        evidence = difference_evidence(
            0.0,
            (rng.binomial(treated, baseline + least), treated),
            (rng.binomial(controls, baseline), controls),
            holdout,
        )
        assert np.mean(evidence >= -np.log(0.05)) == pytest.approx(power, abs=0.1)

    def test_smaller_effects_and_more_power_need_more_users(self) -> None:
        usual = needed(0.1, 0.05, 0.2)
        assert needed(0.1, 0.04, 0.2) > usual
        assert needed(0.1, 0.05, 0.2, power=0.9) > usual
        assert needed(0.1, 0.05, 0.2, level=0.99) > usual
        assert needed(0.1, 0.05, 0.5) < usual

    def test_what_cannot_be_shown_has_no_number(self) -> None:
        assert users_needed(0.1, 0.05, 0.0).users is None
        assert "hold-out" in users_needed(0.1, 0.05, 0.0).words
        assert users_needed(0.97, 0.05, 0.1).users is None
        assert users_needed(0.1, 1e-7, 0.1).users is None

    def test_it_is_said_in_round_numbers(self) -> None:
        said = users_needed(0.02, 0.05, 0.1, enrolled=1)
        assert said.words == (
            "It takes about 3,700 users, 370 of them in the hold-out, to see an uplift of 5 "
            "percentage points over 2% with 80% probability. So far there is 1 user."
        )
        assert users_needed(0.02, 0.05, 0.1, enrolled=5000).words.endswith(
            "There are enough: 5,000."
        )
