"""Table IV: the planners as next-item recommenders while they pursue an objective."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from influpath.data.sequences import IntArray
from influpath.evaluation import next_item_ranks, paired_difference
from influpath.experiments import reported
from influpath.experiments.planner_next_item import ranks_under
from influpath.experiments.reproduction.bench import Bench
from influpath.experiments.reproduction.config import ReproductionConfig
from influpath.experiments.reproduction.markdown import (
    NAMES,
    cell,
    flat_cell,
    listed,
    number,
    table,
)
from influpath.experiments.reproduction.planner_rows import as_printed, dials_text, sign
from influpath.experiments.reproduction.recipe import Recipe, path_settings, planner_jobs
from influpath.experiments.result import next_item_scores
from influpath.experiments.run import NEUTRAL
from influpath.experiments.training_jobs import TrainingJob

# The paper's recommenders, in its order.
NEXT_ITEM = ("gru4rec", "caser", "sasrec", "bert4rec")
ADAPTED = ("gru4rec", "caser", "sasrec")
IRN = "irs/irn"
TUNED = "irs/irn at its dials"
METRICS = ("hr@20", "mrr")


class Table4(Recipe):
    """HR@20 and MRR of the held-out item, with the pair's objective in view."""

    name: ClassVar[str] = "table-4"
    title: ClassVar[str] = "Table IV: next-item recommendation under IRS"

    def settings(self, config: ReproductionConfig) -> dict[str, Any]:
        """See ``Recipe.settings``."""
        return path_settings(config, *planners_of(config))

    def jobs(self, bench: Bench) -> list[TrainingJob]:
        """See ``Recipe.jobs``."""
        return planner_jobs(bench, planners_of(bench.config))

    def compute(self, bench: Bench) -> dict[str, Any]:
        """Rank every user's held-out item, with the objective and without it."""
        seed, rows = bench.config.seed, np.flatnonzero(bench.split.held_out)
        evaluators = {model.name: model for model in bench.evaluators}
        names = [name for name in NEXT_ITEM if name in evaluators]
        names += [name for name in evaluators if name not in NEXT_ITEM]
        ranks: dict[str, IntArray] = {
            f"next-item/{name}": next_item_ranks(evaluators[name], bench.split, rows)
            for name in names
        }
        alone: dict[str, IntArray] = {}
        dials: dict[str, Any] = {}
        for label in planners_of(bench.config):
            name = f"irs/{label.partition('/')[2] or label}"
            if label == "irn":
                dials |= {name: NEUTRAL, TUNED: bench.dials_of("irn")}
                ranks |= {key: ranks_under(bench, "irn", dials[key]) for key in (name, TUNED)}
                hidden = ranks_under(bench, "irn", {**NEUTRAL, "guidance": 0.0})
                alone |= {name: hidden, TUNED: hidden}
            else:
                model = bench.models[label.partition("/")[2]]
                dials[name] = bench.dials_of(label)
                ranks[name] = ranks_under(bench, label, dials[name])
                alone[name] = next_item_ranks(model, bench.split, rows)
        return {
            "users": len(rows),
            "rows": {name: next_item_scores(values, seed) for name, values in ranks.items()},
            "alone": {name: next_item_scores(values, seed) for name, values in alone.items()},
            "differences": {
                name: {
                    metric: paired_difference(
                        counted(ranks[name], metric), counted(values, metric), seed
                    ).to_dict()
                    for metric in METRICS
                }
                for name, values in alone.items()
            },
            "dials": dials,
        }

    def words(self, document: Mapping[str, Any]) -> str:
        """Return the scores beside the paper's, and what following the objective costs."""
        result = document["result"]
        printed = reported.rows("table_4_next_item", document["dataset"])
        rows = []
        for name, row in result["rows"].items():
            line = [name]
            for metric in METRICS:
                line.append(flat_cell(row, metric))
                if printed:
                    line.append(as_printed(printed.get(name, {}).get(metric)))
            rows.append(line)
        columns = [
            "model",
            *(x for m in METRICS for x in (NAMES[m], *(["paper"] if printed else []))),
        ]
        parts = [
            table(columns, rows),
            f"Full ranking of the held-out item of {result['users']:,} users, seen items left out. "
            "`next-item` rows are the evaluators; `irs` rows are planners that pursue the user's "
            "objective, which is never the held-out item: IRN, and Rec2Inf on another training of "
            "the recommender than the evaluator's.",
        ]
        if TUNED in result["dials"]:
            parts[-1] += (
                " IRN stands at the paper's setting and at its chosen dials "
                f"({dials_text(result['dials'][TUNED])})."
            )
        return "\n\n".join([*parts, *comparable(result, printed), *cost(result, printed)])


def planners_of(config: ReproductionConfig) -> tuple[str, ...]:
    """Return the planners of Table IV that the configuration has, in the paper's order."""
    wanted = [*(f"rec2inf/{name}" for name in ADAPTED), "irn"]
    return tuple(label for label in wanted if label in config.planners)


def counted(ranks: IntArray, metric: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return what each user counts in HR@20 or MRR."""
    return (ranks <= 20).astype(np.float64) if metric == "hr@20" else 1.0 / ranks


def comparable(result: Mapping[str, Any], printed: Mapping[str, reported.Row]) -> Iterator[str]:
    """Yield how IRN's accuracy stands to the best next-item model's, here and in the paper."""
    plain = {name: row for name, row in result["rows"].items() if name.startswith("next-item/")}
    if not printed or IRN not in result["rows"] or not plain:
        return
    clauses = []
    for metric in METRICS:
        best = max(plain, key=lambda name: plain[name][metric])
        theirs = {name: row[metric] or 0.0 for name, row in printed.items() if name in plain}
        paper = printed[IRN][metric]
        ours = result["rows"][IRN][metric] / plain[best][metric]
        said = f"{NAMES[metric]} is {100 * ours:.0f}% of that of the best, {short(best)}"
        if theirs and paper is not None:
            other = max(theirs, key=lambda name: theirs[name])
            said += f" (the paper: {100 * paper / theirs[other]:.0f}%, of {short(other)})"
        clauses.append(said)
    yield (
        "The paper says that IRN's accuracy is comparable with the best next-item model's. Here, "
        f"at the paper's setting, its {listed(clauses)}."
    )


def short(name: str) -> str:
    """Return the model's name without the kind of row."""
    return name.partition("/")[2]


def cost(result: Mapping[str, Any], printed: Mapping[str, reported.Row]) -> Iterator[str]:
    """Yield what following the objective costs, model by model."""
    if not result["differences"]:
        return
    said = (
        "What the objective costs: the same model with the objective minus without it, paired, "
        "and in percent of the score without it."
    )
    if printed:
        said += (
            " The paper's percentages compare with its next-item model of the same name, IRN's "
            "with its BERT4Rec."
        )
    yield said
    rows = []
    for name, row in result["differences"].items():
        line = [name]
        for metric in METRICS:
            before = result["alone"][name][metric]
            line += [
                number(before, metric),
                cell(row[metric], metric),
                percent(row[metric]["mean"], before),
            ]
            if printed:
                line.append(printed_cost(printed, name, metric))
        rows.append(line)
    columns = ["model"]
    for metric in METRICS:
        columns += [
            f"{NAMES[metric]} without it",
            "difference",
            "%",
            *(["paper, %"] if printed else []),
        ]
    yield table(columns, rows)
    lower = {
        metric: [name for name, row in result["differences"].items() if sign(row[metric]) < 0]
        for metric in METRICS
    }
    clauses = [f"{NAMES[metric]} of {listed(names) or 'none'}" for metric, names in lower.items()]
    yield f"Lower with the objective (intervals exclude 0): {'; '.join(clauses)}."


def percent(difference: float | None, before: float | None) -> str:
    """Return a difference in percent of what it was before; "" where that is undefined."""
    return f"{100 * difference / before:+.1f}" if difference is not None and before else ""


def printed_cost(printed: Mapping[str, reported.Row], name: str, metric: str) -> str:
    """Return the paper's loss in percent; "" where it has none."""
    other = name.replace("irs/", "next-item/")
    before = printed.get("next-item/bert4rec" if name == "irs/irn" else other, {}).get(metric)
    after = printed.get(name, {}).get(metric)
    return percent(after - before, before) if after is not None and before else ""
