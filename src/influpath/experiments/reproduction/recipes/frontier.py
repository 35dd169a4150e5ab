"""Beyond the paper: influence at equal smoothness, every planner swept over its dials."""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from influpath.evaluation import summarise
from influpath.evaluation.frontier import Frontier, Points, frontier
from influpath.evaluation.table import Evaluation
from influpath.experiments.dial_choice import VANILLA
from influpath.experiments.figure_parts import looks
from influpath.experiments.reproduction.bench import Bench
from influpath.experiments.reproduction.config import ReproductionConfig
from influpath.experiments.reproduction.drawing import (
    AXES,
    GRID,
    metric_line,
    note_below,
    planner_legend,
)
from influpath.experiments.reproduction.frontier_words import (
    INFLUENCE,
    LEAD,
    about_points,
    against_blind,
    difference_table,
    findings,
    others_of,
    percent,
    points_table,
    share_of_oracle,
    share_range,
)
from influpath.experiments.reproduction.markdown import NAMES, listed
from influpath.experiments.reproduction.planner_rows import dials_text
from influpath.experiments.reproduction.recipe import Recipe, path_settings, planner_jobs
from influpath.experiments.run import ORACLE
from influpath.experiments.training_jobs import TrainingJob
from influpath.recommenders.base import Recommender

logger = logging.getLogger("influpath")

# Nats drawn beside the range that is compared.
LEFT, RIGHT = 0.6, 0.9
COSTS = ("log_ppl", "worst_step")
SHOWN = (*COSTS, INFLUENCE, "accepted_sr@20")


@dataclass(frozen=True)
class Point:
    """One setting of a planner's dials.

    Attributes:
        planner: Its label.
        swept: The dials that are varied.
        dials: All settings.
    """

    planner: str
    swept: dict[str, Any]
    dials: dict[str, Any]

    @property
    def name(self) -> str:
        """Names it among all points."""
        return f"{self.planner} {dials_text(self.swept)}"


class FrontierRecipe(Recipe):
    """Curves of IoI against log(PPL) and against the worst step, under every judge."""

    name: ClassVar[str] = "frontier"
    title: ClassVar[str] = "Influence at equal smoothness"
    version: ClassVar[int] = 2

    def settings(self, config: ReproductionConfig) -> dict[str, Any]:
        """See ``Recipe.settings``."""
        swept = config.model_dump(mode="json")["frontier"]
        return {**path_settings(config, *swept_planners(config)), "frontier": swept}

    def jobs(self, bench: Bench) -> list[TrainingJob]:
        """See ``Recipe.jobs``."""
        return planner_jobs(bench, swept_planners(bench.config))

    def compute(self, bench: Bench) -> dict[str, Any]:
        """Plan at every point, and let every judge draw its own frontier."""
        points = points_of(bench)
        judges = {}
        for judge in bench.evaluators:
            evaluation = rated(bench, points, judge)
            judges[judge.name] = {
                "points": [
                    {
                        "planner": point.planner,
                        "dials": point.swept,
                        **{
                            metric: evaluation.intervals[point.name][metric].to_dict()
                            for metric in SHOWN
                        },
                    }
                    for point in points
                ],
                "by": {cost: curves(evaluation, points, cost, bench.config.seed) for cost in COSTS},
            }
        return {
            "judge": bench.judge.name,
            "pairs": bench.subset.height,
            "reference": VANILLA,
            "irn_dials": bench.dials_of(LEAD) if LEAD in swept_planners(bench.config) else None,
            "judges": judges,
        }

    def draw(self, document: Mapping[str, Any]) -> Figure:
        """Draw one panel per judge against log(PPL), and the headline judge's worst step."""
        result = document["result"]
        shown = result["judges"][result["judge"]]
        panels = [(judge, "log_ppl") for judge in result["judges"]]
        panels.append((result["judge"], "worst_step"))
        rows = (len(panels) + 1) // 2
        figure = Figure(figsize=(9.0, 3.6 * rows + 0.7))
        grid = figure.subplots(rows, 2, squeeze=False).ravel()
        for axes, (judge, cost) in zip(grid, panels, strict=False):
            draw_panel(axes, result["judges"][judge], cost)
            headline = " (headline judge)" if judge == result["judge"] else ""
            axes.set_title(f"{judge}{headline}: {NAMES[cost]}", loc="left")
        for axes in grid[len(panels) :]:
            axes.set_axis_off()
        labels = list(dict.fromkeys(point["planner"] for point in shown["points"]))
        styles = looks(labels)
        planner_legend(figure, {label: styles[label] for label in labels})
        note_below(
            figure,
            f"n = {result['pairs']:,} pairs; marks: means at one setting of the dials; lines: "
            f"envelopes from {result['reference']} to 1 nat above;\nbands: 95% intervals over "
            "users; points far from this range are in the table alone",
        )
        return figure

    def headline(self, document: Mapping[str, Any]) -> str:
        """Return how near IRN comes to the oracle under the headline judge."""
        result = document["result"]
        shares = {
            judge: percent(share)
            for judge in result["judges"]
            if (share := share_of_oracle(result, judge, "log_ppl"))
        }
        if result["judge"] not in shares:
            return ""
        first = shares.pop(result["judge"])
        ends = share_range(result, result["judge"], "log_ppl")
        others = listed([f"{share} ({judge})" for judge, share in shares.items()])
        sentences = [
            f"At equal log(PPL), on average up to 1 nat above {result['reference']}, IRN has "
            f"{first} of the IoI of the oracle, which sees the judge but looks one step ahead "
            f"({result['judge']}{'; ' if ends else ''}{ends})"
            + (f"; under the other judges {others}." if others else "."),
            *(against_blind(result, cost) for cost in COSTS),
        ]
        # One line of the list each.
        return "\n- ".join(sentence for sentence in sentences if sentence)

    def words(self, document: Mapping[str, Any]) -> str:
        """Return where IRN is above and where below, under every judge."""
        result = document["result"]
        parts = [
            f"{result['pairs']:,} pairs. Every planner is swept over its dials{others_of(result)}. "
            "Its curve is the upper concave envelope of its points' means, flat to the right: what "
            "it reaches when every user gets one of its dials by lot. Curves are compared where "
            f"both are defined, from the cost of {result['reference']} to one nat above in steps "
            "of 0.1; intervals resample users, the same for all planners. The oracle sees "
            "the judge, yet looks one step ahead: it is no bound.",
            about_points(result),
        ]
        for cost in COSTS:
            parts += [
                f"IoI of {LEAD} minus that of the planner at equal {NAMES[cost]}, on average over "
                "the range, under each judge; then at how many places it is above and below "
                "outside the interval, of those from where both curves begin:",
                difference_table(result, cost),
                "\n".join(f"- {sentence}" for sentence in findings(result, cost)),
            ]
        parts += ["The points under the headline judge:", points_table(result, SHOWN)]
        return "\n\n".join(part for part in parts if part)


def swept_planners(config: ReproductionConfig) -> list[str]:
    """Return the planners that have points: those configured, and the reference."""
    return list(dict.fromkeys([*config.frontier, VANILLA]))


def points_of(bench: Bench) -> list[Point]:
    """Return every combination of every planner's swept dials, the others as they are."""
    return [
        Point(label, swept, {**bench.dials_of(label), **swept})
        for label in swept_planners(bench.config)
        for sweep in bench.config.sweeps_of(label)
        for combination in product(*sweep.values())
        for swept in [dict(zip(sweep, combination, strict=True))]
    ]


def rated(bench: Bench, points: list[Point], judge: Recommender) -> Evaluation:
    """Let one judge read the paths of every point; the oracle looks through that judge."""
    judged = {}
    asked = [bench.on_subset(point.planner, point.dials, judge) for point in points]
    for point, judgement in zip(points, bench.judge_all(asked), strict=True):
        judged[point.name] = judgement
        done = len(judged), len(points)
        logger.info("frontier: %s, %d of %d: %s", judge.name, *done, point.name)
    return summarise(judged, bench.config.seed)


def curves(evaluation: Evaluation, points: list[Point], cost: str, seed: int) -> dict[str, Any]:
    """Return every planner's curve against one cost, and how IRN differs from the others."""
    values: dict[str, list[Any]] = {}
    for point in points:
        own = evaluation.values[point.name]
        values.setdefault(point.planner, []).append((own[cost], own[INFLUENCE]))
    named = {label: Points.of(own) for label, own in values.items()}
    found = frontier(named, VANILLA, seed, evaluation.user_rows)
    others = [label for label in named if label != LEAD] if LEAD in named else []
    return {
        "offsets": found.offsets_G.tolist(),
        "grid": found.grid_RG[0].tolist(),
        "curves": {label: [at.to_dict() for at in found.at(label)] for label in named},
        "differences": {other: compared(found, other) for other in others},
        "shares": {
            label: found.share(label, ORACLE).to_dict()
            for label in named
            if ORACLE in named and label != ORACLE
        },
        "optimism": {
            label: None if math.isnan(much := found.optimism(label)) else much for label in named
        },
    }


def compared(found: Frontier, other: str) -> dict[str, Any]:
    """Return IRN minus another planner, at each place and on average."""
    return {
        "at": [at.to_dict() for at in found.difference(LEAD, other)],
        "mean": found.mean_difference(LEAD, other).to_dict(),
    }


def draw_panel(axes: Axes, rated: Mapping[str, Any], cost: str) -> None:
    """Draw the points of every planner and its curve with a band."""
    own = rated["by"][cost]
    styles = looks(own["curves"])
    low, high = own["grid"][0] - LEFT, own["grid"][-1] + RIGHT
    for label, curve in own["curves"].items():
        look = styles[label]
        metric_line(axes, own["grid"], curve, look._replace(marker=""))
        points = [
            (point[cost]["mean"], point[INFLUENCE]["mean"])
            for point in rated["points"]
            if point["planner"] == label and is_between(point[cost]["mean"], low, high)
        ]
        axes.plot(
            [x for x, _ in points],
            [y for _, y in points],
            color=look.color,
            marker=look.marker,
            linestyle="none",
            markersize=5,
        )
    axes.set_xlim(low, high)
    axes.set_xlabel(AXES[cost].replace("\n", " "))
    axes.set_ylabel(AXES[INFLUENCE])
    axes.grid(**GRID)


def is_between(value: float | None, low: float, high: float) -> bool:
    """Return whether a value is defined and lies in a range."""
    return value is not None and low <= value <= high
