import xml.etree.ElementTree as ET
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from influpath.experiments.figure_parts import INK, looks
from influpath.experiments.figures import frontier_figure, stepwise_figure, success_figure


def at(mean: float | None, half: float = 0.1) -> dict[str, Any]:
    ends = [None, None] if mean is None else [mean - half, mean + half]
    return {"mean": mean, "ci95": ends, "n": 50}


def make_document() -> dict[str, Any]:
    planners = {
        label: {"sr": at(0.5), "accepted_sr@20": at(0.25), "log_ppl": at(4.5), "ioi": at(1.5)}
        for label in ("irn", "rec2inf/sasrec", "oracle", "mine <&> $x_1$")
    }
    return {
        "planners": planners,
        "subset": {"planners": planners},
        "frontier": [
            {"planner": label, "point": f"k {k}", "log_ppl": at(4 + k / 9), "ioi": at(k / 3)}
            for label in planners
            for k in (1, 2, 3)
        ],
        "stepwise": [
            {"planner": label, "align": align, "quantity": quantity, "step": step, "n": 10 + step}
            | {"mean": -6 + step / 9, "low": -6.5, "high": -5.0}
            for label in planners
            if label != "oracle"
            for align, steps in (("start", (1, 2, 3)), ("arrival", (-2, -1, 0)))
            for quantity in ("objective_log_prob", "item_log_prob")
            for step in steps
        ],
    }


def words(svg: str) -> str:
    root = ET.fromstring(svg)
    return "\n".join(text.strip() for text in root.itertext() if text.strip())


def test_the_frontier_labels_planners_dials_and_axes() -> None:
    said = words(frontier_figure(make_document()))
    for text in ("irn", "rec2inf/sasrec", "oracle (sees the judge)", "irn at the chosen dials"):
        assert text in said
    for text in ("k 1", "k 3", "nats", "log(PPL)", "IoI", "mine <&> $x_1$"):
        assert text in said


@pytest.mark.parametrize("align", ["start", "arrival"])
def test_the_steps_say_chances_and_counts(align: Any) -> None:
    said = words(stepwise_figure(make_document(), align))
    for text in ("1 in 500", "chance of the objective", "paths behind each mean (n)", "irn"):
        assert text in said


def test_the_bars_say_their_numbers() -> None:
    said = words(success_figure(make_document()))
    for text in ("50.0%", "25.0%", "accepted SR@20", "percent", "mine <&> $x_1$"):
        assert text in said


def test_nothing_to_draw_is_no_figure() -> None:
    nothing: dict[str, Any] = {"planners": {}, "frontier": [], "stepwise": []}
    assert frontier_figure(nothing) == ""
    assert stepwise_figure(nothing, "start") == ""
    assert success_figure(nothing) == ""
    undefined = make_document()
    for point in undefined["frontier"]:
        point["ioi"] = at(None)
    assert frontier_figure(undefined) == ""


def test_undefined_numbers_are_left_out() -> None:
    document = make_document()
    document["planners"]["irn"]["sr"] = at(None)
    document["stepwise"][0] |= {"mean": None, "low": None, "high": None}
    document["frontier"][0]["log_ppl"] = at(None)
    document["subset"] = None
    for svg in (
        frontier_figure(document),
        stepwise_figure(document, "start"),
        success_figure(document),
    ):
        assert "nan" not in svg


def test_figures_take_the_colour_of_the_page_and_leave_no_trace() -> None:
    before = dict(mpl.rcParams)
    svg = frontier_figure(make_document())
    assert INK not in svg
    assert "currentColor" in svg
    assert "<metadata" not in svg
    assert "<style" not in svg
    assert dict(mpl.rcParams) == before
    assert not plt.get_fignums()
    assert svg == frontier_figure(make_document())


def test_a_planner_looks_the_same_whoever_is_beside_it_and_no_two_look_alike() -> None:
    many = [
        "irn",
        "oracle",
        "vanilla/sasrec",
        "vanilla/bert4rec",
        "rec2inf/sasrec",
        "mst",
        "direct",
    ]
    found = looks(many)
    assert len(set(found.values())) == len(many)
    assert found["irn"] == looks(["irn"])["irn"]
