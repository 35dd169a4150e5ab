"""How a campaign goes, each figure with its interval."""

from datetime import datetime

from influpath.config import FrozenConfig
from influpath.serving.schemas.campaigns import Campaign


class Estimate(FrozenConfig):
    """A figure with its interval; None where nothing is known yet."""

    value: float | None
    low: float | None
    high: float | None
    n: int


class Uplift(FrozenConfig):
    """What a campaign changed.

    Attributes:
        treated: Arrival of users who were led; only those whose window is over count.
        control: Arrival of the hold-out.
        difference: The uplift.
        level: Of the intervals, such as 0.95; they hold however often one looks.
        pending: Users whose window is not over.
        decided: Whether the interval excludes 0.
        words: In words.
    """

    treated: Estimate
    control: Estimate
    difference: Estimate
    level: float
    pending: int
    decided: bool
    words: str


class UsersNeeded(FrozenConfig):
    """How many users decide about an uplift.

    Attributes:
        users: In both groups together; None where no number decides (no hold-out).
        baseline: Assumed arrival without the campaign.
        least_uplift: The difference that is to be seen.
        power: With which probability.
        enrolled: How many there are.
        words: In words.
    """

    users: int | None
    baseline: float
    least_uplift: float
    power: float
    enrolled: int
    words: str


class Shift(FrozenConfig):
    """How far tastes moved, in bits of Jensen-Shannon divergence between categories taken.

    Attributes:
        treated: Of users who were led.
        control: Of the hold-out: the natural drift.
        induced: The difference.
        words: In words.
    """

    treated: Estimate
    control: Estimate
    induced: Estimate
    words: str


class FunnelStage(FrozenConfig):
    """How many users came so far."""

    stage: str
    treated: int
    control: int


class Day(FrozenConfig):
    """What happened on a day (UTC)."""

    day: datetime
    shown: int
    accepted: int
    rejected: int
    arrived: int


class CampaignReport(FrozenConfig):
    """How a campaign goes.

    Attributes:
        campaign: Which.
        funnel: From enrolment to arrival.
        uplift: What it changed.
        users_needed: How many users decide.
        shift: How far tastes moved.
        answers: Shown items by what became of them: accepted, rejected, ignored, open.
        days: Day by day.
        words: The report in a few sentences.
    """

    campaign: Campaign
    funnel: tuple[FunnelStage, ...]
    uplift: Uplift
    users_needed: UsersNeeded
    shift: Shift
    answers: dict[str, int]
    days: tuple[Day, ...]
    words: tuple[str, ...]
