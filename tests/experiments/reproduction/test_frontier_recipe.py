"""The frontier's recipe: which points there are, and that what it says follows from them."""

import copy
import json
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from influpath.evaluation import judge_paths
from influpath.evaluation.metrics import increase_of_interest, log_perplexity
from influpath.experiments.figure_parts import STYLE
from influpath.experiments.reproduction.bench import Bench
from influpath.experiments.reproduction.config import ReproductionConfig
from influpath.experiments.reproduction.frontier_words import (
    difference_table,
    findings,
    others_of,
)
from influpath.experiments.reproduction.markdown import listed
from influpath.experiments.reproduction.recipes.frontier import (
    COSTS,
    SHOWN,
    FrontierRecipe,
    points_of,
    swept_planners,
)
from influpath.experiments.reproduction.stages import Stages

RECIPE = FrontierRecipe()


@pytest.fixture(scope="module")
def bench(stages: Stages) -> Bench:
    return stages.benches[0]


@pytest.fixture
def document(stages: Stages) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(stages.path(RECIPE).read_text())
    return found


def changed(bench: Bench, **values: Any) -> Bench:
    """The same models and paths under another configuration."""
    other = Bench(bench.config.model_copy(update=values), bench.data_dir, bench.root)
    other.workspace = bench.workspace
    return other


def drawn(document: dict[str, Any]) -> Figure:
    with mpl.rc_context(STYLE):
        figure = RECIPE.draw(document)
        figure.canvas.draw()
    return figure


def at(mean: float | None, half: float = 0.1, n: int = 11) -> dict[str, Any]:
    ends = [None, None] if mean is None else [mean - half, mean + half]
    return {"mean": mean, "ci95": ends, "n": n}


def test_several_tables_of_dials_are_swept_one_after_the_other(bench: Bench) -> None:
    tables = [{"guidance": [0.0], "floor": [5, 10]}, {"lookahead": [[0, 2], 1.0]}]
    config = ReproductionConfig.parse(
        {**bench.config.model_dump(mode="json"), "frontier": {"irn": tables}}, "test"
    )
    swept = [p.swept for p in points_of(changed(bench, frontier=config.frontier)) if p.swept]
    assert swept == [
        {"guidance": 0.0, "floor": 5},
        {"guidance": 0.0, "floor": 10},
        {"lookahead": [0, 2]},
        {"lookahead": 1.0},
    ]


def test_every_combination_of_dials_is_a_point(bench: Bench) -> None:
    swept = {
        "irn": {"guidance": (0.0, "1..4"), "pace": (1, 2, 3)},
        "rec2inf/sasrec": {"k": (1, 5)},
        "bridge": {},
    }
    config = bench.config.model_validate({**bench.config.model_dump(), "frontier": swept})
    points = points_of(changed(bench, frontier=config.frontier))
    assert [point.planner for point in points] == [
        *["irn"] * 6,
        *["rec2inf/sasrec"] * 2,
        "bridge",
        "vanilla/sasrec",
    ]
    chosen = bench.dials_of("irn")
    assert points[4].swept == {"guidance": "1..4", "pace": 2}
    assert points[4].dials == {**chosen, "guidance": "1..4", "pace": 2}
    # The distance that the configuration gives stays.
    assert points[6].dials == {"distance": "genre", "k": 1}
    assert points[8].dials == {}
    assert len({point.name for point in points}) == len(points)


def test_the_reference_is_swept_once_whether_it_is_configured_or_not(stages: Stages) -> None:
    config = stages.config
    assert swept_planners(config)[-1] == "vanilla/sasrec"
    named = config.model_copy(update={"frontier": {"vanilla/sasrec": {}, "bridge": {}}})
    assert swept_planners(named) == ["vanilla/sasrec", "bridge"]


def test_settings_hold_what_decides_the_result(stages: Stages) -> None:
    config = stages.config
    before = RECIPE.settings(config)
    assert RECIPE.settings(config.model_copy(update={"workers": 9, "lengths": (1,)})) == before
    frontier = {**config.frontier, "bridge": {}}
    assert RECIPE.settings(config.model_copy(update={"frontier": frontier})) != before
    labels = {job.label for job in RECIPE.jobs(stages.benches[0])}
    assert labels == {
        "evaluator sasrec",
        "evaluator bert4rec",
        "evaluator gru4rec",
        "model irn",
        "model sasrec",
    }


def test_every_judge_rates_every_point_and_the_oracle_sees_it(
    document: dict[str, Any], bench: Bench
) -> None:
    result = document["result"]
    assert list(result["judges"]) == [judge.name for judge in bench.evaluators]
    assert result["pairs"] == 20
    for judge in bench.evaluators:
        points = result["judges"][judge.name]["points"]
        assert len(points) == 2 + 2 + 2 + 1
        for point in points:
            if point["planner"] == "irn":
                continue
            dials = {**bench.dials_of(point["planner"]), **point["dials"]}
            paths = bench.paths(point["planner"], bench.subset, dials, judge)
            judgement = judge_paths(judge, bench.subset, paths, bench.split.train)
            assert point["ioi"]["mean"] == pytest.approx(increase_of_interest(judgement).mean())
            expected = np.nanmean(log_perplexity(judgement))
            assert point["log_ppl"]["mean"] == pytest.approx(expected)


def slow_curve(points: list[tuple[float, float]], x: float) -> float | None:
    """The best of all mixtures of two points that cost at most ``x``."""
    best = [y for cost, y in points if cost <= x + 1e-9]
    for left in points:
        for right in points:
            if left[0] < x < right[0]:
                part = (x - left[0]) / (right[0] - left[0])
                best.append(left[1] + part * (right[1] - left[1]))
    return max(best, default=None)


@pytest.mark.parametrize("cost", COSTS)
def test_curves_and_differences_follow_from_the_points(cost: str, document: dict[str, Any]) -> None:
    for judge in document["result"]["judges"].values():
        own = judge["by"][cost]
        vanilla = next(p for p in judge["points"] if p["planner"] == "vanilla/sasrec")
        assert own["grid"] == pytest.approx([vanilla[cost]["mean"] + n / 10 for n in range(11)])
        curves: dict[str, list[float | None]] = {}
        for planner, curve in own["curves"].items():
            points = [
                (p[cost]["mean"], p["ioi"]["mean"])
                for p in judge["points"]
                if p["planner"] == planner
            ]
            curves[planner] = [slow_curve(points, x) for x in own["grid"]]
            assert [place["mean"] for place in curve] == pytest.approx(curves[planner], abs=1e-7)
        # k = 1 is the plain recommender, so that its curve begins there.
        assert own["curves"]["rec2inf/sasrec"][0]["mean"] == vanilla["ioi"]["mean"]
        assert set(own["differences"]) == set(curves) - {"irn"}
        for other, difference in own["differences"].items():
            gaps = [
                None if None in (a, b) else a - b  # type: ignore[operator]
                for a, b in zip(curves["irn"], curves[other], strict=True)
            ]
            assert [place["mean"] for place in difference["at"]] == pytest.approx(gaps, abs=1e-7)
            # A curve that begins late in some resamples is compared from where it is there in all.
            known = [gap for gap in gaps if gap is not None]
            count = difference["mean"]["n"]
            sure = [place for place in difference["at"] if place["ci95"][0] is not None]
            assert 0 < count <= len(sure) <= len(known)
            assert difference["mean"]["mean"] == pytest.approx(np.mean(known[-count:]), abs=1e-7)
        assert own["optimism"]["vanilla/sasrec"] == pytest.approx(0, abs=0.05)
        assert own["optimism"]["irn"] > -0.1
        assert set(own["shares"]) == set(curves) - {"oracle"}


def test_words_name_what_is_above_and_claim_nothing_else(document: dict[str, Any]) -> None:
    result = copy.deepcopy(document["result"])
    grid = [3.0 + n / 10 for n in range(11)]
    for number, (name, judge) in enumerate(result["judges"].items()):
        judge["by"]["worst_step"]["differences"] = {}
        judge["by"]["log_ppl"] = {
            "grid": grid,
            "curves": {
                "irn": [at(None)] * number + [at(1.0)] * (10 - number) + [at(2.5)],
                "oracle": [at(2.0)] * 11,
            },
            "shares": {"irn": at(0.9, 0.05)} if number == 0 else {},
            "differences": {
                "oracle": {
                    "at": [at(-0.5)] * 4 + [at(0.05)] * 7 if number == 0 else [at(0.5)] * 11,
                    "mean": at(-0.3) if number == 0 else at(0.3),
                },
                "vanilla/sasrec": {
                    "at": [at(0.5)] * 2 + [at(0.01)] * 9,
                    "mean": at(0.01, n=9),
                },
                "bridge": {"at": [at(None)] * 11, "mean": at(None, n=0)},
            },
        }
        result["judge"] = result["judge"] if number else name
    said = difference_table(result, "log_ppl").splitlines()
    below = "-0.30 [-0.40, -0.20] **below** (0 above, 4 below, of 11)"
    assert said[2].startswith(f"| oracle (sees the judge) | {below} |")
    assert "0.30 [0.20, 0.40] **above** (11 above, 0 below, of 11)" in said[2]
    # Places that are left out are not counted, whatever stands there.
    assert "0.01 [-0.09, 0.11] not told apart (0 above, 0 below, of 9)" in said[3]
    assert said[4].count("no common range") == len(result["judges"])
    for point in result["judges"][next(iter(result["judges"]))]["points"]:
        if point["planner"] == "oracle":
            point["log_ppl"]["mean"] = 3.5
    first, second, third = findings(result, "log_ppl")
    assert "above irn somewhere: oracle (sees the judge) (log(PPL) 3.00 to 3.30)." in first
    share = "On average irn has 90% [85, 95] of the oracle's IoI, whose curve is flat from "
    assert first.endswith(f"{share}log(PPL) 3.50 on.")
    assert "no dials as cheap" not in first
    unreachable = "irn has no dials as cheap, so that there is no comparison."
    assert f"nothing is above irn. At log(PPL) 3.00 {unreachable}" in second
    assert f"At log(PPL) 3.00 to 3.10 {unreachable}" in third
    document["result"] = result
    headline = RECIPE.headline(document)
    assert "IRN has 90% [85, 95] of the IoI of the oracle" in headline
    assert f"({result['judge']}; 50% at log(PPL) 3.00 and 125% at 4.00)" in headline
    apart = "in 0 of 3 comparisons (a planner under a judge): not told apart from vanilla/sasrec"
    assert f"{apart} ({listed(list(result['judges']))})." in headline


def test_irn_above_the_oracle_is_said(document: dict[str, Any]) -> None:
    result = document["result"]
    curves = result["judges"][result["judge"]]["by"]["log_ppl"]
    curves["shares"]["irn"] = at(1.0, 0.05)
    places = curves["differences"]["oracle"]["at"]
    places[:] = [at(-0.5)] * 9 + [at(0.5)] * 2
    low, high = (f"{curves['grid'][place]:.2f}" for place in (9, 10))
    first = next(iter(findings(result, "log_ppl")))
    assert first.endswith(f"; it is above the oracle at log(PPL) {low} to {high}.")


def test_what_a_point_of_irn_does_not_name_is_said(document: dict[str, Any]) -> None:
    result = document["result"]
    swept = {name for p in result["judges"][result["judge"]]["points"] for name in p["dials"]}
    text = others_of(result)
    assert text.startswith("; what a point of IRN does not name is as in Table III (")
    named = {part.split()[0] for part in text.partition("(")[2].rstrip(")").split(", ")}
    assert named == set(result["irn_dials"]) - (swept - {"k"})


def test_planners_that_are_missing_leave_their_sentences_out(bench: Bench) -> None:
    """Without IRN or an oracle there is a frontier, but nothing to compare with them."""
    result = RECIPE.compute(changed(bench, frontier={"bridge": {}}))
    document = {"result": result, "config": {}}
    json.dumps(document, allow_nan=False)
    assert result["irn_dials"] is None
    own = result["judges"][result["judge"]]["by"]["log_ppl"]
    assert own["differences"] == {}
    assert own["shares"] == {}
    assert set(own["curves"]) == {"bridge", "vanilla/sasrec"}
    assert RECIPE.headline(document) == ""
    words = RECIPE.words(document)
    assert "of the oracle" not in words
    assert "a point of IRN" not in words
    for metric in SHOWN:
        assert result["judges"][result["judge"]]["points"][0][metric]["n"] == 20
    drawn(document)


def test_there_is_a_panel_per_judge_and_one_for_the_worst_step(document: dict[str, Any]) -> None:
    figure = drawn(document)
    titles = [axes.get_title(loc="left") for axes in figure.axes if axes.axison]
    judges = list(document["result"]["judges"])
    assert titles[0] == f"{judges[0]} (headline judge): log(PPL)"
    assert titles[1:3] == [f"{judge}: log(PPL)" for judge in judges[1:]]
    assert titles[3] == f"{judges[0]} (headline judge): worst step"
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["irn", "rec2inf/sasrec", "oracle (sees the judge)", "vanilla/sasrec"]
