"""The table that the paper lacks: every judge, every metric, and for whom the means hold."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from matplotlib.figure import Figure

from influpath.evaluation import (
    Strata,
    by_history_length,
    by_popularity,
    by_start_rank,
    stratify,
    summarise,
)
from influpath.evaluation.table import Evaluation
from influpath.experiments.figure_parts import looks
from influpath.experiments.judge_tables import judge_tables
from influpath.experiments.reproduction.bench import Bench
from influpath.experiments.reproduction.config import ReproductionConfig
from influpath.experiments.reproduction.dot_plots import AXES, strata_plot
from influpath.experiments.reproduction.markdown import NAMES, cell, listed, number, table
from influpath.experiments.reproduction.planner_rows import (
    in_paper_order,
    in_short,
    kind,
    planner_table,
    sides,
    sides_table,
)
from influpath.experiments.reproduction.recipe import Recipe, planner_jobs, table_settings
from influpath.experiments.reproduction.strata_words import (
    BY_STRATUM,
    limits,
    of_stratum,
    strata_words,
)
from influpath.experiments.result import COMPARED, differences
from influpath.experiments.run import ORACLE
from influpath.experiments.training_jobs import TrainingJob

SHORT = ("accepted_sr@20", "ioi", "log_ppl", "worst_step")
# The same whoever judges; only the oracle's paths differ by judge.
WITHOUT_JUDGE = ("sr", "length", "repeat_rate")
# So many families of planners stand beside IRN in the tables by stratum, with the best of each.
RIVALS = 3


class RigorousTable(Recipe):
    """All planners on the fixed subset under every judge; strata of all report pairs."""

    name: ClassVar[str] = "rigorous-table"
    title: ClassVar[str] = "Beyond the paper: every judge, every metric, every stratum"

    def settings(self, config: ReproductionConfig) -> dict[str, Any]:
        """See ``Recipe.settings``."""
        return table_settings(config)

    def jobs(self, bench: Bench) -> list[TrainingJob]:
        """See ``Recipe.jobs``."""
        return planner_jobs(bench, bench.config.planners)

    def compute(self, bench: Bench) -> dict[str, Any]:
        """Let every evaluator rate all planners, and part the headline judge's ratings."""
        config, ratings = bench.config, bench.ratings()
        tables = judge_tables(ratings)
        for name, rating in ratings.items():
            tables["judges"][name]["differences"] = differences(rating.evaluation, config.seed)
        whole = summarise(bench.judgements, config.seed)
        return {
            "judge": bench.judge.name,
            "subset": bench.subset.height,
            **tables,
            "pairs": bench.report_pairs.height,
            "strata": [
                by_strata(strata, whole, bench.subset_evaluation, config.seed)
                for strata in strata_of(bench)
            ],
        }

    def draw(self, document: Mapping[str, Any]) -> Figure | None:
        """Draw IoI stratum by stratum for a handful of planners."""
        result = document["result"]
        planners = handful(result)
        panels = [
            (
                "by " + one["quantity"].replace(" of the objective", "\nof the objective", 1),
                [f"{s['name']}\n{limits(s)}\nn = {s['n']:,}" for s in one["strata"]],
                {
                    label: [of_stratum(s, label)[0]["ioi"] for s in one["strata"]]
                    for label in planners
                },
            )
            for one in result["strata"]
        ]
        legend = {
            label: label
            if label in whole_of(result)
            else f"{label} (fixed subset, n = {result['subset']:,})"
            for label in planners
        }
        return strata_plot(panels, looks(planners), legend, AXES["ioi"].replace("\n", " "))

    def words(self, document: Mapping[str, Any]) -> str:
        """Return a table per judge, worst and mean over them, and the strata."""
        result = document["result"]
        judges = list(result["judges"])
        parts = [
            f"All planners on the same fixed subset of {result['subset']:,} pairs under "
            f"{len(judges)} judges ({listed(judges)}; {result['judge']} is the headline judge). "
            "The oracle looks through whichever judge rates it.",
        ]
        for name in judges:
            parts += judge_words(name, result["judges"][name])
        parts += [
            "#### Over all judges",
            "The worst judge's mean (whose), and the mean over the judges.",
            across_table(result["across_judges"]),
            *everywhere(result),
            "#### The paths themselves",
            "All but the last column is the same whoever judges (the oracle apart).",
            plain_table(result["judges"][result["judge"]]),
        ]
        for one in result["strata"]:
            parts += strata_words(one, handful(result))
        return "\n\n".join(part for part in parts if part)


def strata_of(bench: Bench) -> list[Strata]:
    """Return the strata of the report pairs."""
    pairs, train = bench.report_pairs, bench.split.train
    return [
        by_popularity(pairs, bench.dataset, train),
        by_start_rank(pairs, bench.judge, train),
        by_history_length(pairs, train),
    ]


def by_strata(strata: Strata, whole: Evaluation, subset: Evaluation, seed: int) -> dict[str, Any]:
    """Return the planners stratum by stratum: on all report pairs, and all on the subset."""
    lead = "irn" if "irn" in whole.values else None
    large = stratify(whole, strata, BY_STRATUM, lead, seed)
    small = stratify(subset, strata, BY_STRATUM, "irn" if "irn" in subset.values else None, seed)
    found = strata.to_dict()
    for row, all_pairs, some in zip(found["strata"], large, small, strict=True):
        row |= all_pairs.to_dict()
        row["subset"] = some.to_dict()
    return found


def whole_of(result: Mapping[str, Any]) -> list[str]:
    """Return the planners that were planned on all report pairs."""
    return list(result["strata"][0]["strata"][0]["planners"])


def handful(result: Mapping[str, Any]) -> list[str]:
    """Return IRN, its best rivals, the smoothest vanilla planner and the oracle.

    The rivals are the best of each of the best families (all but vanilla, direct and the oracle):
    those of the highest accepted SR@20, then IoI, on the fixed subset under the headline judge.
    """
    rows = result["judges"][result["judge"]]["planners"]

    def means(label: str, *metrics: str) -> list[float]:
        return [rows[label][metric]["mean"] or 0.0 for metric in metrics]

    ranked = sorted(rows, key=lambda label: means(label, "accepted_sr@20", "ioi"), reverse=True)
    first_of: dict[str, str] = {}
    for label in ranked:
        if kind(label) not in ("irn", "vanilla", "direct", ORACLE):
            first_of.setdefault(kind(label), label)
    plain = sorted(
        (label for label in rows if kind(label) == "vanilla"), key=lambda x: means(x, "log_ppl")
    )
    chosen = ["irn", *list(first_of.values())[:RIVALS], *plain[:1], ORACLE]
    return [label for label in chosen if label in rows]


def judge_words(name: str, one: Mapping[str, Any]) -> Iterator[str]:
    """Yield one judge's table and what IRN differs by under it."""
    fit = one["calibration"]
    yield f"#### Judge {name}"
    yield (
        f"At temperature 1. Calibrated it would be at {fit['temperature']:.2f} (calibration error "
        f"of its top 20 {fit['error']:.3f} before, {fit['error_calibrated']:.3f} after)."
    )
    rows = one["planners"]
    yield planner_table({label: rows[label] for label in in_paper_order(rows)}, SHORT)
    if one["differences"]:
        yield sides_table(one["differences"], "irn", COMPARED)


def across_table(rows: Mapping[str, Any]) -> str:
    """Return worst case and mean over the judges as a Markdown table."""
    lines = []
    for label in in_paper_order(rows):
        line = [label]
        for metric in SHORT:
            at = rows[label][metric]
            worst = number(at["worst"], metric)
            line += [f"{worst} ({at['worst_judge']})" if worst else "", number(at["mean"], metric)]
        lines.append(line)
    columns = ["planner"]
    for metric in SHORT:
        columns += [f"{NAMES[metric]}, worst", "mean"]
    return table(columns, lines)


def everywhere(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield what IRN is better or worse than under every judge."""
    judges = result["judges"].values()
    if not all(one["differences"] for one in judges):
        return
    sentences = []
    for metric in SHORT:
        found = [sides(one["differences"], "irn", metric) for one in judges]
        others = [name.partition(" - ")[2] for name in next(iter(judges))["differences"]]
        better = [other for other in others if all(other in one.better for one in found)]
        worse = [other for other in others if all(other in one.worse for one in found)]
        sentences.append(
            f"{NAMES[metric]}: better than {len(better)} of {len(others)} planners under every "
            f"judge; worse under every judge than {in_short(worse, others)}."
        )
    yield (
        "IRN under all judges at once (paired differences, intervals exclude 0 under each):\n\n"
        + "\n".join(f"- {sentence}" for sentence in sentences)
    )


def plain_table(one: Mapping[str, Any]) -> str:
    """Return what a planner shows, whoever judges, as a Markdown table."""
    rows = [
        [
            label,
            *(cell(one["planners"][label].get(metric), metric) for metric in WITHOUT_JUDGE),
            f"{100 * one['coverage'][label]:.1f}%",
            cell(one["planners"][label]["acceptance@20"], "acceptance@20"),
        ]
        for label in in_paper_order(one["planners"])
    ]
    columns = [NAMES[metric] for metric in WITHOUT_JUDGE]
    return table(["planner", *columns, "catalogue used", f"acceptance@20 ({one['judge']})"], rows)
