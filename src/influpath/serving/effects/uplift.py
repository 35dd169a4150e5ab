"""What a campaign changed: arrival among users who were led, less arrival in the hold-out.

    uplift(Arm(1200, 40), Arm(130, 2), holdout=0.1) -> schemas.Uplift

Users count once their window is over, whether or not they were shown anything (the campaign is
judged by whom it was meant for, not by whom it chose), in the order in which they were enrolled.
A user who was led must not be counted before because the objective was reached sooner: then those
who arrive would be seen first.
"""

from dataclasses import dataclass

from influpath.serving.effects.sequences import difference_interval, rate_interval
from influpath.serving.effects.words import between, count, one_in, points
from influpath.serving.schemas import Estimate, Uplift


@dataclass(frozen=True)
class Arm:
    """Users whose window is over, and how many of them arrived.

    Raises:
        ValueError: The counts cannot be.
    """

    users: int
    arrived: int

    def __post_init__(self) -> None:
        if not 0 <= self.arrived <= self.users:
            raise ValueError(f"{self.arrived} of {self.users} users cannot have arrived")

    @property
    def rate(self) -> float | None:
        """Share of users who arrived; None where there are none."""
        return self.arrived / self.users if self.users else None

    def estimate(self, level: float) -> Estimate:
        """Return the rate with its confidence sequence."""
        if not self.users:
            return Estimate(value=None, low=None, high=None, n=0)
        low, high = rate_interval(self.arrived, self.users, level)
        return Estimate(value=self.rate, low=float(low), high=float(high), n=self.users)


def uplift(
    treated: Arm, control: Arm, level: float = 0.95, pending: int = 0, holdout: float = 0.1
) -> Uplift:
    """Return the uplift, with intervals that hold at every moment of looking.

    Args:
        treated: Users who were to be led.
        control: The hold-out.
        level: Probability with which each interval holds at all times.
        pending: Users whose window is not over.
        holdout: The campaign's share; the interval holds with any, and is narrowest with that one.
    """
    difference = Estimate(value=None, low=None, high=None, n=treated.users + control.users)
    if treated.rate is not None and control.rate is not None:
        low, high = difference_interval(
            (treated.arrived, treated.users),
            (control.arrived, control.users),
            min(max(holdout, 0.001), 0.999),
            level,
        )
        difference = Estimate(value=treated.rate - control.rate, low=low, high=high, n=difference.n)
    decided = difference.low is not None and (
        difference.low > 0 or (difference.high is not None and difference.high < 0)
    )
    return Uplift(
        treated=treated.estimate(level),
        control=control.estimate(level),
        difference=difference,
        level=level,
        pending=pending,
        decided=decided,
        words=" ".join(_words(treated, control, difference, level, pending, decided)),
    )


def _words(
    treated: Arm, control: Arm, difference: Estimate, level: float, pending: int, decided: bool
) -> list[str]:
    said = []
    if treated.rate is None and control.rate is None:
        said.append("Nobody's time is over yet, so nothing can be said.")
    else:
        if treated.rate is not None:
            said.append(f"{_arrived(treated, 'led')}.")
        if control.rate is not None:
            said.append(f"{_arrived(control, 'in the hold-out')}.")
    if difference.value is not None and difference.low is not None and difference.high is not None:
        range_ = between(difference.low, difference.high)
        if decided:
            verb = "raised" if difference.value > 0 else "lowered"
            said.append(
                f"The campaign {verb} arrival by {points(abs(difference.value))}; chance alone "
                f"does not explain it. The true difference is {range_}, with {100 * level:g}% "
                "confidence."
            )
        else:
            said.append(
                f"The difference is {points(difference.value, sign=True)}, which chance alone may "
                f"explain: anything {range_} fits what was seen."
            )
        said.append("You may look at this as often as you like; the figures stay valid.")
    elif treated.rate is not None:
        said.append("There is no hold-out to compare with.")
    if pending:
        said.append(
            f"{count(pending, 'user')} whose time is not over {'is' if pending == 1 else 'are'} "
            "not counted yet."
        )
    return said


def _arrived(arm: Arm, which: str) -> str:
    rate = arm.rate or 0.0
    users = count(arm.users, "user")
    where = f"{users} {which}" if which.startswith("in") else f"{users} who were {which}"
    share = "" if rate in (0.0, 1.0) else f" ({one_in(rate)})"
    return f"Of {where}, {f'{arm.arrived:,}' if arm.arrived else 'none'} arrived{share}"
