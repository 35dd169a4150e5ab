"""How far users' tastes moved, and how much of it the campaign brought about.

    shift(treated_UG2, control_UG2, seed=1) -> schemas.Shift

A user's shift is the Jensen-Shannon divergence in bits, 0 to 1, between the categories of what the
user took before enrolment and of what the user took since; what was shown and rejected does not
count.  The mean over the hold-out is the natural drift; what the campaign induced is the
difference.

**Few items look like a shift.**  Even a user whose taste stays has different shares of categories
in ten items and in the next ten, so the divergence of counts is biased upwards, the more the fewer
items there are.  What was taken before enrolment is not affected by the campaign, so the arms,
drawn at random, are alike in it.  What was taken since is: those who are led may take more, or
less, and the bias would pass for an effect.  So the counts since enrolment are thinned until both
arms have the same distribution of their number: users at the same quantile of their arm are
compared at the smaller of the two arms' quantiles.  Nobody is left out but those who took nothing,
and next to nothing is thinned where the arms are alike.  What is left of the bias is the same in
both arms and cancels in the difference; the two means still contain it.

Users who took nothing before, or nothing since, have no shift and are left out; ``n`` says how many
count.  Intervals are 95% percentile bootstraps over users (``evaluation.intervals``): they hold for
one look, unlike those of the uplift.

Shape suffixes: U users, G categories, 2 before and since enrolment, B resamples.
"""

import math

import numpy as np
import numpy.typing as npt

from influpath.evaluation.intervals import RESAMPLES, resampled_means
from influpath.serving.effects.words import count
from influpath.serving.schemas import Estimate, Shift

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# Thinned counts are averaged over so many draws, so that chance adds little.
THINNINGS = 8
# Of more users the bootstrap of a mean is its normal law, which costs nothing.
MANY = 2000


def shift(treated_UG2: FloatArray, control_UG2: FloatArray, seed: int) -> Shift:
    """Return how far tastes moved in each arm, and the difference.

    Args:
        treated_UG2: Per user who was led, how many items of each category were taken before
            enrolment, and since; whole numbers, float64 [users, categories, 2].  An item counts
            once in each of its categories.
        control_UG2: The same of the hold-out.
        seed: Decides thinning and bootstrap.

    Raises:
        ValueError: A count is no whole number, or negative.
    """
    arms = [_with_both(counts_UG2) for counts_UG2 in (treated_UG2, control_UG2)]
    kept = _kept(*(counts_UG2[..., 1].sum(1) for counts_UG2 in arms))
    rng = np.random.default_rng([seed, 0x5817])
    shifts = [
        _shifts(counts_UG2, kept_U, rng) for counts_UG2, kept_U in zip(arms, kept, strict=True)
    ]
    means_B = [_resampled(shift_U, seed + place) for place, shift_U in enumerate(shifts)]
    both = min(len(shift_U) for shift_U in shifts) > 0
    treated, control = (
        _estimate(shift_U.mean() if len(shift_U) else None, means, len(shift_U))
        for shift_U, means in zip(shifts, means_B, strict=True)
    )
    induced = _estimate(
        shifts[0].mean() - shifts[1].mean() if both else None,
        means_B[0] - means_B[1],
        treated.n + control.n,
    )
    return Shift(
        treated=treated,
        control=control,
        induced=induced,
        words=_words(treated, control, induced),
    )


def divergence(first_UG: FloatArray | IntArray, second_UG: FloatArray | IntArray) -> FloatArray:
    """Return the Jensen-Shannon divergence of counts in bits, float64 [U]: 0 to 1.

    Raises:
        ValueError: A row is empty.
    """
    if not (first_UG.sum(-1) > 0).all() or not (second_UG.sum(-1) > 0).all():
        raise ValueError("the divergence of no items is not defined")
    p_UG = first_UG / first_UG.sum(-1, keepdims=True)
    q_UG = second_UG / second_UG.sum(-1, keepdims=True)
    bits_U = _entropy((p_UG + q_UG) / 2) - (_entropy(p_UG) + _entropy(q_UG)) / 2
    clipped: FloatArray = bits_U.clip(0.0, 1.0)
    return clipped


def thinned(counts_UG: IntArray, kept_U: IntArray, rng: np.random.Generator) -> IntArray:
    """Draw ``kept_U`` of each user's counted things without replacement, category by category."""
    left_U, wanted_U = counts_UG.sum(1), kept_U.copy()
    drawn_UG = np.zeros_like(counts_UG)
    for category in range(counts_UG.shape[1]):
        here_U = counts_UG[:, category]
        left_U = left_U - here_U
        drawn_UG[:, category] = rng.hypergeometric(here_U, left_U, wanted_U)
        wanted_U = wanted_U - drawn_UG[:, category]
    return drawn_UG


def _with_both(counts_UG2: FloatArray) -> IntArray:
    """Return the counts of users who took something before and since."""
    counts_UG2 = np.asarray(counts_UG2, dtype=np.float64)
    whole_UG2 = counts_UG2.astype(np.int64)
    if (whole_UG2 != counts_UG2).any() or (whole_UG2 < 0).any():
        raise ValueError("counts of categories must be whole numbers from 0 on")
    kept_U2: IntArray = whole_UG2[(whole_UG2.sum(1) > 0).all(1)]
    return kept_U2


def _kept(treated_U: IntArray, control_U: IntArray) -> tuple[IntArray, IntArray]:
    """Return how many of each user's things count, so that both arms are alike in it."""
    if not len(treated_U) or not len(control_U):
        return treated_U, control_U
    return _matched(treated_U, control_U), _matched(control_U, treated_U)


def _matched(own_U: IntArray, other_U: IntArray) -> IntArray:
    """Return the smaller of a user's number and the other arm's at the same quantile."""
    order = np.argsort(own_U, kind="stable")
    # The middle of each user's part of the distribution.
    quantile_U = (np.arange(len(own_U)) + 0.5) / len(own_U)
    place_U = np.minimum((quantile_U * len(other_U)).astype(np.int64), len(other_U) - 1)
    matched_U = np.empty_like(own_U)
    matched_U[order] = np.minimum(own_U[order], np.sort(other_U)[place_U])
    return matched_U


def _shifts(counts_UG2: IntArray, kept_U: IntArray, rng: np.random.Generator) -> FloatArray:
    """Return each user's shift, float64 [U], thinned where less is kept than there is."""
    before_UG, since_UG = counts_UG2[..., 0], counts_UG2[..., 1]
    if not len(before_UG):
        return np.zeros(0)
    shift_U = divergence(before_UG, since_UG)
    fewer_U = kept_U < since_UG.sum(1)
    if fewer_U.any():
        shift_U[fewer_U] = np.mean(
            [
                divergence(before_UG[fewer_U], thinned(since_UG[fewer_U], kept_U[fewer_U], rng))
                for _ in range(THINNINGS)
            ],
            axis=0,
        )
    return shift_U


def _resampled(shift_U: FloatArray, seed: int) -> FloatArray:
    """Return the mean shift in each resample of the users, float64 [B]; NaN without users."""
    if len(shift_U) <= MANY:
        return resampled_means(shift_U[:, None], seed)[:, 0]
    # The law that resampled means of so many users follow.
    spread = shift_U.std() / math.sqrt(len(shift_U))
    return np.random.default_rng([seed, 0xB007]).normal(shift_U.mean(), spread, RESAMPLES)


def _estimate(value: float | None, means_B: FloatArray, users: int) -> Estimate:
    if value is None:
        return Estimate(value=None, low=None, high=None, n=users)
    low, high = np.percentile(means_B, (2.5, 97.5))
    return Estimate(value=float(value), low=float(low), high=float(high), n=users)


def _words(treated: Estimate, control: Estimate, induced: Estimate) -> str:
    if treated.value is None:
        return "Nobody who was led has taken anything since, so no shift can be measured yet."
    led = f"The tastes of {count(treated.n, 'user')} who were led moved by {treated.value:.3f} bits"
    scale = "(0 is not at all, 1 is altogether)"
    if control.value is None or induced.value is None:
        return f"{led} {scale}. There is no hold-out to compare with."
    low, high = induced.low or 0.0, induced.high or 0.0
    if low > 0:
        finding = f"The campaign moved tastes {induced.value:.3f} bits further than they drift"
    elif high < 0:
        finding = f"Under the campaign tastes moved {-induced.value:.3f} bits less than they drift"
    else:
        finding = f"The difference, {induced.value:+.3f} bits, may be chance"
    return (
        f"{led}, those of {count(control.n, 'user')} in the hold-out by {control.value:.3f} "
        f"{scale}. {finding} (95% interval {low:+.3f} to {high:+.3f}). Part of both figures is "
        "chance, since few items look like a change; the groups are compared on equally many, so "
        "it cancels in the difference."
    )


def _entropy(share_UG: FloatArray) -> FloatArray:
    """Return entropies in bits, float64 [U]."""
    logs = np.log2(share_UG, out=np.zeros_like(share_UG), where=share_UG > 0)
    entropy_U: FloatArray = -(share_UG * logs).sum(-1)
    return entropy_U
