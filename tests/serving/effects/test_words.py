import pytest
from hypothesis import given
from hypothesis import strategies as st

from influpath.serving.effects.words import between, count, one_in, percent, points


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0, "none"),
        (0.00002, "1 in 50,000"),
        (1 / 30, "1 in 30"),
        (1 / 123, "1 in 120"),
        (0.1, "1 in 10"),
        (0.25, "1 in 4"),
        (0.66, "2 in 3"),
        (0.9, "9 in 10"),
        (0.95, "19 in 20"),
        (1, "all"),
    ],
)
def test_odds(share: float, words: str) -> None:
    assert one_in(share) == words


@given(st.floats(0.0001, 0.9999))
def test_odds_are_near_the_share(share: float) -> None:
    part, whole = (int(number.replace(",", "")) for number in one_in(share).split(" in "))
    assert 0 < part < whole
    assert abs(part / whole - share) <= max(0.026, 0.06 * share)
    if share < 0.09:
        assert part == 1
        assert part / whole == pytest.approx(share, rel=0.06)


@pytest.mark.parametrize(
    ("share", "words"),
    [(0, "0%"), (1, "100%"), (0.0333, "3.3%"), (0.5, "50%"), (0.0012, "0.12%"), (1e-9, "0%")],
)
def test_percent(share: float, words: str) -> None:
    assert percent(share) == words


def test_points_and_counts() -> None:
    assert points(0.01) == "1 percentage point"
    assert points(-0.016) == "-1.6 percentage points"
    assert points(0.016, sign=True) == "+1.6 percentage points"
    assert points(0.0, sign=True) == "0 percentage points"
    assert between(-0.005, 0.039) == "between -0.5 and +3.9 percentage points"
    assert [count(n, "user") for n in (0, 1, 1200)] == ["no users", "1 user", "1,200 users"]
