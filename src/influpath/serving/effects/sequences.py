"""Confidence sequences: intervals that hold at every moment of looking.

Whoever looks at an ordinary 95% interval every day, and stops when it excludes 0, errs far more
often than in 5% of cases.  A confidence sequence covers the truth *at all times at once* with
probability 95%, so looking is free.  Each is made from a martingale: a bettor's fortune that starts
at 1 and cannot grow on average if the hypothesis is true.  By Ville's inequality it ever reaches
1/alpha with probability alpha at most; values at which it has reached it are excluded.

**One rate** (``rate_interval``).  Against rate p bets the beta-binomial mixture with Jeffreys'
prior (Robbins 1970, "Statistical methods related to the law of the iterated logarithm"; Howard,
Ramdas, McAuliffe and Sekhon 2021, "Time-uniform, nonparametric, nonasymptotic confidence
sequences"), s of n having arrived:

    M(p) = B(s + 1/2, n - s + 1/2) / B(1/2, 1/2) / (p^s (1 - p)^(n - s))

**A difference of two rates** (``difference_interval``).  Against p - q = d a stake x bets that an
arrival among the treated pays more, and one among the controls less, than at a pair (p0, q0) on
the line p0 - q0 = d; w and v = 1 - w are the shares in which users are drawn into the arms:

    K = prod_treated (1 + x (y - p0) / w)  prod_control (1 - x (y - q0) / v)

(the e-variables of Turner, Ly and Grünwald 2024, "Generic E-variables for exact sequential k-sample
tests that allow for optional stopping", for the alternatives p1 = p0 + x p0 (1 - p0) / w and
q1 = q0 - x q0 (1 - q0) / v).  Where the true pair on the line lies delta further, (p0 + delta,
q0 + delta), the mean of K over n treated and m controls is

    C(delta) = (1 + x delta / w)^n (1 - x delta / v)^m.

So K / max_delta C(delta) lies, for every pair on the line, below a martingale that starts at 1; its
average over pairs and stakes bets against d.  Nothing is assumed of the order in which the arms
grow, and C stays near 1 while they grow in the shares given.  Where users are assigned at random
in these shares, K alone is a martingale even if p and q drift together while d stays.

The plain alternative, a joint confidence set of (p, q) projected on p - q, pays for not knowing p
*and* q; this pays for d alone, and needs a third to a half fewer users to exclude 0.

Shape suffixes: D differences, R pairs (p0, q0), X stakes.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import betaln, logsumexp, xlogy

FloatArray = npt.NDArray[np.float64]

PRIOR = 0.5
# Where p0 and q0 lie between the least and the greatest that d allows.  A few suffice, since K
# adapts: its spread is that of the tangent of p (1 - p) at p0.  Rates of arrival tend to be small.
PLACES_R = np.array([0.01, 0.06, 0.2, 0.5, 0.8, 0.94, 0.99])
PLACE_WEIGHTS_R = np.array([2.0, 3.0, 2.0, 1.0, 0.7, 0.5, 0.3]) / 9.5
# Stakes as shares of the greatest that never loses everything, on either side.
STAKES = 0.99 * 2.0 ** -np.arange(11.0)
STAKE_WEIGHTS = 1 / np.arange(1.0, 12.0) / np.sum(1 / np.arange(1.0, 12.0)) / 2
HALVINGS = 60
# Differences are told from -1 and 1 by this much.
EDGE = 1e-9
LOG_WEIGHTS_RX = np.log(PLACE_WEIGHTS_R[:, None] * np.tile(STAKE_WEIGHTS, 2))


def rate_interval(
    arrived: npt.ArrayLike, users: npt.ArrayLike, level: float = 0.95
) -> tuple[FloatArray, FloatArray]:
    """Return lower and upper ends of the confidence sequence of a rate.

    Args:
        arrived: Successes, of any shape; whole numbers or not.
        users: Trials, of the same shape; (0, 1) is returned where there are none.
        level: Probability that the rate lies inside at all times.
    """
    arrived, users = np.broadcast_arrays(
        np.asarray(arrived, dtype=np.float64), np.asarray(users, dtype=np.float64)
    )
    seen = np.divide(arrived, users, out=np.full(users.shape, 0.5), where=users > 0)
    ends = []
    for outside in (np.zeros_like(seen), np.ones_like(seen)):
        # The evidence grows from the rate seen, where it is none, to the end of the range.
        inside, beyond = seen.copy(), outside.copy()
        for _ in range(HALVINGS):
            middle = (inside + beyond) / 2
            excluded = rate_evidence(middle, arrived, users) >= -np.log1p(-level)
            inside = np.where(excluded, inside, middle)
            beyond = np.where(excluded, middle, beyond)
        # The outer end of what is left, so that rounding never makes it narrower.
        whole = rate_evidence(outside, arrived, users) < -np.log1p(-level)
        ends.append(np.where(whole, outside, beyond))
    return ends[0], ends[1]


def rate_evidence(rate: npt.ArrayLike, arrived: npt.ArrayLike, users: npt.ArrayLike) -> FloatArray:
    """Return log M: the evidence against a rate, in nats; excluded from log(1 / alpha) on."""
    rate = np.asarray(rate, dtype=np.float64)
    arrived, missed = np.asarray(arrived), np.asarray(users) - np.asarray(arrived)
    mixture = betaln(arrived + PRIOR, missed + PRIOR) - betaln(PRIOR, PRIOR)
    evidence: FloatArray = mixture - xlogy(arrived, rate) - xlogy(missed, 1 - rate)
    return evidence


@lru_cache(maxsize=1024)
def difference_interval(
    treated: tuple[float, float],
    control: tuple[float, float],
    holdout: float,
    level: float = 0.95,
) -> tuple[float, float]:
    """Return the ends of the confidence sequence of a difference, treated minus control.

    Args:
        treated: Arrived, and users.
        control: The same of the hold-out.
        holdout: Share of users who are drawn into the hold-out, strictly between 0 and 1.  The
            interval holds whatever it is; it is narrowest if it is the true one.
        level: Probability that the difference lies inside at all times.

    Returns:
        (-1, 1) where an arm has no users.
    """
    if not treated[1] or not control[1]:
        return -1.0, 1.0
    threshold = -np.log1p(-level)
    seen = treated[0] / treated[1] - control[0] / control[1]

    def excluded(differences_D: FloatArray) -> npt.NDArray[np.bool_]:
        evidence_D = difference_evidence(differences_D, treated, control, holdout)
        over_D: npt.NDArray[np.bool_] = evidence_D >= threshold
        return over_D

    ends = []
    for end in (-1.0, 1.0):
        # At what was seen there is no evidence.  What is not excluded need not be an interval: of
        # places ever further out, the outermost one counts, and its distance to the next.
        steps_D = np.concatenate([[0.0], 2.0 ** (-np.arange(80, -1, -1) / 4)])
        places_D = seen + (end - seen) * steps_D
        last = int(np.flatnonzero(~excluded(places_D[:-1])).max(initial=0))
        inside, beyond = float(places_D[last]), float(places_D[last + 1])
        if last + 2 == len(places_D):
            ends.append(end)
            continue
        for _ in range(HALVINGS // 3):
            middle = (inside + beyond) / 2
            if excluded(np.array([middle]))[0]:
                beyond = middle
            else:
                inside = middle
        ends.append(beyond)
    return ends[0], ends[1]


def difference_evidence(
    difference: npt.ArrayLike,
    treated: tuple[npt.ArrayLike, npt.ArrayLike],
    control: tuple[npt.ArrayLike, npt.ArrayLike],
    holdout: float,
) -> FloatArray:
    """Return the evidence against a difference, in nats; excluded from log(1 / alpha) on.

    Args:
        difference: d; of a shape that broadcasts with the counts.
        treated: Arrived, and users; whole numbers or not.
        control: The same of the hold-out.
        holdout: See ``difference_interval``.
    """
    arrays = (difference, *treated, *control)
    d, arrived, users, arrived_c, users_c = (
        np.asarray(array, dtype=np.float64)[..., None, None] for array in arrays
    )
    w, v = 1 - holdout, holdout
    d = np.clip(d, EDGE - 1, 1 - EDGE)
    least = np.maximum(0.0, -d)
    q0 = least + (1 - np.abs(d)) * PLACES_R[:, None]
    p0 = q0 + d
    # No outcome may take all: p1 and q1 stay within (0, 1).
    up = np.minimum(w / p0, v / (1 - q0)) * STAKES
    down = np.minimum(w / (1 - p0), v / q0) * STAKES
    stake = np.concatenate([up, -down], axis=-1)
    fortune = (
        arrived * np.log1p(stake * (1 - p0) / w)
        + (users - arrived) * np.log1p(-stake * p0 / w)
        + arrived_c * np.log1p(-stake * (1 - q0) / v)
        + (users_c - arrived_c) * np.log1p(stake * q0 / v)
    )
    # log C is concave in x delta and greatest where the arms' shares differ from w and v by it.
    total = np.maximum(users + users_c, 1.0)
    ends = stake * (least - q0), stake * (least + 1 - np.abs(d) - q0)
    shift = np.clip((users * v - users_c * w) / total, np.minimum(*ends), np.maximum(*ends))
    fortune -= users * np.log1p(shift / w) + users_c * np.log1p(-shift / v)
    evidence: FloatArray = logsumexp(fortune + LOG_WEIGHTS_RX, axis=(-2, -1))
    return evidence
