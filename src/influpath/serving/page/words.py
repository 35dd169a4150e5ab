"""Figures as people say them, for the page."""

import math
from datetime import datetime

from influpath.serving.effects import words as effect_words
from influpath.serving.effects.words import one_in


def chance(probability: float | None) -> str:
    """Return a probability as people say it: "1 in 12".

    >>> chance(0.0012345), chance(1e-13)
    ('1 in 810', 'next to never')
    """
    if probability is None or math.isnan(probability):
        return "unknown"
    if probability < 1e-12:
        return "next to never"
    return "nearly always" if probability > 0.995 else one_in(probability)


def times(nats: float | None) -> str:
    """Return a gain of log-probability as a factor.

    >>> times(2.0), times(-1.0), times(0.01)
    ('7.4 times as likely', '2.7 times less likely', 'as likely as before')
    """
    if nats is None:
        return "unknown"
    factor = math.exp(min(abs(nats), 50))
    if factor < 1.05:
        return "as likely as before"
    said = f"{factor:.1f}" if factor < 10 else f"{round(factor):,}"
    return f"{said} times {'as' if nats > 0 else 'less'} likely"


def choices(nats: float | None) -> str:
    """Return a surprise as the even choice that would be as surprising.

    >>> choices(4.0)
    'a choice among 55'
    """
    if nats is None:
        return "unknown"
    return f"a choice among {math.exp(min(nats, 50)):,.0f}"


def percent(share: float | None, signed: bool = False) -> str:
    """Return a share in percent, a proper minus before what is negative.

    >>> percent(0.0312), percent(-0.004, signed=True), percent(None)
    ('3.1%', '−0.4%', 'unknown')
    """
    if share is None:
        return "unknown"
    sign = "+" if signed and share > 0 else ""
    return (sign + effect_words.percent(share)).replace("-", "−")


def points(share: float | None) -> str:
    """Return a difference of shares in percentage points.

    >>> points(0.0312)
    '+3.1 percentage points'
    """
    return "unknown" if share is None else effect_words.points(share, sign=True).replace("-", "−")


def moment(at: datetime | None) -> str:
    """Return a time as text, UTC.

    >>> from datetime import timezone
    >>> moment(datetime(2026, 3, 4, 5, 6, tzinfo=timezone.utc))
    '4 Mar 2026, 05:06 UTC'
    """
    return "never" if at is None else f"{at.day} {at:%b %Y, %H:%M} UTC"


def day(at: datetime) -> str:
    """Return a day as text."""
    return f"{at.day} {at:%b %Y}"


def plural(count: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun.

    >>> plural(1, "item"), plural(2000, "item")
    ('1 item', '2,000 items')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"
