"""Figure 6: success against the path length that is allowed."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from influpath.evaluation import METRICS, judge_paths, paired_difference
from influpath.evaluation.judging import Judgement
from influpath.experiments.figure_parts import looks
from influpath.experiments.judging_jobs import Asked
from influpath.experiments.reproduction.bench import Bench
from influpath.experiments.reproduction.config import ReproductionConfig
from influpath.experiments.reproduction.drawing import (
    AXES,
    GRID,
    metric_line,
    note_below,
    planner_legend,
)
from influpath.experiments.reproduction.markdown import NAMES, cell, listed, table
from influpath.experiments.reproduction.planner_rows import dials_text, sign
from influpath.experiments.reproduction.recipe import (
    Recipe,
    model_settings,
    path_settings,
    planner_jobs,
)
from influpath.experiments.run import NEUTRAL
from influpath.experiments.training_jobs import TrainingJob
from influpath.irn.config import IRNConfig
from influpath.planning.paths import Paths

# The variant of IRN whose window holds the longest paths.
WINDOW = "window"
CHOSEN, AT_NEUTRAL = "irn", "irn at neutral dials"
# Planners that do not look at M: the paths of a smaller M are those of a larger one, cut.
BLIND = ("rec2inf/sasrec", "vanilla/sasrec", "dijkstra")
SHOWN = ("sr", "accepted_sr@20", "log_ppl", "ioi")
DRAWN = ("sr", "accepted_sr@20")


class Figure6(Recipe):
    """SR and accepted SR for every M; IRN plans anew for each, since M is its horizon."""

    name: ClassVar[str] = "figure-6"
    title: ClassVar[str] = "Figure 6: success against the path length M"

    def settings(self, config: ReproductionConfig) -> dict[str, Any]:
        """See ``Recipe.settings``."""
        return {
            **path_settings(config, "irn", *blind_planners(config)),
            "lengths": list(config.lengths),
            "window": model_settings("irn", config.settings_of(window_variant(config))),
        }

    def jobs(self, bench: Bench) -> list[TrainingJob]:
        """See ``Recipe.jobs``."""
        return [
            *planner_jobs(bench, ("irn", *blind_planners(bench.config))),
            bench.variant(window_variant(bench.config)).job("model", "irn"),
        ]

    def compute(self, bench: Bench) -> dict[str, Any]:
        """Plan for every M and let the headline judge read the paths."""
        config, train = bench.config, bench.split.train
        variant = window_variant(config)
        window = bench.variant(variant)
        limits = {
            "horizon": horizon_of(config.settings_of(variant)),
            "new_items": fewest_new_items(bench),
        }
        lengths = sorted({m for m in config.lengths if m <= min(limits.values())})
        dials = {CHOSEN: bench.dials_of("irn"), AT_NEUTRAL: dict(NEUTRAL)}
        judgements: dict[str, list[Judgement]] = {}
        asked = [
            Asked("irn", own, bench.subset, bench.judge.name, m)
            for own in dials.values()
            for m in lengths
        ]
        irn = window.judge_all(asked)
        for label in (*dials, *blind_planners(config)):
            if label in dials:
                judgements[label] = [next(irn) for _ in lengths]
                continue
            longest, own = max(lengths, default=1), bench.dials_of(label)
            whole = bench.paths(label, bench.subset, own, bench.judge, longest)
            judgements[label] = [
                judge_paths(bench.judge, bench.subset, cut(whole, bench.subset, m), train)
                for m in lengths
            ]
        return {
            "judge": bench.judge.name,
            "pairs": bench.subset.height,
            "variant": variant,
            "limits": limits,
            "lengths": lengths,
            "left_out": sorted(set(config.lengths) - set(lengths)),
            "dials": dials,
            "planners": {
                label: [
                    {"length": m, **bench.row(label, judgement, SHOWN)}
                    for m, judgement in zip(lengths, own_judgements, strict=True)
                ]
                for label, own_judgements in judgements.items()
            },
            "growth": growth(judgements, lengths, config),
            "differences": irn_minus_others(judgements, lengths, config.seed),
        }

    def draw(self, document: Mapping[str, Any]) -> Figure | None:
        """Draw SR and accepted SR against M, with 95% bands."""
        result = document["result"]
        if not result["lengths"]:
            return None
        styles = looks(result["planners"])
        figure = Figure(figsize=(8.4, 4.2))
        panels = figure.subplots(1, len(DRAWN))
        for axes, metric in zip(panels, DRAWN, strict=True):
            for label, rows in result["planners"].items():
                intervals = [row[metric] for row in rows]
                metric_line(axes, result["lengths"], intervals, styles[label])
            axes.set_ylabel(AXES[metric])
            axes.set_ylim(bottom=0)
            axes.set_xlabel("M: the most items of a path")
            axes.set_xticks(result["lengths"])
            axes.grid(axis="y", **GRID)
        panels[0].set_ylim(top=1.04)
        planner_legend(figure, {label: styles[label] for label in result["planners"]})
        note_below(
            figure,
            f"n = {result['pairs']:,} pairs at every M, judge {result['judge']}; "
            "bands: 95% intervals over users",
        )
        return figure

    def words(self, document: Mapping[str, Any]) -> str:
        """Return the figures for every M, and how success grows with it."""
        result = document["result"]
        trained = "that of Table III"
        if result["variant"]:
            epochs = document["config"]["window"]["training"]["epochs"]
            trained = (
                f"the variant `{result['variant']}`, trained on its own (epochs: {epochs} at "
                "most), so that its figures at one M are not those of Table III,"
            )
        lines = [
            [label, str(row["length"]), *(cell(row[metric], metric) for metric in SHOWN)]
            for label, rows in result["planners"].items()
            for row in rows
        ]
        parts = [
            f"{result['pairs']:,} pairs, judge {result['judge']}. IRN is {trained} with horizon "
            f"{result['limits']['horizon']}, planned anew for every M, at the dials of Table III "
            f"({dials_text(result['dials'][CHOSEN])}) and at neutral dials. The others do not look "
            "at M: they plan once, for the largest M, and their paths are cut; a path that is cut "
            "before the objective has failed.",
            left_out(result),
            table(["planner", "M", *(NAMES[metric] for metric in SHOWN)], lines),
            "\n".join(f"- {sentence}" for sentence in findings(result)),
        ]
        return "\n\n".join(part for part in parts if part)


def window_variant(config: ReproductionConfig) -> str | None:
    """Return the variant of IRN with the longer window; None (IRN itself) where there is none."""
    return WINDOW if WINDOW in config.variants else None


def blind_planners(config: ReproductionConfig) -> list[str]:
    """Return the configured planners that do not look at M."""
    return [label for label in BLIND if label in config.planners]


def horizon_of(settings: Mapping[str, Any]) -> int:
    """Return the longest path that an IRN with these settings can plan."""
    config = IRNConfig.parse(dict(settings), "irn")
    return config.horizon


def fewest_new_items(bench: Bench) -> int:
    """Return how many items are new to the user who knows most: no path can be longer."""
    rows = bench.split.train.rows_of(bench.subset["user_id"].to_list())
    known = bench.split.train.sequences.take(rows)
    most = max((len(np.unique(known.row(row))) for row in range(len(known))), default=0)
    return len(bench.dataset.items) - most


def cut(paths: Paths, pairs: pl.DataFrame, max_length: int) -> Paths:
    """Return what planning with a smaller M gives, for a planner that does not look at M.

    Args:
        paths: Planned with a larger M.
        pairs: Their pairs.
        max_length: The smaller M.
    """
    return Paths.from_steps(paths.steps.filter(pl.col("step") <= max_length), pairs)


def growth(
    judgements: Mapping[str, list[Judgement]], lengths: list[int], config: ReproductionConfig
) -> dict[str, Any] | None:
    """Return what each planner gains from the usual M to the largest, paired by user."""
    usual = [place for place, m in enumerate(lengths) if m <= config.max_length]
    if not usual or usual[-1] == len(lengths) - 1:
        return None
    return {
        "from": lengths[usual[-1]],
        "to": lengths[-1],
        "planners": {
            label: differences(own[-1], own[usual[-1]], config.seed)
            for label, own in judgements.items()
        },
    }


def irn_minus_others(
    judgements: Mapping[str, list[Judgement]], lengths: list[int], seed: int
) -> dict[str, list[dict[str, Any]]]:
    """Return IRN at its dials minus every other planner, for every M."""
    return {
        label: [
            {"length": m, **differences(irn, other, seed)}
            for m, irn, other in zip(lengths, judgements[CHOSEN], own, strict=True)
        ]
        for label, own in judgements.items()
        if label != CHOSEN
    }


def differences(one: Judgement, other: Judgement, seed: int) -> dict[str, Any]:
    """Return the paired differences of what is drawn."""
    return {
        metric: paired_difference(
            METRICS[metric].function(one),
            METRICS[metric].function(other),
            seed,
            users=one.user_rows,
        ).to_dict()
        for metric in DRAWN
    }


def left_out(result: Mapping[str, Any]) -> str:
    """Say which M are left out, and why; "" where none is."""
    missing = result["left_out"]
    if not missing:
        return ""
    limits = result["limits"]
    if limits["horizon"] <= limits["new_items"]:
        why = f"IRN's window has room for paths of at most {limits['horizon']} items"
    else:
        why = f"only {limits['new_items']} items are new to every user"
    return f"Left out: M = {listed([str(m) for m in missing])}, since {why}."


def findings(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield how success grows, beside what the paper says, and where IRN is ahead."""
    gains = result["growth"]
    for metric in DRAWN if gains else ():
        ways = {
            label: (sign(row[metric]), f"{label} ({cell(row[metric], metric)})")
            for label, row in gains["planners"].items()
        }
        clauses = [
            f"{verb} for {listed(names)}"
            for way, verb in ((1, "grows"), (-1, "falls"), (0, "is not told apart"))
            if (names := [name for found, name in ways.values() if found == way])
        ]
        yield f"From M = {gains['from']} to {gains['to']}, {NAMES[metric]} {listed(clauses)}."
    if gains:
        growing = [
            label
            for label, row in gains["planners"].items()
            if label not in (CHOSEN, AT_NEUTRAL) and sign(row["sr"]) > 0
        ]
        here = (
            f"here that of {listed(growing)} grows as well"
            if growing
            else "so it is here for those that are drawn"
        )
        said = "The paper says of SR that IRN's grows steadily and the baselines' flattens out"
        yield f"{said}; {here}."
    for label, rows in result["differences"].items():
        ahead, behind = (
            {
                metric: [str(row["length"]) for row in rows if sign(row[metric]) == way]
                for metric in DRAWN
            }
            for way in (1, -1)
        )
        clauses = [
            f"{word} {NAMES[metric]} at M = {listed(found[metric])}"
            for word, found in (("higher", ahead), ("lower", behind))
            for metric in DRAWN
            if found[metric]
        ]
        told = f"has {listed(clauses)}" if clauses else "is not told apart at any M"
        yield f"Against {label}, {CHOSEN} {told}."
