"""How long requests to the service took in the course of a run, as a picture."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from influpath.benchmarks.open_loop import PART
from influpath.experiments.figure_parts import BLUE, GREEN, INK, VERMILLION

# The 99th percentile that is aimed at, in milliseconds.
GOAL = 100.0
KINDS = {"next": (VERMILLION, "s"), "feedback": (BLUE, "o"), "healthz": (GREEN, "D")}
LINES = {"p99": "-", "p50": ":"}


def draw_serving(axes: Axes, requests: Mapping[str, Any]) -> None:
    """Draw the median and the 99th percentile of each kind of request, part by part.

    Args:
        axes: Where.
        requests: By kind, as ``open_loop.py`` returns them.
    """
    for kind, (color, marker) in KINDS.items():
        parts = requests.get(kind, {}).get("over_time", [])
        middle = [part["from_second"] + PART / 2 for part in parts]
        for name, line in LINES.items():
            axes.plot(
                middle,
                [part[name] for part in parts],
                color=color,
                marker=marker,
                markersize=4,
                linestyle=line,
                label=f"{kind}, {name}",
            )
    axes.axhline(GOAL, color=INK, linewidth=1, linestyle="--")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.set_ylabel("milliseconds")
    axes.set_xlabel("seconds since the measuring began")
    axes.grid(color=INK, alpha=0.15, linewidth=0.6)
    axes.set_title("from when a request was due to its answer", loc="left")
    axes.legend(fontsize=8, ncols=3, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0)
