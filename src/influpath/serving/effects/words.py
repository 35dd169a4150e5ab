"""Figures in words that everybody understands."""

import math

# Shares from here on are said in small numbers, those below as "1 in 30".
RARE = 0.095
SMALL = [(part, whole) for whole in range(2, 11) for part in (1, whole - 1)]
SMALL += [(2, 5), (3, 5), (3, 8), (5, 8), (4, 9), (5, 9), (3, 10), (7, 10)]


def one_in(share: float) -> str:
    """Say a share as people say odds: "1 in 30", "2 in 3", "none", "all".

    Rounded: the number of rare things, and of those that nearly all do, to two digits, the share
    of others by at most 2 percentage points.
    """
    if share <= 0:
        return "none"
    if share >= 1:
        return "all"
    if share < RARE:
        return f"1 in {_rounded(1 / share):,}"
    if share > 1 - RARE:
        whole = _rounded(1 / (1 - share))
        return f"{whole - 1:,} in {whole:,}"
    part, whole = min(SMALL, key=lambda pair: (abs(pair[0] / pair[1] - share), pair[1]))
    return f"{part} in {whole}"


def percent(share: float) -> str:
    """Say a share as "3.2%"; two digits that count where it is small."""
    return f"{_figure(100 * share)}%"


def points(difference: float, sign: bool = False) -> str:
    """Say a difference of shares as "1.6 percentage points"; with its sign where wanted."""
    figure = _signed(100 * difference) if sign else _figure(100 * difference)
    return f"{figure} percentage point{'' if figure.lstrip('+-') == '1' else 's'}"


def between(low: float, high: float) -> str:
    """Say a range of differences as "between -0.5 and +3.9 percentage points"."""
    ends = [_signed(100 * end) for end in (low, high)]
    return f"between {ends[0]} and {ends[1]} percentage points"


def count(number: int, thing: str) -> str:
    """Say how many: "no users", "1 user", "1,200 users"."""
    if number == 0:
        return f"no {thing}s"
    return f"1 {thing}" if number == 1 else f"{number:,} {thing}s"


def _signed(value: float) -> str:
    """Return a figure with its sign."""
    figure = _figure(value)
    return figure if value <= 0 or figure == "0" else f"+{figure}"


def _figure(value: float) -> str:
    """Return a figure with one digit after the point, or two that count where it is small."""
    size = abs(value)
    if not size or size < 0.0005:
        return "0"
    places = 1 if size >= 1 else min(4, 1 - math.floor(math.log10(size)))
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".")


def _rounded(value: float) -> int:
    """Round to two digits that count."""
    unit = 10 ** max(0, math.floor(math.log10(value)) - 1)
    return int(round(value / unit) * unit)
