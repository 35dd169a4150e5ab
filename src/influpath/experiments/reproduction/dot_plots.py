"""Dots with intervals: many planners in several metrics, or a few planners stratum by stratum."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from influpath.experiments.figure_parts import INK, LOOKS, ORANGE, WIDTH, Look, defined

# What the axes say.
AXES = {
    "sr": "SR@M: objective\nshown\n(share of paths)",
    "ioi": "IoI: growth of\ninterest in it\n(nats)",
    "ior": "IoR: places\nclimbed",
    "log_ppl": "log(PPL): surprise\nof the items\n(nats, left is smoother)",
    "accepted_sr@20": "accepted SR@20:\nshown while in top 20\n(share of paths)",
    "worst_step": "worst step:\nlargest surprise\n(nats, left is smoother)",
}
FAINT: Any = {"color": INK, "alpha": 0.15, "linewidth": 0.6}
PAPER: Any = {"color": INK, "fillstyle": "none", "linestyle": "none", "markersize": 6}
OTHER = Look(ORANGE, "P", "-")


@dataclass(frozen=True)
class Dot:
    """One row of a dot plot.

    Attributes:
        name: What stands at its left.
        row: Metric -> ``mean, ci95, n``.
        look: Colour and mark.
        printed: Metric -> what the paper prints.
        apart: Whether a line parts it from the row above.
    """

    name: str
    row: Mapping[str, Any]
    look: Look
    printed: Mapping[str, float | None] = field(default_factory=dict)
    apart: bool = False


def look_of(family: str) -> Look:
    """Return how a family of planners is drawn."""
    return LOOKS.get(family, OTHER)


def dot_plot(dots: Sequence[Dot], metrics: Sequence[str], pairs: int) -> Figure:
    """Draw one row per planner and one panel per metric; the paper's figures are hollow.

    Args:
        dots: The rows, from the top.
        metrics: The panels.
        pairs: How many pairs are behind a mean, unless the row's name says another number.
    """
    figure = Figure(figsize=(1.5 + 2.1 * len(metrics), 1.5 + 0.26 * len(dots)))
    panels = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
    for axes, metric in zip(panels, metrics, strict=True):
        for place, dot in enumerate(dots):
            draw_interval(axes, dot.row.get(metric), place, dot.look)
            value = dot.printed.get(metric)
            if value is not None:
                axes.plot(value, place, marker="D", **PAPER)
            if dot.apart:
                axes.axhline(place - 0.5, **FAINT)
        axes.set_xlabel(AXES[metric])
        axes.grid(axis="x", **FAINT)
        axes.margins(x=0.08)
        axes.tick_params(axis="y", length=0)
        if metric in ("sr", "accepted_sr@20"):
            axes.set_xlim(left=min(0.0, axes.get_xlim()[0]))
        axes.xaxis.set_major_locator(MaxNLocator(nbins=3))
        if axes.get_xlim()[0] < 0 < axes.get_xlim()[1]:
            axes.axvline(0, color=INK, linewidth=0.6, alpha=0.5)
    panels[0].set_yticks(range(len(dots)), [dot.name for dot in dots])
    panels[0].set_ylim(len(dots) - 0.5, -0.5)
    here = f"here, 95% interval (n = {pairs:,} pairs)"
    handles = [Line2D([], [], color=INK, marker="o", markersize=5, label=here)]
    if any(value is not None for dot in dots for value in dot.printed.values()):
        handles.append(Line2D([], [], marker="D", label="as the paper prints", **PAPER))
    figure.legend(handles=handles, loc="outside upper left", ncols=2, fontsize=9.5)
    return figure


def draw_interval(axes: Axes, at: Mapping[str, Any] | None, place: float, look: Look) -> None:
    """Draw a mean and its interval on a row; nothing where they are undefined."""
    if not defined(at):
        return
    assert at is not None
    axes.plot(at["ci95"], [place, place], color=look.color, linewidth=1.8)
    axes.plot(at["mean"], place, marker=look.marker, color=look.color, markersize=5)


def strata_plot(
    panels: Sequence[tuple[str, Sequence[str], Mapping[str, Sequence[Mapping[str, Any]]]]],
    styles: Mapping[str, Look],
    label_of: Mapping[str, str],
    ylabel: str,
) -> Figure:
    """Draw one panel per kind of strata: a planner's means with intervals, stratum by stratum.

    Args:
        panels: Title, the strata's names, and planner -> one ``mean, ci95, n`` per stratum.
        styles: Planner -> look.
        label_of: Planner -> its name in the legend.
        ylabel: The metric with its unit.
    """
    figure = Figure(figsize=(1.75 * WIDTH, 3.9))
    drawn = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    planners = list(label_of)
    for axes, (title, names, rows) in zip(drawn, panels, strict=True):
        for number, planner in enumerate(planners):
            look = styles[planner]
            # Side by side, so that no interval covers another.
            shift = 0.13 * (number - (len(planners) - 1) / 2)
            known = [(place + shift, at) for place, at in enumerate(rows[planner]) if defined(at)]
            axes.plot(
                [x for x, _ in known],
                [at["mean"] for _, at in known],
                color=look.color,
                marker=look.marker,
                linestyle=look.line,
                linewidth=0.9,
                markersize=5,
                label=label_of[planner],
            )
            for x, at in known:
                axes.plot([x, x], at["ci95"], color=look.color, linewidth=1.8)
        axes.set_title(title, loc="left")
        axes.set_xticks(range(len(names)), names, fontsize=9)
        axes.set_xlim(-0.5, len(names) - 0.5)
        axes.grid(axis="y", **FAINT)
        axes.axhline(0, color=INK, linewidth=0.6, alpha=0.5)
    drawn[0].set_ylabel(ylabel)
    handles, labels = drawn[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=3, fontsize=9.5)
    return figure
