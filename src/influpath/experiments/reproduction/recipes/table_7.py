"""Table VII: influence paths with titles and genres, and what happens to the genres on average.

A case study is an anecdote: the best, the median and a random path stand beside the mean over all
report pairs.  Of the data it shows what the paper's table does, titles and genres of the items of a
path and of the last history items; no user ids, ratings or times.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from influpath.data.sequences import IntArray
from influpath.evaluation import bootstrap_mean
from influpath.evaluation.intervals import bootstrap_means, paired_difference
from influpath.evaluation.judging import FloatArray, Judgement
from influpath.experiments.examples import Example, Item, Kind, choose_by_kind, example_of
from influpath.experiments.figure_parts import INK, WIDTH, Look, legend_above, looks
from influpath.experiments.reproduction.bench import Bench
from influpath.experiments.reproduction.case_words import words_of_genres, words_of_paths
from influpath.experiments.reproduction.config import ReproductionConfig
from influpath.experiments.reproduction.drawing import metric_line
from influpath.experiments.reproduction.genres import (
    GenreOverlap,
    overlap_at_ends,
    overlap_by_moment,
    overlap_of_genres,
)
from influpath.experiments.reproduction.recipe import Recipe, path_settings, planner_jobs
from influpath.experiments.training_jobs import TrainingJob

LEAD = "irn"
PLANNERS = (LEAD, "rec2inf/sasrec", "vanilla/sasrec")
KINDS: dict[Kind, int] = {"best": 1, "median": 1, "random": 1}
HISTORY_SHOWN = 3


class Table7(Recipe):
    """IRN's best, median and a random path beside other planners', and genres along all paths."""

    name: ClassVar[str] = "table-7"
    title: ClassVar[str] = "Table VII: influence paths with titles and genres"
    # The paths of another seed are of other users: their mean would be of nothing.
    seeded: ClassVar[bool] = False

    def planners(self, config: ReproductionConfig) -> list[str]:
        """Return the planners whose paths are shown."""
        return [label for label in PLANNERS if label in config.planners or label == LEAD]

    def settings(self, config: ReproductionConfig) -> dict[str, Any]:
        """See ``Recipe.settings``."""
        return path_settings(config, *self.planners(config))

    def jobs(self, bench: Bench) -> list[TrainingJob]:
        """See ``Recipe.jobs``."""
        return planner_jobs(bench, self.planners(bench.config))

    def compute(self, bench: Bench) -> dict[str, Any]:
        """Choose three pairs by IRN's paths, and follow the genres along all paths."""
        judgements = {
            label: bench.judged(label, bench.report_pairs, bench.dials_of(label), bench.judge)
            for label in self.planners(bench.config)
        }
        return {
            "judge": bench.judge.name,
            "pairs": bench.report_pairs.height,
            "dials": {label: bench.dials_of(label) for label in judgements},
            "paths": [
                self.case(bench, judgements, kind, row)
                for kind, row in choose_by_kind(judgements[LEAD], KINDS, bench.config.seed)
            ],
            "genres": self.genres(bench, judgements),
        }

    def case(
        self, bench: Bench, judgements: Mapping[str, Judgement], kind: Kind, row: int
    ) -> dict[str, Any]:
        """Return one pair's path under every planner."""
        objective = bench.report_pairs["objective_id"][row]
        examples = {
            label: example_of(
                judgement, row, kind, label, objective, bench.split.train, HISTORY_SHOWN
            )
            for label, judgement in judgements.items()
        }
        lead = examples[LEAD]
        return {
            "kind": kind,
            "history": [described(item, lead.objective) for item in lead.history],
            "objective": described(lead.objective, None),
            "planners": {label: shown(example) for label, example in examples.items()},
        }

    def genres(self, bench: Bench, judgements: Mapping[str, Judgement]) -> dict[str, Any] | None:
        """Return the mean genre overlap with the objective along the paths of every planner.

        None where the data has no genres.
        """
        train, seed = bench.split.train, bench.config.seed
        overlap = GenreOverlap.of(train)
        if overlap is None:
            return None
        objective_P: IntArray = train.items.encode(bench.report_pairs["objective_id"].to_list())
        users_P = judgements[LEAD].user_rows
        last_P = train.sequences.take(users_P).last()
        ends: dict[str, dict[str, FloatArray]] = {}
        steps = {}
        for label, judgement in judgements.items():
            longest = bench.config.max_length
            table_PS = overlap_by_moment(judgement, last_P, objective_P, overlap, longest)
            ends[label] = overlap_at_ends(judgement, table_PS)
            # As in Figure 9: paths that end early would change whom the later means are over.
            whole_P = ~(judgement.reached & (judgement.lengths < longest))
            curve = bootstrap_means(table_PS[whole_P], seed, users=users_P[whole_P])
            steps[label] = [
                {"step": step, **at.to_dict()} for step, at in enumerate(curve) if at.count
            ]
        return {
            "ends": {
                label: {
                    name: bootstrap_mean(values, seed, users=users_P).to_dict()
                    for name, values in own.items()
                }
                for label, own in ends.items()
            },
            "differences": {
                f"{LEAD} - {label}": paired_difference(
                    ends[LEAD]["last"], own["last"], seed, users=users_P
                ).to_dict()
                for label, own in ends.items()
                if label != LEAD
            },
            "steps": steps,
            "catalogue": bootstrap_mean(
                overlap.with_catalogue(objective_P), seed, users=users_P
            ).to_dict(),
        }

    def draw(self, document: Mapping[str, Any]) -> Figure | None:
        """Draw the mean genre overlap with the objective step by step."""
        genres = document["result"]["genres"]
        if genres is None:
            return None
        styles = looks(genres["steps"])
        figure = Figure(figsize=(1.3 * WIDTH, 4.6))
        overlaps, counts = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        for label, curve in genres["steps"].items():
            metric_line(overlaps, [at["step"] for at in curve], curve, styles[label], label)
            draw_counts(counts, curve, styles[label])
        chance = genres["catalogue"]["mean"]
        if chance is not None:
            overlaps.axhline(
                chance,
                color=INK,
                linewidth=1,
                linestyle=(0, (1, 2)),
                label="any item of the catalogue",
            )
        overlaps.set_ylabel("genre overlap with\nthe objective (Jaccard)")
        overlaps.set_ylim(bottom=0)
        counts.set_title("paths behind each mean (n)", loc="left")
        counts.set_ylim(
            0, 1.15 * max((at["n"] for at in chain(*genres["steps"].values())), default=1)
        )
        counts.set_xlabel("step of the path (0: the last item of the history)")
        counts.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        counts.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=3))
        counts.yaxis.set_major_formatter("{x:,.0f}")
        legend_above(figure, overlaps)
        return figure

    def words(self, document: Mapping[str, Any]) -> str:
        """Return the paths as tables, and what happens to the genres on average."""
        result = document["result"]
        return "\n\n".join(
            [*words_of_paths(result, LEAD), *words_of_genres(result, LEAD, document["dataset"])]
        )


def draw_counts(axes: Axes, curve: Sequence[Mapping[str, Any]], look: Look) -> None:
    """Draw the number of paths behind each mean."""
    axes.plot(
        [at["step"] for at in curve],
        [at["n"] for at in curve],
        color=look.color,
        marker=look.marker,
        linestyle=look.line,
        markersize=3,
    )


def described(item: Item, objective: Item | None) -> dict[str, Any]:
    """Return an item, and its genre overlap with the objective where one is given."""
    about: dict[str, Any] = {"title": item.title, "genres": list(item.genres)}
    if objective is not None:
        about["overlap"] = overlap_of_genres(item.genres, objective.genres)
    return about


def shown(example: Example) -> dict[str, Any]:
    """Return what may be shown of an example: nothing that is the user's alone."""
    return {
        "outcome": example.outcome,
        "reached": example.reached,
        "start_log_prob": digits(example.start_log_prob),
        "end_log_prob": digits(example.end_log_prob),
        "steps": [
            {
                **described(step.item, example.objective),
                "rank": step.rank,
                "objective_log_prob": digits(step.objective_log_prob),
                "is_objective": step.is_objective,
            }
            for step in example.steps
        ],
    }


def digits(log_prob: float) -> float:
    """Return a log-probability with the digits that do not depend on the batch size."""
    return float(np.round(log_prob, 4))
