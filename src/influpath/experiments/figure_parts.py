"""What the figures share: colours, marks, legends, labels, and SVG for a page."""

import html
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator
from matplotlib.transforms import Bbox

from influpath.experiments.examples import odds

# Stands for the page's text colour while drawing, and is replaced by it afterwards.
INK = "#010203"

# Okabe-Ito, the colours that are told apart by (nearly) everyone; yellow is too pale for lines.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")

BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY = COLORS

STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.parse_math": False,
    "axes.titlesize": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}

FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"

WIDTH = 5.0

Align = Literal["start", "arrival"]

# A mean with the ends of its interval.
Interval = tuple[float, float | None, float | None]


class Look(NamedTuple):
    """How a planner is drawn; never by colour alone."""

    color: str
    marker: str
    line: str


LOOKS = {
    "irn": Look(BLUE, "o", "-"),
    "rec2inf": Look(VERMILLION, "s", "--"),
    "vanilla": Look(GREEN, "D", "-."),
    "oracle": Look(INK, "^", ":"),
    "direct": Look(PURPLE, "v", "-"),
}
FURTHER = [Look(ORANGE, "P", "--"), Look(SKY, "X", "-."), Look(PURPLE, "<", ":")]


def looks(planners: Iterable[str]) -> dict[str, Look]:
    """Return a look for every planner; the same planner has the same one in every figure."""
    found: dict[str, Look] = {}
    # Those with a look of their own come first, so that no other planner takes it.
    for label in sorted(
        set(planners), key=lambda label: (label.partition("/")[0] not in LOOKS, label)
    ):
        own = LOOKS.get(label.partition("/")[0])
        taken = set(found.values())
        free = [look for look in (own, *FURTHER, *LOOKS.values()) if look and look not in taken]
        found[label] = free[0] if free else FURTHER[len(found) % len(FURTHER)]
    return found


def odds_axis(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    """Make the y axis one of chances, "1 in 100", with room for all the rows' intervals."""
    ends = [r[key] for r in rows for key in ("low", "high", "mean") if r[key] is not None]
    bottom, top = math.exp(min(ends) - 0.3), math.exp(max(ends) + 0.3)
    axes.set_yscale("log")
    axes.set_ylim(bottom, top)
    # Few decades want ticks in between: 1 in 100, 1 in 300, 1 in 1,000.
    decades = math.log10(top / bottom)
    between = (1.0,) if decades > 3 else (1.0, 10 / 3) if decades > 1.3 else (1.0, 2.0, 5.0)
    axes.yaxis.set_major_locator(LogLocator(subs=between))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: odds(math.log(value))))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(axis="y", color=INK, alpha=0.15, linewidth=0.6)


def banded_line(
    axes: Axes,
    x: Sequence[float],
    intervals: Sequence[Interval],
    look: Look,
    label: str | None = None,
) -> None:
    """Draw means as a line with marks, and their intervals as a band (of a lone mean, as a bar).

    Args:
        axes: Where.
        x: One place per interval.
        intervals: ``(mean, low, high)``; low and high may be None.
        look: How the planner is drawn.
        label: Its name in the legend.
    """
    axes.plot(
        x,
        [mean for mean, _, _ in intervals],
        color=look.color,
        linestyle=look.line,
        marker=look.marker,
        markersize=3.5,
        label=label,
    )
    banded = [(at, low, high) for at, (_, low, high) in zip(x, intervals, strict=True)]
    known = [(at, low, high) for at, low, high in banded if low is not None and high is not None]
    axes.fill_between(
        [at for at, _, _ in known],
        [low for _, low, _ in known],
        [high for _, _, high in known],
        color=look.color,
        alpha=0.18,
        linewidth=0,
    )
    if len(known) == 1:
        axes.vlines(*known[0], color=look.color, linewidth=0.9)


def step_panel(
    axes: Axes, rows: Sequence[Mapping[str, Any]], quantity: str, styles: Mapping[str, Look]
) -> None:
    """Draw how likely something is at each step, one line per planner with its interval.

    Args:
        axes: Where.
        rows: Stepwise rows of one alignment, with their means.
        quantity: Which of them.
        styles: Planner -> look.
    """
    for label in dict.fromkeys(row["planner"] for row in rows):
        own = [r for r in rows if (r["planner"], r["quantity"]) == (label, quantity)]
        chances = [(math.exp(r["mean"]), chance(r["low"]), chance(r["high"])) for r in own]
        banded_line(axes, [r["step"] for r in own], chances, styles[label], legend_name(label))


def chance(log_prob: float | None) -> float | None:
    """Return the probability of a log-probability, if there is one."""
    return None if log_prob is None else math.exp(log_prob)


def count_panel(axes: Axes, rows: Sequence[Mapping[str, Any]], styles: Mapping[str, Look]) -> None:
    """Draw the number of paths behind each step."""
    for label in dict.fromkeys(row["planner"] for row in rows):
        own = [r for r in rows if (r["planner"], r["quantity"]) == (label, "objective_log_prob")]
        look = styles[label]
        axes.plot(
            [r["step"] for r in own],
            [r["n"] for r in own],
            color=look.color,
            linestyle=look.line,
            marker=look.marker,
            markersize=3,
        )
    axes.set_title("paths behind each mean (n)", loc="left")
    axes.set_ylim(0, 1.12 * max((r["n"] for r in rows), default=1))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=3))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def legend_above(figure: Figure, axes: Axes) -> None:
    """Put the legend above all panels, where it covers no data."""
    handles, labels = axes.get_legend_handles_labels()
    longest = max(map(len, labels))
    columns = 3 if longest < 16 and len(labels) != 4 else 2 if longest < 30 else 1
    figure.legend(handles, labels, loc="outside upper left", ncols=columns, fontsize=9.5)


def label_points(
    figure: Figure, axes: Axes, marks: Sequence[tuple[float, float, str, str]]
) -> None:
    """Write the dial beside each point, where it covers the least."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    renderer = canvas.get_renderer()  # type: ignore[no-untyped-call]
    inside = axes.get_window_extent(renderer)
    size = figure.dpi / 72
    at = [axes.transData.transform((x, y)) for x, y, _, _ in marks]
    lines = [line.get_path().transformed(line.get_transform()) for line in axes.get_lines()]
    for bars in axes.collections:
        lines += [bar.transformed(bars.get_transform()) for bar in bars.get_paths()]
    taken = [Bbox.from_bounds(x - 6 * size, y - 6 * size, 12 * size, 12 * size) for x, y in at]
    for x, y, name, color in marks:
        if not name:
            continue
        best: tuple[float, tuple[float, float]] | None = None
        text = axes.annotate(
            name, (x, y), (0, 0), textcoords="offset points", ha="center", va="center", fontsize=9
        )
        text.set_in_layout(False)
        for offset in offsets(len(name)):
            text.set_position(offset)
            box = text.get_window_extent(renderer)
            covered = sum(overlap(box, other) for other in taken) / (box.width * box.height)
            crossed = sum(path.intersects_bbox(box, filled=False) for path in lines)
            outside = box.width * box.height - overlap(box, inside)
            cost = 3 * covered + 0.4 * crossed + 0.02 * math.hypot(*offset) + (outside > 1) * 5
            if best is None or cost < best[0] - 1e-9:
                best = (cost, offset)
        assert best is not None
        text.set_position(best[1])
        text.set_color(color)
        taken.append(text.get_window_extent(renderer))


def offsets(letters: int) -> list[tuple[float, float]]:
    """Return where a label of so many letters may stand around its point, in points."""
    side = 7 + 2.6 * letters
    around = ((1, 0.7), (-1, 0.7), (1, -0.7), (-1, -0.7), (0, 1.1), (0, -1.1), (1, 0), (-1, 0))
    return [(near * side * x, near * 12 * y) for near in (1.0, 1.5, 2.0) for x, y in around]


def overlap(a: Bbox, b: Bbox) -> float:
    """Return the area two boxes share."""
    shared = Bbox.intersection(a, b)
    return 0.0 if shared is None else float(shared.width * shared.height)


def planners_of(document: Mapping[str, Any]) -> list[str]:
    """Return the planners of the table, the frontier and the curves, in that order."""
    swept = [point["planner"] for point in document.get("frontier") or []]
    return [*document["planners"], *swept, *(r["planner"] for r in document.get("stepwise") or [])]


def legend_name(label: str) -> str:
    """Return how the legend calls a planner."""
    return f"{label} (sees the judge)" if label.partition("/")[0] == "oracle" else label


def defined(*intervals: Mapping[str, Any] | None) -> bool:
    """Return whether all intervals have numbers."""
    return all(
        at is not None and at["mean"] is not None and None not in at["ci95"] for at in intervals
    )


def error_bars(intervals: Sequence[Mapping[str, Any]]) -> list[list[float]]:
    """Return the lengths of the bars below and above the means."""
    return [
        [at["mean"] - at["ci95"][0] for at in intervals],
        [at["ci95"][1] - at["mean"] for at in intervals],
    ]


def curve_ends(rows: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    """Yield how each curve begins and ends, in words."""
    for label in dict.fromkeys(row["planner"] for row in rows):
        own = [r for r in rows if (r["planner"], r["quantity"]) == (label, "objective_log_prob")]
        if own:
            yield f"{label}: from {odds(own[0]['mean'])} to {odds(own[-1]['mean'])}"


def sentence(parts: Iterable[str]) -> str:
    """Join parts of a description to a sentence."""
    return "; ".join(parts) + "."


def inline_svg(figure: Figure, name: str, title: str, description: str) -> str:
    """Return the figure as an SVG element: no links, ids of its own, title and description."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    # Written for a file of its own; in a page it would style everything.
    text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)
    text = text.replace(' xmlns:xlink="http://www.w3.org/1999/xlink"', "")
    text = text.replace("xlink:href", "href").replace(INK, "currentColor")
    # A page may say lighter ones for a dark background.
    for number, color in enumerate(COLORS):
        text = text.replace(color.lower(), f"var(--series-{number}, {color})")
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r"url\(#", f"url(#{name}-", text).replace('href="#', f'href="#{name}-')
    text = re.sub(r"font: ([\d.]+px) [^;\"]*", rf"font: \1 {FONTS}", text)
    opening, rest = text.split(">", 1)
    opening = re.sub(r' (width|height|version)="[^"]*"', "", opening)
    labelled = ' style="stroke-linejoin: round" role="img"'
    labelled += f' aria-labelledby="{name}-title {name}-desc"'
    return (
        f'{opening}{labelled}><title id="{name}-title">{html.escape(title)}</title>'
        f'<desc id="{name}-desc">{html.escape(description)}</desc>{rest}'
    )
