"""What the figures of the reproduction share: lines through means with intervals, notes, panels."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from influpath.experiments.figure_parts import INK, Look, banded_line, legend_name

# What the axes say.
AXES = {
    "sr": "SR: objective shown\n(share of paths)",
    "accepted_sr@20": "accepted SR@20\n(share of paths)",
    "log_ppl": "log(PPL): surprise\nof the items (nats)",
    "ioi": "IoI: growth of interest (nats)",
    "worst_step": "worst step: largest\nsurprise (nats)",
}
GRID: Any = {"color": INK, "alpha": 0.15, "linewidth": 0.6}


def metric_line(
    axes: Axes,
    x: Sequence[float],
    intervals: Sequence[Mapping[str, Any]],
    look: Look,
    label: str | None = None,
) -> None:
    """Draw ``mean, ci95`` rows as a line with a band; undefined ones are left out."""
    known = [
        (at, (row["mean"], *row["ci95"]))
        for at, row in zip(x, intervals, strict=True)
        if row["mean"] is not None
    ]
    banded_line(axes, [at for at, _ in known], [row for _, row in known], look, label)


def planner_legend(figure: Figure, styles: Mapping[str, Look]) -> None:
    """Name the planners above all panels, whichever panels they are in."""
    handles = []
    for look in styles.values():
        drawn: Any = {"color": look.color, "marker": look.marker, "linestyle": look.line}
        handles.append(Line2D([], [], markersize=4.5, **drawn))
    names = [legend_name(label) for label in styles]
    figure.legend(handles, names, loc="outside upper left", ncols=4, fontsize=9)


def note_below(figure: Figure, text: str) -> None:
    """Write what all panels rest on below them."""
    figure.supxlabel(text, fontsize=8.5)
