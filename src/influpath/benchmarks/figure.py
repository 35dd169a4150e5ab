"""The result as a picture: how many times faster than the references, and what growth costs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from influpath.experiments.figure_parts import BLUE, INK, SKY, STYLE, VERMILLION
from influpath.files import atomic_path

# Ratios as people read them, in this order; those of durations have no place among them.
BARS = {
    "train_irn": "train IRN, the paper's size",
    "train_irn_shipped": "train IRN as shipped",
    "train_sasrec_vs_rectools": "train SASRec, against RecTools",
    "train_sasrec_vs_recbole": "train SASRec, against RecBole",
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
LOOKS = {"training": (BLUE, "o", "-"), "planning": (VERMILLION, "s", "--")}
GRID: Any = {"color": INK, "alpha": 0.15, "linewidth": 0.6}


def draw_bench(document: Mapping[str, Any], paths: Sequence[Path]) -> bool:
    """Draw the ratios and the growth curves.

    Args:
        document: As written to the result file.
        paths: Files to write; the suffix says what kind.

    Returns:
        Whether there was anything to draw.
    """
    bars = [
        (label, document["ratios"][key]) for key, label in BARS.items() if key in document["ratios"]
    ]
    growth = document["parts"].get("growth", {}).get("rows", [])
    if not bars and not growth:
        return False
    with mpl.rc_context({**STYLE, "svg.hashsalt": "bench"}):
        figure = Figure(figsize=(10.5, (0.9 + 0.3 * len(bars)) * bool(bars) + 5.6 * bool(growth)))
        FigureCanvasAgg(figure)
        shares = [
            height for height, there in ((0.9 + 0.3 * len(bars), bars), (5.6, growth)) if there
        ]
        parts = iter(figure.subfigures(len(shares), 1, height_ratios=shares, squeeze=False)[:, 0])
        if bars:
            draw_ratios(next(parts).subplots(), bars)
        if growth:
            draw_growth(next(parts).subplots(2, 3, sharex="col", sharey="row"), growth)
        for path in paths:
            with atomic_path(path) as temporary:
                figure.savefig(temporary, dpi=150, metadata=METADATA.get(path.suffix))
    return True


# A picture of the same figures is the same file.
METADATA: dict[str, dict[str, Any]] = {".svg": {"Date": None}, ".png": {"Software": None}}


def draw_ratios(axes: Axes, bars: Sequence[tuple[str, float]]) -> None:
    """Draw how many times faster than its reference each thing is."""
    names, values = [name for name, _ in bars], [value for _, value in bars]
    axes.barh(range(len(bars)), values, color=SKY, edgecolor=INK, linewidth=0.6, left=0)
    axes.set_xscale("log")
    axes.set_xlim(min(0.7, *values) * 0.9, max(values) * 2)
    axes.axvline(1, color=INK, linewidth=1)
    for place, value in enumerate(values):
        axes.annotate(
            f"{value:,.3g} ×",
            (value, place),
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


def draw_growth(panels: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Draw time and memory over users, items and history length, all on log scales."""
    for column, (axis, title) in enumerate(AXES.items()):
        above, below = panels[:, column]
        for work, (color, marker, line) in LOOKS.items():
            own = [r for r in rows if (r["axis"], r["work"]) == (axis, work) and r["value"]]
            look: Any = {"color": color, "marker": marker, "linestyle": line, "markersize": 5}
            sizes = [row["size"] for row in own]
            per = 1_000 if work == "training" else 1
            above.plot(sizes, [per / row["value"] for row in own], **look, label=NAMES[work])
            below.plot(sizes, [row["peak_gib"] for row in own], **look)
        for one in (above, below):
            one.set_xscale("log")
            one.set_yscale("log")
            one.grid(**GRID)
            one.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
            one.yaxis.set_minor_formatter(NullFormatter())
        below.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        below.xaxis.set_minor_formatter(NullFormatter())
        below.set_xlabel(title)
    panels[0, 0].set_ylabel("seconds")
    panels[1, 0].set_ylabel("peak memory, GiB")
    panels[0, 0].legend(loc="upper left", fontsize=9)


NAMES = {"training": "to train on 1,000 targets", "planning": "to plan a path"}
