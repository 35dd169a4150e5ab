"""Figures of the closed loop and of judges against the truth."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from influpath.experiments.closed_loop.loop import ADAPTIVE, LAST_OFFER, OPEN_LOOP
from influpath.experiments.closed_loop.words import METRIC_NAMES, driver_words
from influpath.experiments.figure_parts import INK, Look, defined, looks
from influpath.experiments.saved_figures import save_figures

GRID: Any = {"color": INK, "alpha": 0.15, "linewidth": 0.6}
# Metrics of the dot plot, from the top.
SHOWN = ("accepted_sr@20", "arrival@20", "ioi", "ior", "log_ppl", "worst_step", "acceptance@20")


def draw_loop(document: Mapping[str, Any], path: Path) -> None:
    """Draw arrival against leaving, and arrival round by round, per driver; PNG and SVG.

    Args:
        document: A result of ``influpath simulate``.
        path: Where, without a suffix.
    """
    paths = [path.with_suffix(suffix) for suffix in (".svg", ".png")]
    save_figures(lambda: loop_figure(document), "simulate", *paths)


def loop_figure(document: Mapping[str, Any]) -> Figure:
    """Return the figure of ``draw_loop``."""
    drivers = document["drivers"]
    names = list(next(iter(drivers.values()))["planners"])
    figure = Figure(figsize=(9.6, 0.9 + 3.6 * len(drivers)))
    panels = figure.subplots(len(drivers), 2, squeeze=False, width_ratios=(1, 1.15))
    for (against, curves), (driver, found) in zip(panels, drivers.items(), strict=True):
        arrival_against_leaving(against, found["planners"])
        against.set_title(driver_words(driver, found["users"]), loc="left")
        arrival_curves(curves, found["curves"])
        curves.set_title("arrival, round by round", loc="left")
    figure.legend(
        handles=[handle(name, looks_of(names)[name]) for name in names],
        loc="outside upper left",
        ncols=4,
        fontsize=9,
    )
    return figure


def looks_of(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return how each row is drawn: as its planner, and hollow, crossed or half by its mode."""
    by_planner: dict[str, Look] = looks({name.partition(",")[0] for name in names})
    found = {}
    for name in names:
        look = by_planner[name.partition(",")[0]]
        drawn: dict[str, Any] = {"color": look.color, "marker": look.marker, "linestyle": "-"}
        if name.endswith(ADAPTIVE):
            drawn |= {"fillstyle": "none", "linestyle": "--"}
        elif name.endswith(OPEN_LOOP):
            drawn |= {"marker": "x", "linestyle": ":"}
        elif name.endswith(LAST_OFFER):
            drawn |= {"fillstyle": "bottom", "linestyle": "-."}
        found[name] = drawn
    return found


def handle(name: str, look: Mapping[str, Any]) -> Line2D:
    """Return a legend's entry."""
    return Line2D([], [], label=name, markersize=5.5, linewidth=1.4, **look)


def arrival_against_leaving(axes: Axes, planners: Mapping[str, Any]) -> None:
    """Draw one cross per row: how many arrive, and how many leave."""
    for name, look in looks_of(list(planners)).items():
        left, arrived = planners[name]["left"], planners[name]["arrived"]
        still = {**look, "linestyle": "none"}
        axes.plot([left["mean"]] * 2, arrived["ci95"], color=look["color"], linewidth=1)
        axes.plot(left["ci95"], [arrived["mean"]] * 2, color=look["color"], linewidth=1)
        axes.plot(left["mean"], arrived["mean"], markersize=7, **still)
    axes.set_xlabel("users who left (left is better)")
    axes.set_ylabel("users who took the objective\n(up is better)")
    for axis in (axes.xaxis, axes.yaxis):
        in_percent(axis)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.grid(**GRID)


def in_percent(axis: Axis) -> None:
    """Label an axis of shares in whole percents."""
    axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    # No steps of 2.5, which would be shown rounded.
    axis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10]))


def arrival_curves(axes: Axes, curves: Mapping[str, Any]) -> None:
    """Draw the share of users who had arrived after each round, with intervals."""
    for name, look in looks_of(list(curves)).items():
        if name.endswith(LAST_OFFER) or (name.endswith(ADAPTIVE) and name != f"irn{ADAPTIVE}"):
            continue  # They lie near their fixed ones; their ends are in the other panel.
        rows = curves[name]["arrived"]
        rounds = range(1, len(rows) + 1)
        axes.plot(rounds, [row["mean"] for row in rows], markersize=3.5, linewidth=1.4, **look)
        low, high = ([row["ci95"][end] for row in rows] for end in (0, 1))
        axes.fill_between(rounds, low, high, color=look["color"], alpha=0.12, linewidth=0)
    axes.set_xlabel("round")
    axes.set_ylabel("users who took the objective so far")
    in_percent(axes.yaxis)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(bottom=0)
    axes.grid(**GRID)


def draw_judges(document: Mapping[str, Any], path: Path) -> None:
    """Draw how well each metric ranks planners by true arrival, and three rankings themselves."""
    paths = [path.with_suffix(suffix) for suffix in (".svg", ".png")]
    save_figures(lambda: judges_figure(document), "judges", *paths)


def judges_figure(document: Mapping[str, Any]) -> Figure:
    """Return the figure of ``draw_judges``."""
    headline = document["headline"]
    figure = Figure(figsize=(9.6, 7.4))
    parts: Any = figure.subfigures(2, 1, height_ratios=(1, 0.95))
    top, bottom = parts
    correlations(top, document["correlations"], headline)
    points = document["points"]
    by_planner = looks({point["planner"] for point in points})
    panels = bottom.subplots(1, 3, sharey=True)
    for axes, (source, metric, title) in zip(
        panels,
        (
            (headline, "accepted_sr@20", f"accepted SR@20, judge {headline}"),
            (headline, "ioi", f"IoI, judge {headline} (nats)"),
            ("loop/judge", "arrived", f"arrival in the loop, judge {headline}"),
        ),
        strict=True,
    ):
        for point in points:
            x = point["means"][source][metric]
            y = point["means"]["loop/truth"]["arrived"]
            if x is None:
                continue
            look = by_planner[point["planner"]]
            axes.plot(x, y, color=look.color, marker=look.marker, linestyle="none")
        axes.set_xlabel(title)
        in_percent(axes.yaxis)
        axes.grid(**GRID)
    panels[0].set_ylabel("true users who took\nthe objective in the loop")
    handles = [
        Line2D([], [], label=n, color=k.color, marker=k.marker, linestyle="none")
        for n, k in by_planner.items()
    ]
    bottom.legend(handles=handles, loc="outside upper left", ncols=5, fontsize=9)
    return figure


def correlations(figure: Any, found: Mapping[str, Any], headline: str) -> None:
    """Draw Spearman's rho of every metric and judge with what true users do, with intervals."""
    targets = {
        "arrived": "rank by who arrives",
        "left": "rank by who does not leave",
        "acceptance": "rank by what is accepted",
    }
    sources = [source for source in found["arrived"] if not source.startswith("loop/")]
    styles = looks(sources)
    panels = figure.subplots(1, len(targets), sharey=True)
    rows = [*SHOWN, *(f"loop: {measure}" for measure in ("arrived", "left", "acceptance"))]
    for axes, (target, title) in zip(panels, targets.items(), strict=True):
        for number, source in enumerate(sources):
            shift = 0.16 * (number - (len(sources) - 1) / 2)
            for place, metric in enumerate(SHOWN):
                dot(axes, found[target][source][metric]["rho"], place + shift, styles[source])
        for place, row in enumerate(rows):
            if row.startswith("loop: "):
                measure = row.removeprefix("loop: ")
                look = styles[headline]
                dot(axes, found[target]["loop/judge"][measure]["rho"], place, look)
        axes.axvline(0, color=INK, linewidth=0.6, alpha=0.5)
        axes.axhline(len(SHOWN) - 0.5, **GRID)
        axes.set_xlim(-1.05, 1.05)
        axes.set_title(title, loc="left")
        axes.set_xlabel("Spearman's rho, 95% interval")
        axes.grid(axis="x", **GRID)
        axes.tick_params(axis="y", length=0)
    names = [METRIC_NAMES.get(row, row.replace("loop: ", "in the loop: ")) for row in rows]
    panels[0].set_yticks(range(len(rows)), names)
    panels[0].set_ylim(len(rows) - 0.5, -0.5)
    handles = [
        Line2D([], [], label=f"judge {s}", color=styles[s].color, marker=styles[s].marker)
        for s in sources
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=4, fontsize=9)


def dot(axes: Axes, row: Mapping[str, Any], place: float, look: Look) -> None:
    """Draw a value with its interval; nothing where it is undefined."""
    if not defined({"mean": row["value"], "ci95": row["ci95"]}):
        return
    axes.plot(row["ci95"], [place, place], color=look.color, linewidth=1.4)
    axes.plot(row["value"], place, color=look.color, marker=look.marker, markersize=4.5)
