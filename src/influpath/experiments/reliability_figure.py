"""The reliability plot of feasibility: what was predicted against what happened."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from influpath.experiments.figure_parts import BLUE, INK, error_bars


def reliability_figure(document: Mapping[str, Any]) -> Figure:
    """Draw the bins of the report pairs and, beside them, of the chosen members of categories.

    Args:
        document: A result of ``FeasibilityStudy.write``.
    """
    meant = document["feasibility"]["calibrated_to"]
    panels = {"report pairs": document["report"]}
    if document["chosen_members"] is not None:
        panels["best members of categories"] = document["chosen_members"]
    figure = Figure(figsize=(4.3 * len(panels), 4.4))
    for axes, (title, found) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
    ):
        reliability_panel(axes, found)
        axes.set_title(
            f"{title}: n = {found['n']:,}\nECE {found['ece']:.3f} "
            f"({found['ece_by_chance']:.3f} by chance), Brier {found['brier']['mean']:.3f}"
            + ("" if found["auc"] is None else f", AUC {found['auc']:.2f}"),
            loc="left",
        )
    figure.supxlabel(
        f"feasibility: predicted probability of {meant['outcome']} ({meant['planner']}, "
        f"M = {meant['max_length']}, judge {meant['judge']})",
        fontsize=9,
    )
    return figure


def reliability_panel(axes: Axes, found: Mapping[str, Any]) -> None:
    """Draw one point per bin, with its interval, beside the diagonal of the perfect prediction."""
    bins = found["bins"]
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle=":")
    axes.errorbar(
        [each["predicted"] for each in bins],
        [each["happened"]["mean"] for each in bins],
        yerr=error_bars([each["happened"] for each in bins]),
        color=BLUE,
        marker="o",
        markersize=5,
        linewidth=1.2,
        elinewidth=0.9,
        capsize=2,
    )
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_aspect("equal")
    axes.set_ylabel("accepted (share of users)")
