"""Figure 9: how interest evolves along the path, step by step."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from influpath.evaluation import bootstrap_mean
from influpath.evaluation.judging import FloatArray, Judgement
from influpath.experiments.figure_parts import (
    count_panel,
    looks,
    odds_axis,
    step_panel,
)
from influpath.experiments.reproduction.bench import Bench
from influpath.experiments.reproduction.config import ReproductionConfig
from influpath.experiments.reproduction.drawing import note_below, planner_legend
from influpath.experiments.reproduction.markdown import cell, table
from influpath.experiments.reproduction.planner_rows import sign
from influpath.experiments.reproduction.recipe import Recipe, path_settings, planner_jobs
from influpath.experiments.result import curve_rows
from influpath.experiments.training_jobs import TrainingJob

SHOWN = ("irn", "vanilla/sasrec", "rec2inf/sasrec")
QUANTITIES = {
    "objective_log_prob": "chance of the objective",
    "item_log_prob": "chance of the item shown next",
}
ALIGNMENTS = {"start": "step of the path", "arrival": "steps before the objective (0 shows it)"}
# How far something rises over each half of the path, in nats.
HALVES = ("first_half", "second_half")


class Figure9(Recipe):
    """Objective and item probability at every step, from the start and before the arrival."""

    name: ClassVar[str] = "figure-9"
    title: ClassVar[str] = "Figure 9: stepwise evolution of user interests"

    def settings(self, config: ReproductionConfig) -> dict[str, Any]:
        """See ``Recipe.settings``."""
        return path_settings(config, *shown(config))

    def jobs(self, bench: Bench) -> list[TrainingJob]:
        """See ``Recipe.jobs``."""
        return planner_jobs(bench, shown(bench.config))

    def compute(self, bench: Bench) -> dict[str, Any]:
        """Average what the headline judge says of every step."""
        config, rows, planners = bench.config, [], {}
        for label in shown(config):
            judgement = bench.judged(label, bench.report_pairs, bench.dials_of(label), bench.judge)
            rows += curve_rows(label, judgement, config.seed, config.max_length)
            planners[label] = rises(judgement, config.max_length, config.seed)
        return {
            "judge": bench.judge.name,
            "pairs": bench.report_pairs.height,
            "steps": rows,
            "planners": planners,
        }

    def draw(self, document: Mapping[str, Any]) -> Figure | None:
        """Draw objective, item and count, from the start and before the arrival."""
        result = document["result"]
        everything = [row for row in result["steps"] if row["mean"] is not None]
        if not everything:
            return None
        styles = looks(result["planners"])
        figure = Figure(figsize=(8.6, 6.8))
        panels = figure.subplots(3, 2, sharex="col", sharey="row", height_ratios=(3, 3, 1.3))
        for column, (align, title) in enumerate(ALIGNMENTS.items()):
            rows = [row for row in everything if row["align"] == align]
            for place, (quantity, name) in enumerate(QUANTITIES.items()):
                step_panel(panels[place, column], rows, quantity, styles)
                panels[place, column].set_title(name, loc="left")
                odds_axis(
                    panels[place, column], [r for r in everything if r["quantity"] == quantity]
                )
            count_panel(panels[2, column], rows, styles)
            panels[2, column].set_xlabel(title)
            panels[2, column].xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        panels[2, 0].set_ylim(0, 1.12 * max(row["n"] for row in everything))
        planner_legend(figure, {label: styles[label] for label in result["planners"]})
        note_below(
            figure,
            f"{result['pairs']:,} pairs, judge {result['judge']}; geometric means; bands: 95% "
            "intervals over users; left: without paths that reach the objective before step M",
        )
        return figure

    def words(self, document: Mapping[str, Any]) -> str:
        """Return how far the objective and the items rise, and over which part of the path."""
        result = document["result"]
        m = document["config"]["max_length"]
        lines = []
        for label, own in result["planners"].items():
            for quantity, name in QUANTITIES.items():
                found = own[quantity]
                lines.append(
                    [
                        label,
                        name,
                        f"{own['kept']:,} of {result['pairs']:,}",
                        *(cell(found[half], "ioi") for half in HALVES),
                        percent(found["first"]),
                        percent(found["last"]),
                    ]
                )
        half = middle(m)
        columns = [
            "planner",
            "log-probability of",
            "paths",
            f"rise, steps 1 to {half}",
            f"rise, steps {half} to {m}",
            "mean probability at step 1",
            f"at step {m}",
        ]
        parts = [
            f"{result['pairs']:,} report pairs, judge {result['judge']}, M = {m}. As in the paper, "
            "paths that reach the objective early are left out of the curves from the start "
            '(column "paths" says how many are left), and only there: the curves before the '
            "arrival take all paths that show the objective. Rises are in nats, paired by user; "
            "probabilities are averaged as the paper does.",
            table(columns, lines, 2),
            " ".join(findings(result)),
        ]
        return "\n\n".join(part for part in parts if part)


def shown(config: ReproductionConfig) -> list[str]:
    """Return the planners that have curves."""
    return [label for label in SHOWN if label in config.planners]


def middle(max_length: int) -> int:
    """Return the last step of the first half."""
    return max(1, (max_length + 1) // 2)


def rises(judgement: Judgement, max_length: int, seed: int) -> dict[str, Any]:
    """Return how far probabilities rise over each half of the paths, early successes left out.

    Args:
        judgement: What the judge says of one planner's paths.
        max_length: M.
        seed: Decides the bootstrap.

    Returns:
        ``kept``, the number of paths that go on to step M; for both quantities the rise over each
        half in nats with its interval, and the mean probability at the first and the last step.
    """
    kept = np.flatnonzero(judgement.lengths == max_length)
    last, half = max_length - 1, middle(max_length) - 1
    of_items = judgement.paths.offsets[kept]
    # A path of L items has L + 1 prefixes, the empty one first.
    starts = {"objective_log_prob": judgement.before[kept], "item_log_prob": of_items}
    values = {
        "objective_log_prob": judgement.objective_log_probs,
        "item_log_prob": judgement.item_log_probs,
    }
    users = judgement.user_rows[kept]

    def rise(at: FloatArray, start: Any, begin: int, end: int) -> dict[str, Any]:
        return bootstrap_mean(at[start + end] - at[start + begin], seed, users=users).to_dict()

    found: dict[str, Any] = {"kept": len(kept)}
    for quantity, start in starts.items():
        at = values[quantity]
        found[quantity] = {
            "first_half": rise(at, start, 0, half),
            "second_half": rise(at, start, half, last),
            "first": float(np.exp(at[start]).mean()) if len(kept) else None,
            "last": float(np.exp(at[start + last]).mean()) if len(kept) else None,
        }
    return found


def percent(value: float | None) -> str:
    """Return a probability in percent."""
    return "" if value is None else f"{100 * value:.2f}%"


def findings(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield which planner leads the user to the objective, and when."""
    yield "The paper says that IRN leads the user towards the objective steadily."
    verbs = {1: "rises", 0: "is not told apart from level", -1: "falls"}
    for label, own in result["planners"].items():
        first, second = (sign(own["objective_log_prob"][half]) for half in HALVES)
        if not own["kept"]:
            yield f"{label}: no path goes on to the last step."
        elif first == second:
            yield f"With {label} the chance of the objective {verbs[first]} over both halves."
        else:
            yield (
                f"With {label} the chance of the objective {verbs[first]} over the first half and "
                f"{verbs[second]} over the second."
            )
