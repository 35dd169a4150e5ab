"""Figures as files: PNG and SVG that do not differ from one time to the next."""

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from influpath.experiments.figure_parts import STYLE
from influpath.files import atomic_path


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
        for path in paths:
            metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
            with atomic_path(path) as temporary:
                figure.savefig(temporary, dpi=150, metadata=metadata, facecolor="white")
