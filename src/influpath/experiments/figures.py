"""Figures of a result as SVG text, to stand inside a page.

Text stays text and takes the page's colour, so that the figures can be searched, read aloud, and
work on light and dark backgrounds.  Nothing here touches matplotlib's global state for good.
"""

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from influpath.experiments.figure_parts import (
    BLUE,
    INK,
    SKY,
    STYLE,
    WIDTH,
    Align,
    count_panel,
    curve_ends,
    defined,
    error_bars,
    inline_svg,
    label_points,
    legend_above,
    legend_name,
    looks,
    odds_axis,
    planners_of,
    sentence,
    step_panel,
)


def frontier_figure(document: Mapping[str, Any]) -> str:
    """Draw influence against smoothness: one line per planner through the points of its sweep.

    The chosen dials of ``irn`` are the star.  Returns "" where the document has no points.
    """
    points = [p for p in document.get("frontier") or [] if defined(p["log_ppl"], p["ioi"])]
    if not points:
        return ""
    styles = looks(planners_of(document))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 4.5))
        axes = figure.subplots()
        marks: list[tuple[float, float, str, str]] = []
        for label in dict.fromkeys(p["planner"] for p in points):
            own = [p for p in points if p["planner"] == label]
            look = styles[label]
            x, y = [p["log_ppl"]["mean"] for p in own], [p["ioi"]["mean"] for p in own]
            axes.errorbar(
                x,
                y,
                xerr=error_bars([p["log_ppl"] for p in own]),
                yerr=error_bars([p["ioi"] for p in own]),
                color=look.color,
                marker=look.marker,
                linestyle=look.line,
                markersize=5,
                linewidth=1.6,
                elinewidth=0.7,
                label=legend_name(label),
            )
            marks += [(a, b, p["point"], look.color) for a, b, p in zip(x, y, own, strict=True)]
        chosen = (document.get("subset") or {}).get("planners", {}).get("irn")
        if chosen and defined(chosen["log_ppl"], chosen["ioi"]):
            axes.plot(
                chosen["log_ppl"]["mean"],
                chosen["ioi"]["mean"],
                color=styles["irn"].color,
                marker="*",
                markersize=16,
                markeredgecolor=INK,
                markeredgewidth=0.8,
                linestyle="none",
                label="irn at the chosen dials",
            )
            # Without a name, so that only the labels of others keep off it.
            marks += [(chosen["log_ppl"]["mean"], chosen["ioi"]["mean"], "", "")]
        axes.set_xlabel("log(PPL): mean surprise of the path items in nats\n(left is smoother)")
        axes.set_ylabel("IoI: growth of interest in nats (up is more)")
        axes.margins(0.08)
        axes.axhline(0, color=INK, linewidth=0.6, alpha=0.5)
        legend_above(figure, axes)
        label_points(figure, axes, marks)
        return inline_svg(
            figure,
            "frontier",
            "Influence against smoothness",
            "One line per planner through its dials. "
            + sentence(
                f"{p['planner']} {p['point']}".strip()
                + f": log(PPL) {p['log_ppl']['mean']:.2f}, IoI {p['ioi']['mean']:.2f}"
                for p in points
            ),
        )


def stepwise_figure(document: Mapping[str, Any], align: Align) -> str:
    """Draw how likely the objective and the shown item are, step by step.

    Three panels: the objective, the item about to be shown, and the number of paths behind each
    mean.  Both alignments share their probability axes.  Returns "" without such curves.
    """
    everything = [r for r in document.get("stepwise") or [] if r["mean"] is not None]
    rows = [row for row in everything if row["align"] == align]
    if not rows:
        return ""
    styles = looks(planners_of(document))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.7, 6.4))
        panels = figure.subplots(3, 1, sharex=True, height_ratios=(3, 3, 1.3))
        for axes, quantity, title in zip(
            panels,
            ("objective_log_prob", "item_log_prob"),
            ("chance of the objective", "chance of the item shown next"),
            strict=False,
        ):
            step_panel(axes, rows, quantity, styles)
            axes.set_title(title, loc="left")
            odds_axis(axes, [r for r in everything if r["quantity"] == quantity])
        count_panel(panels[2], rows, styles)
        panels[2].set_xlabel(
            "step of the path" if align == "start" else "steps before the objective (0 shows it)"
        )
        panels[2].xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        legend_above(figure, panels[0])
        starting = "from the start" if align == "start" else "counted back from the objective"
        return inline_svg(
            figure,
            f"steps-{align}",
            f"Interest step by step, {starting}",
            "Mean chance of the objective at the first and last step drawn. "
            + sentence(curve_ends(rows)),
        )


def success_figure(document: Mapping[str, Any]) -> str:
    """Draw the shares of paths that show the objective, and show it accepted, as bars."""
    planners = document["planners"]
    if not planners:
        return ""
    bars = (
        ("sr", "objective shown (SR)", SKY, "///"),
        ("accepted_sr@20", "shown and accepted (accepted SR@20)", BLUE, ""),
    )
    with mpl.rc_context({**STYLE, "hatch.linewidth": 0.6}):
        figure = Figure(figsize=(WIDTH, 0.9 + 0.62 * len(planners)))
        axes = figure.subplots()
        for offset, (metric, title, color, hatch) in zip((-0.19, 0.19), bars, strict=True):
            known = [
                (place, row[metric])
                for place, row in enumerate(planners.values())
                if metric in row and defined(row[metric])
            ]
            axes.barh(
                [place + offset for place, _ in known],
                [100 * at["mean"] for _, at in known],
                height=0.36,
                color=color,
                edgecolor=INK,
                linewidth=0.6,
                hatch=hatch,
                label=title,
            )
            for place, at in known:
                low, high = (100 * end for end in at["ci95"])
                axes.plot([low, high], [place + offset] * 2, color=INK, linewidth=1.2)
                axes.annotate(
                    f"{100 * at['mean']:.1f}%",
                    (high, place + offset),
                    xytext=(5, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=9,
                )
        axes.set_yticks(range(len(planners)), [legend_name(label) for label in planners])
        axes.tick_params(axis="y", length=0)
        axes.invert_yaxis()
        axes.set_xlim(0, 112)
        axes.set_xticks(range(0, 101, 20))
        axes.set_xlabel("share of paths in percent, with 95% intervals")
        legend_above(figure, axes)
        clauses = (
            f"{label}: "
            + " and ".join(
                f"{title} {100 * row[metric]['mean']:.1f}%"
                for metric, title, _, _ in bars
                if metric in row and defined(row[metric])
            )
            for label, row in planners.items()
        )
        return inline_svg(figure, "success", "Objectives shown and accepted", sentence(clauses))


def next_item_figure(document: Mapping[str, Any]) -> str:
    """Draw HR@20 and MRR of every recommender of a next-item table with their intervals.

    The paper's evaluators stand beside ours as hollow marks: another split of the same data.
    """
    names = list(document["config"]["recommenders"])
    printed = document.get("paper_evaluators") or {}
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(1.5 * WIDTH, 0.8 + 0.34 * len(names)))
        panels = figure.subplots(1, 2, sharey=True)
        for axes, metric, title in zip(panels, ("hr@20", "mrr"), ("HR@20", "MRR"), strict=True):
            for place, name in enumerate(names):
                row = document[name]
                low, high = row[f"{metric}_ci95"]
                axes.plot([low, high], [place, place], color=BLUE, linewidth=2)
                axes.plot(row[metric], place, "o", color=BLUE, markersize=6)
                if metric in printed.get(name, {}):
                    axes.plot(printed[name][metric], place, "D", color=INK, fillstyle="none")
            axes.set_xlabel(f"{title} by full ranking, 95% interval")
            axes.set_xlim(left=0)
            axes.grid(axis="x", color=INK, alpha=0.15, linewidth=0.6)
        panels[0].set_yticks(range(len(names)), names)
        panels[0].invert_yaxis()
        if printed:
            panels[0].plot([], [], "D", color=INK, fillstyle="none", label="as the paper prints")
            panels[0].plot([], [], "o-", color=BLUE, label="here")
            legend_above(figure, panels[0])
        return inline_svg(
            figure,
            "next-item",
            "Recommenders as next-item models",
            sentence(
                f"{name}: HR@20 {document[name]['hr@20']:.3f}, MRR {document[name]['mrr']:.3f}"
                for name in names
            ),
        )
