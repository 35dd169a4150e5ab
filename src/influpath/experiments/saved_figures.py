"""Figures as files: PNG and SVG that do not differ from one time to the next."""

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from influpath.experiments.figure_parts import STYLE
from influpath.files import atomic_path


def settle(figure: Figure) -> None:
    """Lay a figure out once, and for good, at places that are the same every time.

    The layout's solver differs in the last digits from one time to the next, and the ids of an SVG
    are made of all digits.
    """
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for part in figure.subfigs:
        part.bbox_relative.set_points(part.bbox_relative.get_points().round(5))
    for axes in figure.axes:
        axes.set_position(Bbox(axes.get_position().get_points().round(5)))


def save_figures(draw: Callable[[], Figure | None], name: str, *paths: Path) -> None:
    """Draw a figure in the project's style and write it to each path, if there is one.

    Args:
        draw: Makes the figure, or None where there is nothing to draw.
        name: Distinguishes the ids of an SVG from those of others on the same page.
        paths: Their suffixes say the formats.
    """
    with mpl.rc_context({**STYLE, "svg.hashsalt": name}):
        figure = draw()
        if figure is None:
            return
        settle(figure)
        for path in paths:
            metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
            with atomic_path(path) as temporary:
                figure.savefig(temporary, dpi=150, metadata=metadata, facecolor="white")
