"""How many users it takes until an uplift is seen, said before the campaign starts.

    users_needed(baseline=0.02, least_uplift=0.05, holdout=0.1) -> schemas.UsersNeeded

"Seen" is: the very interval that the report shows (``sequences.difference_interval``) excludes 0.
"""

from functools import lru_cache

import numpy as np
from scipy.special import ndtri

from influpath.serving.effects.sequences import difference_evidence
from influpath.serving.effects.words import count, percent, points
from influpath.serving.schemas import UsersNeeded

MOST = 10**9


def users_needed(
    baseline: float,
    least_uplift: float,
    holdout: float,
    level: float = 0.95,
    power: float = 0.8,
    enrolled: int = 0,
) -> UsersNeeded:
    """Return how many users, both groups together, show an uplift.

    Args:
        baseline: Arrival without the campaign, 0 to 1.
        least_uplift: The difference that is to be seen, above 0.
        holdout: Share of users in the hold-out, 0 to 1.
        level: Of the interval.
        power: Probability with which it then excludes 0.
        enrolled: How many users there are.
    """
    users = _users(baseline, least_uplift, holdout, level, power)
    return UsersNeeded(
        users=users,
        baseline=baseline,
        least_uplift=least_uplift,
        power=power,
        enrolled=enrolled,
        words=_words(users, baseline, least_uplift, holdout, power, enrolled),
    )


@lru_cache(maxsize=1024)
def _users(
    baseline: float, least_uplift: float, holdout: float, level: float, power: float
) -> int | None:
    """Return the least number; None where there is none.

    With probability ``power`` the difference seen is no further below the true one than so many
    standard errors (normal approximation).  Of the counts with that difference the most probable
    are taken: each arm gives way in proportion to its variance.
    """
    led = baseline + least_uplift
    if not 0 < holdout < 1 or led > 1:
        return None
    threshold = -np.log1p(-level)

    def seen(users: int) -> bool:
        # Whole users: less than one in an arm is nobody.
        treated, control = users * (1 - holdout), users * holdout
        if min(treated, control) < 1:
            return False
        spread = np.array([led * (1 - led) / treated, baseline * (1 - baseline) / control])
        low, high = (
            np.array([led, baseline])
            + np.array([-1.0, 1.0]) * ndtri(power) * spread / max(np.sqrt(spread.sum()), 1e-300)
        ).clip(0.0, 1.0)
        if low <= high:
            return False
        evidence = difference_evidence(
            0.0, (low * treated, treated), (high * control, control), holdout
        )
        return bool(evidence >= threshold)

    enough = 1
    while not seen(enough):
        enough *= 2
        if enough > MOST:
            return None
    short = enough // 2
    while enough - short > 1:
        middle = (short + enough) // 2
        if seen(middle):
            enough = middle
        else:
            short = middle
    return enough


def _words(
    users: int | None,
    baseline: float,
    least_uplift: float,
    holdout: float,
    power: float,
    enrolled: int,
) -> str:
    aim = f"an uplift of {points(least_uplift)} over {percent(baseline)}"
    if not 0 < holdout < 1:
        return "Without a hold-out group no number of users shows what the campaign changed."
    if users is None:
        return f"No number of users shows {aim}."
    # Two digits that count are all that the approximation deserves.
    need = (
        f"It takes about {count(_about(users), 'user')}, {_about(users * holdout):,} of them in "
        f"the hold-out, to see {aim} with {100 * power:g}% probability."
    )
    if enrolled >= users:
        return f"{need} There are enough: {enrolled:,}."
    return f"{need} So far there {'is' if enrolled == 1 else 'are'} {count(enrolled, 'user')}."


def _about(value: float) -> int:
    """Round up to two digits that count."""
    unit = 10 ** max(0, int(np.log10(max(value, 1))) - 1)
    return int(np.ceil(value / unit) * unit)
