"""The figures of the closed loop, drawn from small made-up results; a warning would be an error."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from influpath.experiments.closed_loop.figures import (
    SHOWN,
    draw_judges,
    draw_loop,
    judges_figure,
    looks_of,
    loop_figure,
)
from influpath.experiments.figure_parts import STYLE

ROWS = {"irn": 0.4, "irn, adaptive": 0.45, "irn, open loop": 0.2, "irn, objective last": 0.42}
ROWS |= {"rec2inf/sasrec": 0.3, "vanilla/sasrec": 0.05, "mine <&> $x_1$": 0.0}
ROUNDS = 3
MEASURES = ("arrived", "left", "acceptance")


def at(mean: float, half: float = 0.02) -> dict[str, Any]:
    return {"mean": mean, "ci95": [max(0.0, mean - half), mean + half], "n": 50}


def loop_document() -> dict[str, Any]:
    """Return what ``influpath simulate`` found; with "mine" nobody arrives."""
    planners = {name: {"arrived": at(mean), "left": at(mean / 2)} for name, mean in ROWS.items()}
    curves = {
        name: {"arrived": [at(mean * (n + 1) / ROUNDS) for n in range(ROUNDS)]}
        for name, mean in ROWS.items()
    }
    nobody = {"mean": 0.0, "ci95": [0.0, 0.0], "n": 50}
    planners["mine <&> $x_1$"]["arrived"] = nobody
    curves["mine <&> $x_1$"]["arrived"] = [nobody] * ROUNDS
    found = {"planners": planners, "curves": curves}
    users = {"truth": "truth", "judge": "gru4rec"}
    return {"drivers": {driver: {"users": name, **found} for driver, name in users.items()}}


def rho(value: float | None) -> dict[str, Any]:
    ends = [None, None] if value is None else [value - 0.1, value + 0.1]
    return {"rho": {"value": value, "ci95": ends}}


def judges_document() -> dict[str, Any]:
    """Return what ``influpath judges`` found."""
    judges = ("sasrec", "gru4rec")
    in_loop = dict.fromkeys(("loop/judge", "loop/truth"), dict.fromkeys(MEASURES, 0.25))
    means = {**dict.fromkeys(judges, dict.fromkeys(SHOWN, 0.5)), **in_loop}
    correlations = {
        **dict.fromkeys(judges, dict.fromkeys(SHOWN, rho(0.5))),
        "loop/judge": dict.fromkeys(MEASURES, rho(0.9)),
    }
    return {
        "headline": "sasrec",
        "points": [{"planner": name, "means": means} for name in ("irn", "irn", "direct")],
        "correlations": dict.fromkeys(MEASURES, correlations),
    }


def draw(make: Callable[[dict[str, Any]], Figure], document: dict[str, Any]) -> list[Axes]:
    """Return the panels of a figure, once all has been laid out."""
    with mpl.rc_context(STYLE):
        figure = make(document)
        figure.canvas.draw()
    return list(figure.axes)


def lines(axes: Axes) -> list[list[tuple[float, float]]]:
    """Return the points of every line of a panel."""
    return [
        [(float(x), float(y)) for x, y in np.asarray(line.get_xydata())]
        for line in axes.get_lines()
    ]


def test_every_row_of_the_loop_stands_there_with_its_intervals() -> None:
    document = loop_document()
    panels = draw(loop_figure, document)
    assert len(panels) == 4
    for axes in panels:
        assert axes.get_xlabel()
        assert axes.get_ylabel()
    for axes, found in zip(panels[::2], document["drivers"].values(), strict=True):
        there = lines(axes)
        for row in found["planners"].values():
            left, arrived = row["left"], row["arrived"]
            assert [(left["mean"], arrived["mean"])] in there
            assert [(left["mean"], end) for end in arrived["ci95"]] in there
            assert [(end, arrived["mean"]) for end in left["ci95"]] in there
    assert [axes.get_title(loc="left") for axes in panels[::2]] == [
        "true users",
        "users driven by judge gru4rec",
    ]


def test_the_curves_have_a_band_each_and_whole_rounds() -> None:
    """Those that lie on others are left out."""
    document = loop_document()
    shown = [name for name in ROWS if name != "irn, objective last"]
    for axes in draw(loop_figure, document)[1::2]:
        curves = document["drivers"]["truth"]["curves"]
        assert lines(axes) == [
            [(n + 1, row["mean"]) for n, row in enumerate(curves[name]["arrived"])]
            for name in shown
        ]
        for band, name in zip(axes.collections, shown, strict=True):
            corners = np.asarray(band.get_paths()[0].vertices)
            for n, row in enumerate(curves[name]["arrived"]):
                ends = corners[corners[:, 0] == n + 1, 1]
                assert [ends.min(), ends.max()] == pytest.approx(row["ci95"])
        assert all(tick == int(tick) for tick in axes.get_xticks())
        assert axes.get_ylim()[0] == 0


def test_the_legend_names_every_row_and_no_two_look_alike() -> None:
    with mpl.rc_context(STYLE):
        figure = loop_figure(loop_document())
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(ROWS)
    looks = [tuple(sorted(look.items())) for look in looks_of(list(ROWS)).values()]
    assert len(set(looks)) == len(ROWS)


def test_nobody_arrives_at_all() -> None:
    document = loop_document()
    for found in document["drivers"].values():
        for name, row in found["planners"].items():
            row["arrived"] = row["left"] = {"mean": 0.0, "ci95": [0.0, 0.0], "n": 50}
            found["curves"][name]["arrived"] = [row["arrived"]] * ROUNDS
    for axes in draw(loop_figure, document):
        low, high = axes.get_ylim()
        assert low == 0 < high


def test_every_correlation_stands_there_with_its_interval() -> None:
    panels = draw(judges_figure, judges_document())
    assert len(panels) == 6
    assert all(axes.get_xlabel() for axes in panels)
    assert [text.get_text() for text in panels[0].get_yticklabels()][
        -1
    ] == "in the loop: acceptance"
    for axes in panels[:3]:
        places = {(x, round(y)) for line in lines(axes) for x, y in line if len(line) == 1}
        assert places == {(0.5, n) for n in range(len(SHOWN))} | {
            (0.9, len(SHOWN) + n) for n in range(len(MEASURES))
        }
        intervals = [[x for x, _ in line] for line in lines(axes) if len(line) == 2]
        # One per judge and metric and per measure, and the lines at 0 and under the metrics.
        assert len(intervals) == 2 * len(SHOWN) + len(MEASURES) + 2
        assert sum(np.allclose(x, [0.4, 0.6]) for x in intervals) == 2 * len(SHOWN)
    assert panels[3].get_ylabel()
    assert [len(lines(axes)) for axes in panels[3:]] == [3, 3, 3]


def test_what_is_undefined_is_left_out() -> None:
    whole = [len(lines(axes)) for axes in draw(judges_figure, judges_document())]
    # A copy, in which nothing stands in two places.
    document = json.loads(json.dumps(judges_document()))
    document["correlations"]["arrived"]["sasrec"]["ioi"] = rho(None)
    document["correlations"]["left"]["loop/judge"]["arrived"] = rho(None)
    document["points"][0]["means"]["sasrec"]["ioi"] = None
    found = [len(lines(axes)) for axes in draw(judges_figure, document)]
    assert [a - b for a, b in zip(whole, found, strict=True)] == [2, 2, 0, 0, 1, 0]


@pytest.mark.parametrize("kind", ["loop", "judges"])
def test_the_files_are_the_same_each_time(kind: str, tmp_path: Path) -> None:
    write, document = {
        "loop": (draw_loop, loop_document()),
        "judges": (draw_judges, judges_document()),
    }[kind]
    for name in ("once", "again"):
        write(document, tmp_path / name)
    for suffix in (".svg", ".png"):
        once, again = ((tmp_path / name).with_suffix(suffix) for name in ("once", "again"))
        assert once.read_bytes() == again.read_bytes()
