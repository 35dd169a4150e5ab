"""Table VI in a figure, from its result document alone."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from influpath.experiments.figure_parts import BLUE, INK, ORANGE, SKY, VERMILLION, WIDTH
from influpath.experiments.reproduction.drawing import GRID, note_below

# The paper's symbols.
SYMBOLS = {
    "l_max": "l_max",
    "batch_size": "batch size",
    "d": "d",
    "d_user": "d'",
    "layers": "L",
    "w_t": "w_t",
    "heads": "h",
    "lr": "lr",
}


def draw_search(document: Mapping[str, Any]) -> Figure:
    """Draw the settings' importances (left, if there are enough trials) and the trials (right)."""
    result = document["result"]
    importance = result["importance"]
    figure = Figure(figsize=(1.9 * WIDTH if importance else 1.2 * WIDTH, 3.9))
    panels = figure.subplots(1, 2 if importance else 1, squeeze=False)[0]
    if importance:
        draw_importance(panels[0], importance["settings"])
    draw_trials(panels[-1], document)
    handles = [panel.get_legend_handles_labels() for panel in panels]
    figure.legend(
        [handle for found, _ in handles for handle in found],
        [label for _, found in handles for label in found],
        loc="outside upper left",
        ncols=3 if importance else 2,
        fontsize=9.5,
    )
    note_below(
        figure,
        f"{len(result['trials'])} trials, {result['pairs']:,} dial pairs under {result['judge']}; "
        "one training each",
    )
    return figure


def draw_importance(axes: Axes, importance: Mapping[str, Mapping[str, float]]) -> None:
    """Draw a bar per setting, and what shuffled scores stay below in 95% of shuffles."""
    names = sorted(importance, key=lambda name: importance[name]["importance"])
    axes.barh(
        range(len(names)),
        [importance[name]["importance"] for name in names],
        height=0.62,
        color=SKY,
        edgecolor=INK,
        linewidth=0.6,
        label="importance (shares of 1)",
    )
    axes.plot(
        [importance[name]["chance"] for name in names],
        range(len(names)),
        linestyle="none",
        marker="|",
        markersize=15,
        markeredgewidth=2,
        color=VERMILLION,
        label="what 95% of shuffles stay below",
    )
    axes.set_yticks(range(len(names)), [SYMBOLS[name] for name in names])
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(left=0)
    axes.set_xlabel("importance of the setting (PED-ANOVA, shares of 1)")


def draw_trials(axes: Axes, document: Mapping[str, Any]) -> None:
    """Draw every trial's last score over its number, and the best so far."""
    result, rungs = document["result"], document["config"]["search"]["rungs"]
    marks = {
        "complete": ("o", BLUE, f"trained for {rungs[-1]} epochs"),
        "pruned": ("x", ORANGE, "stopped after fewer"),
        "diverged": ("v", VERMILLION, "training diverged (at the bottom)"),
    }
    scores = [score for trial in result["trials"] if (score := last_score(trial)) is not None]
    bottom = min(scores) - 0.08 * (max(scores) - min(scores) or 1.0)
    for state, (marker, color, label) in marks.items():
        own = [trial for trial in result["trials"] if trial["state"] == state]
        if not own:
            continue
        values = [bottom if (score := last_score(t)) is None else score for t in own]
        axes.plot(
            [trial["number"] + 1 for trial in own],
            values,
            linestyle="none",
            marker=marker,
            color=color,
            markersize=7,
            markeredgewidth=1.8 if marker == "x" else 0.8,
            label=label,
        )
    best: list[tuple[int, float]] = []
    for trial in result["trials"]:
        value = last_score(trial)
        if trial["state"] == "complete" and value is not None:
            best.append((trial["number"] + 1, max([value, *(v for _, v in best)])))
    best.append((len(result["trials"]), best[-1][1]))
    axes.step(
        *zip(*best, strict=True), where="post", color=BLUE, linewidth=1.2, label="best so far"
    )
    for trial in result["trials"]:
        if trial["fixed"] and (value := last_score(trial)) is not None:
            axes.plot(
                trial["number"] + 1,
                value,
                linestyle="none",
                marker="D",
                markersize=13,
                fillstyle="none",
                color=INK,
                label="the paper's settings",
            )
    axes.axhline(
        result["project"]["measured"]["score"],
        color=INK,
        linewidth=1.2,
        linestyle=":",
        label=f"this project's IRN, {rungs[-1]} epochs",
    )
    axes.set_xlabel("trial")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel("score (nats of IoI)")
    axes.margins(x=0.05, y=0.1)
    axes.grid(axis="y", **GRID)


def last_score(trial: Mapping[str, Any]) -> float | None:
    """Return the score after the last rung that a trial reached; None where it diverged."""
    last = trial["rungs"][-1]
    return None if last is None else float(last["score"])
