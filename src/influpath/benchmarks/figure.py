"""The result as a picture: how many times faster, what growth costs, how long requests take."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    LogLocator,
    NullFormatter,
    NullLocator,
)

from influpath.benchmarks.growth import SAMPLED
from influpath.benchmarks.serving_figure import draw_serving
from influpath.experiments.figure_parts import BLUE, GREEN, INK, SKY, STYLE, VERMILLION
from influpath.experiments.saved_figures import settle
from influpath.files import atomic_path

# Ratios as people read them, in this order; those of durations have no place among them.
BARS = {
    "train_irn": "train IRN, the paper's size",
    "train_irn_bfloat16": "the same in bfloat16",
    "train_irn_shipped": "train IRN as shipped",
    "train_irn_shipped_bfloat16": "the same in bfloat16",
    "train_sasrec_vs_rectools": "train SASRec, against RecTools",
    "train_sasrec_vs_rectools_bfloat16": "the same in bfloat16",
    "train_sasrec_vs_recbole": "train SASRec, against RecBole",
    "train_sasrec_vs_recbole_bfloat16": "the same in bfloat16",
    "train_bert4rec_vs_rectools": "train BERT4Rec, against RecTools",
    "train_gru4rec_vs_recbole": "train GRU4Rec, against RecBole",
    "reach_vs_rectools": "SASRec to HR@10 0.25, against RecTools",
    "reach_vs_recbole": "SASRec to HR@10 0.25, against RecBole",
    "plan_irn": "plan, neutral dials, the paper's size",
    "plan_irn_shipped_size": "plan, neutral dials, as shipped",
    "plan_irn_shipped_dials": "plan, shipped dials, the paper's size",
    "plan_irn_shipped": "plan, shipped dials, as shipped",
    "judge_sasrec": "judge by SASRec",
    "judge_bert4rec": "judge by BERT4Rec",
}
AXES = {"users": "users", "items": "items", "length": "history length"}
LOOKS = {
    "training": (BLUE, "o", "-"),
    SAMPLED: (GREEN, "D", ":"),
    "planning": (VERMILLION, "s", "--"),
}
GRID: Any = {"color": INK, "alpha": 0.15, "linewidth": 0.6}


def draw_bench(document: Mapping[str, Any], paths: Sequence[Path]) -> bool:
    """Draw the ratios, the growth curves, and how long requests to the service took.

    Args:
        document: As written to the result file.
        paths: Files to write; the suffix says what kind.

    Returns:
        Whether there was anything to draw.
    """
    ratios, bounds = document["ratios"], lower_bounds(document)
    bars = [
        (label, ratios[key], "at least" if key in bounds else "")
        for key, label in BARS.items()
        if key in ratios
    ]
    growth = document["parts"].get("growth", {}).get("rows", [])
    requests = document["parts"].get("serving", {}).get("requests", {})
    heights = ((0.9 + 0.3 * len(bars), bars), (5.6, growth), (4.0, requests))
    shares = [height for height, there in heights if there]
    if not shares:
        return False
    with mpl.rc_context({**STYLE, "svg.hashsalt": "bench"}):
        figure = Figure(figsize=(10.5, sum(shares)))
        FigureCanvasAgg(figure)
        parts = iter(figure.subfigures(len(shares), 1, height_ratios=shares, squeeze=False)[:, 0])
        if bars:
            draw_ratios(next(parts).subplots(), bars)
        if growth:
            draw_growth(next(parts).subplots(2, 3, sharex="col", sharey="row"), growth)
        if requests:
            draw_serving(next(parts).subplots(), requests)
        settle(figure)
        for path in paths:
            with atomic_path(path) as temporary:
                figure.savefig(temporary, dpi=150, metadata=METADATA.get(path.suffix))
    return True


# A picture of the same figures is the same file.
METADATA: dict[str, dict[str, Any]] = {".svg": {"Date": None}, ".png": {"Software": None}}


def draw_ratios(axes: Axes, bars: Sequence[tuple[str, float, str]]) -> None:
    """Draw how many times faster than its reference each thing is.

    Args:
        axes: Where.
        bars: Name, ratio, and a sign before it where it is a bound.
    """
    names, values, bounds = zip(*bars, strict=True)
    # Bars begin at 1, as fast as the reference.
    widths = [value - 1 for value in values]
    axes.barh(range(len(bars)), widths, left=1, color=SKY, edgecolor=INK, linewidth=0.6)
    axes.set_xscale("log")
    axes.set_xlim(min(0.7, *values) * 0.9, max(values) * 2)
    axes.axvline(1, color=INK, linewidth=1)
    for place, (value, bound) in enumerate(zip(values, bounds, strict=True)):
        axes.annotate(
            f"{bound} {value:,.3g} ×".strip(),
            (max(value, 1), place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
        )
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(axis="x", **GRID)
    axes.set_axisbelow(True)
    axes.set_title("times as fast as the reference in the same run", loc="left")


def lower_bounds(document: Mapping[str, Any]) -> set[str]:
    """Return the ratios that would be larger, had their reference been waited for."""
    rows = document["parts"].get("reach", {}).get("rows", [])
    return {f"reach_vs_{row['name'].split()[-1]}" for row in rows if row.get("reached") is False}


def draw_growth(panels: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Draw time and memory over users, items and history length, all on log scales."""
    for column, (axis, title) in enumerate(AXES.items()):
        above, below = panels[:, column]
        for work, (color, marker, line) in LOOKS.items():
            own = [r for r in rows if (r["axis"], r["work"]) == (axis, work) and r["value"]]
            look: Any = {"color": color, "marker": marker, "linestyle": line, "markersize": 5}
            sizes = [row["size"] for row in own]
            if not own:
                continue
            per = 1 if work == "planning" else 1_000
            above.plot(sizes, [per / row["value"] for row in own], **look, label=NAMES[work])
            below.plot(sizes, [row["peak_gib"] for row in own], **look)
        sizes = sorted({row["size"] for row in rows if row["axis"] == axis})
        for one in (above, below):
            one.set_xscale("log")
            one.set_yscale("log")
            one.grid(**GRID)
            one.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
            one.yaxis.set_minor_formatter(NullFormatter())
            one.xaxis.set_major_locator(FixedLocator(sizes))
            one.xaxis.set_minor_locator(NullLocator())
        below.yaxis.set_major_locator(LogLocator(base=2))
        below.yaxis.set_minor_locator(NullLocator())
        below.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
        below.set_xlabel(title)
    panels[0, 0].set_ylabel("seconds")
    panels[1, 0].set_ylabel("peak memory, GiB")
    # Over the items there is most to tell apart.
    panels[0, 1].legend(loc="upper left", fontsize=8)


def short(size: float) -> str:
    """Return a size in few letters: 500, 10k, 1M."""
    for unit, letter in ((1e6, "M"), (1e3, "k")):
        if size >= unit:
            return f"{size / unit:g}{letter}"
    return f"{size:g}"


NAMES = {
    "training": "to train on 1,000 targets",
    SAMPLED: "the same with the softmax sampled",
    "planning": "to plan a path",
}
