"""Table III: every planner's influence paths, under the headline judge, on the same pairs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from matplotlib.figure import Figure

from influpath.data.dataset import Dataset
from influpath.evaluation import judge_paths, summarise
from influpath.experiments import reported
from influpath.experiments.reproduction.bench import Bench
from influpath.experiments.reproduction.config import ReproductionConfig
from influpath.experiments.reproduction.dot_plots import Dot, dot_plot, look_of
from influpath.experiments.reproduction.markdown import NAMES, listed, number
from influpath.experiments.reproduction.planner_rows import (
    as_printed,
    dial_text,
    dials_text,
    in_paper_order,
    kind,
    order_table,
    over_seeds,
    planner_table,
    printed_planners,
    sides_table,
    sign,
)
from influpath.experiments.reproduction.recipe import Recipe, planner_jobs, table_settings
from influpath.experiments.result import COMPARED, paired_differences, planner_figures
from influpath.experiments.run import NEUTRAL
from influpath.experiments.training_jobs import TrainingJob
from influpath.planning.rec2inf import Rec2InfConfig

# IRN without the dials that the paper does not have.
NEUTRAL_ROW = "irn at neutral dials"
PRINTED = ("sr", "ioi", "ior", "log_ppl")
SHOWN = (*PRINTED, "accepted_sr@20", "worst_step")
DRAWN = ("sr", "ioi", "log_ppl", "accepted_sr@20")
# Drawn in their own way, though they are of one block.
OWN_LOOKS = ("direct", "oracle")


class Table3(Recipe):
    """Every planner on the report pairs; the expensive ones, and then all, on the fixed subset."""

    name: ClassVar[str] = "table-3"
    title: ClassVar[str] = "Table III: influence paths of every planner"

    def settings(self, config: ReproductionConfig) -> dict[str, Any]:
        """See ``Recipe.settings``."""
        return table_settings(config)

    def jobs(self, bench: Bench) -> list[TrainingJob]:
        """See ``Recipe.jobs``."""
        return planner_jobs(bench, bench.config.planners)

    def compute(self, bench: Bench) -> dict[str, Any]:
        """Judge all planners; compare IRN with each, and Rec2Inf with its recommender alone."""
        config, judge = bench.config, bench.judge
        dials = {label: bench.dials_of(label) for label in config.planners}
        whole, small = dict(bench.judgements), dict(bench.subset_judgements)
        if "irn" in whole and {**NEUTRAL, **dials["irn"]} != NEUTRAL:
            dials[NEUTRAL_ROW] = NEUTRAL
            paths, train = bench.paths("irn", bench.report_pairs, NEUTRAL, judge), bench.split.train
            whole[NEUTRAL_ROW] = judge_paths(judge, bench.report_pairs, paths, train)
            small[NEUTRAL_ROW] = judge_paths(judge, bench.subset, paths, train)
        evaluation = summarise(whole, config.seed)
        adapted = [
            (label, f"vanilla/{label.partition('/')[2]}")
            for label in whole
            if kind(label) == "rec2inf" and f"vanilla/{label.partition('/')[2]}" in whole
        ]
        validation = judge.history["epochs"][int(judge.history["best_epoch"]) - 1]
        return {
            "judge": judge.name,
            "judge_validation_hr@20": validation.get("hr@20"),
            **planner_figures(evaluation, summarise(small, config.seed), config.seed),
            "rec2inf_differences": paired_differences(evaluation, adapted, config.seed),
            "dials": dials,
            "genre_twins": genre_twins(bench.dataset),
        }

    def draw(self, document: Mapping[str, Any]) -> Figure:
        """Draw the planners as dots with intervals, the paper's figures as hollow marks."""
        result, printed = document["result"], printed_of(document)
        dots: list[Dot] = []
        family = ""
        for label in order_of(result):
            row = result["planners"][label]
            count = row["sr"]["n"]
            new = family_of(label)
            name = label if count == result["pairs"] else f"{label} (n = {count:,})"
            apart = bool(dots) and new != family
            look = look_of(label if kind(label) in OWN_LOOKS else new)
            dots.append(Dot(name, row, look, printed.get(label, {}), apart))
            family = new
        return dot_plot(dots, DRAWN, result["pairs"])

    def headline(self, document: Mapping[str, Any]) -> str:
        """See ``Recipe.headline``."""
        result, printed = document["result"], printed_of(document).get("irn", {})
        if "irn" not in result["planners"]:
            return ""
        ours = figures(result["planners"]["irn"], (*PRINTED, "accepted_sr@20"))
        start = f"Table III, {result['pairs']:,} pairs, judged by {result['judge']}:"
        if NEUTRAL_ROW not in result["planners"]:
            return f"{start} IRN has {figures(result['planners']['irn'], PRINTED, printed)}."
        neutral = figures(result["planners"][NEUTRAL_ROW], PRINTED, printed)
        return (
            f"{start} at the paper's dials IRN has {neutral}. At dials chosen on other pairs, most "
            f"of which the paper does not have ({dials_text(result['dials']['irn'])}), it has "
            f"{ours}."
        )

    def words(self, document: Mapping[str, Any]) -> str:
        """Return both tables, how the orders agree, and what cannot agree."""
        result, printed = document["result"], printed_of(document)
        order = order_of(result)
        small = result["subset"]["planners"]
        parts = [
            f"{result['pairs']:,} report pairs, M = {document['config']['max_length']}, judge "
            f"{result['judge']}. Planners with a smaller n are expensive and were planned on the "
            "fixed subset alone."
            if any(result["planners"][label]["sr"]["n"] < result["pairs"] for label in order)
            else f"{result['pairs']:,} report pairs, M = {document['config']['max_length']}, judge "
            f"{result['judge']}.",
            planner_table({label: result["planners"][label] for label in order}, SHOWN, printed),
            " ".join(notes(result)),
            f"Every planner on the same fixed subset of {result['subset']['pairs']:,} pairs:",
            planner_table({label: small[label] for label in order}, SHOWN),
            *compared(result),
            *agreement(result, printed),
            over_seeds(document, "irn", SHOWN),
            *reasons(document, printed),
        ]
        return "\n\n".join(part for part in parts if part)


def figures(
    row: Mapping[str, Any], metrics: Sequence[str], printed: reported.Row | None = None
) -> str:
    """Return a planner's means for a sentence, beside the paper's where they are given."""
    printed = printed or {}
    return listed(
        [
            f"{NAMES[metric]} {number(row[metric]['mean'], metric)}"
            + (f" (the paper: {as_printed(printed[metric])})" if metric in printed else "")
            for metric in metrics
        ]
    )


def printed_of(document: Mapping[str, Any]) -> dict[str, reported.Row]:
    """Return the paper's rows for a document's data and M, IRN's for both of our rows."""
    printed = printed_planners(document["dataset"], document["config"]["max_length"])
    if NEUTRAL_ROW in document["result"]["planners"] and "irn" in printed:
        printed[NEUTRAL_ROW] = printed["irn"]
    return printed


def order_of(result: Mapping[str, Any]) -> list[str]:
    """Return the planners in the paper's order, IRN's two rows together, then our own."""
    order = in_paper_order(label for label in result["planners"] if label != NEUTRAL_ROW)
    if NEUTRAL_ROW in result["planners"]:
        order.insert(order.index("irn") + 1, NEUTRAL_ROW)
    return order


def family_of(label: str) -> str:
    """Return the block of the paper's table that a planner belongs to."""
    blocks = {"dijkstra": "pf2inf", "mst": "pf2inf", NEUTRAL_ROW: "irn"}
    found = blocks.get(label, kind(label))
    return found if found in ("pf2inf", "vanilla", "rec2inf", "irn") else "ours"


def notes(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the table does not say by itself."""
    dials = result["dials"]
    if NEUTRAL_ROW in dials:
        yield (
            f"The paper's IRN has neutral dials ({dials_text(dials[NEUTRAL_ROW])}); ours were "
            f"chosen on other pairs under another judge: {dials_text(dials['irn'])}."
        )
    sizes = {
        f"k {dial_text(own.k)}, distance {own.distance}"
        for label, given in dials.items()
        if kind(label) == "rec2inf"
        for own in [Rec2InfConfig.parse(given, label)]
    }
    if sizes:
        yield f"Rec2Inf: {'; '.join(sorted(sizes))}."
    for label, row in result["planners"].items():
        missing = row["sr"]["n"] - row["log_ppl"]["n"]
        if missing:
            yield (
                f"{label} finds no path for {missing:,} pair(s), which count as failures and have "
                "no log(PPL)."
            )


def compared(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield what IRN is better and worse than, and what Rec2Inf adds to its recommender."""
    if result["differences"]:
        yield (
            "IRN against the others on all report pairs (paired differences; better or worse only "
            "where the 95% interval excludes 0):"
        )
        yield sides_table(result["differences"], "irn", COMPARED)
    if result["subset_differences"]:
        yield "The same on the fixed subset, the expensive planners among the others:"
        yield sides_table(result["subset_differences"], "irn", COMPARED)


def agreement(result: Mapping[str, Any], printed: Mapping[str, reported.Row]) -> Iterator[str]:
    """Yield where the paper's order of its planners agrees with ours, and what Rec2Inf adds."""
    shared = {
        label: row
        for label, row in result["planners"].items()
        if label in printed and label != NEUTRAL_ROW and row["sr"]["n"] == result["pairs"]
    }
    if len(shared) > 2:
        yield f"The order of the paper's {len(shared)} planners, by the means:"
        yield order_table(shared, printed, PRINTED)
    gains = result["rec2inf_differences"]
    sentences = []
    for metric in ("sr", "ioi", "log_ppl") if gains else ():
        up, down = ([n for n, row in gains.items() if sign(row[metric]) == way] for way in (1, -1))
        couples = [name.split(" - ") for name in gains]
        known = [(printed[a][metric], printed[b][metric]) for a, b in couples if a in printed]
        higher = sum(1 for a, b in known if a is not None and b is not None and a > b)
        sentences.append(
            f"{NAMES[metric]} is higher for {len(up)} and lower for {len(down)}"
            + (f" (in the paper, higher for {higher})" if known else "")
        )
    if sentences:
        yield (
            f"Rec2Inf against its recommender alone, {len(gains)} recommenders, where intervals "
            f"exclude 0: {'; '.join(sentences)}."
        )


def reasons(document: Mapping[str, Any], printed: Mapping[str, reported.Row]) -> Iterator[str]:
    """Yield why figures cannot be the paper's."""
    if not printed:
        return
    result, planners = document["result"], document["result"]["planners"]
    judge = reported.evaluators(document["dataset"]).get("bert4rec", {})
    ours = number(result["judge_validation_hr@20"], "hr@20")
    found = [
        f"The judge is {result['judge']} (HR@20 {ours} on validation items); the paper's is "
        f"BERT4Rec (HR@20 {as_printed(judge.get('hr@20'))} in its Table II). "
        "IoI, IoR and log(PPL) of every planner depend on the judge. Objectives are ours too: the "
        "paper's are not published."
    ]
    if "dijkstra" in planners:
        row = planners["dijkstra"]
        found.append(
            f"A shortest path to the objective is found and shown for {100 * row['sr']['mean']:.1f}"
            f"% of the pairs, with {number(row['length']['mean'], 'length')} items on average; the "
            f"paper prints SR {as_printed(printed['dijkstra']['sr'])} for Dijkstra."
        )
    by_genre = [
        label
        for label, dials in result["dials"].items()
        if kind(label) == "rec2inf" and dials.get("distance") == "genre"
    ]
    if by_genre and result["genre_twins"] is not None:
        found.append(
            "Rec2Inf measures distances by genres, and an item shares exactly its genres with "
            f"{result['genre_twins']:,.0f} others on average. Here the objective wins such ties, "
            "then the item that the recommender prefers; the published code leaves them to the "
            "sorting."
        )
    if document["dataset"] == "lastfm":
        kept = document["preset"] == "paper"
        found.append(
            "Last.fm sorts listenings of the same moment by artist id. Preset `"
            + document["preset"]
            + ("` keeps that order" if kept else "` does not keep that order")
            + ", which a model can learn."
        )
    yield "Why figures cannot be the paper's:"
    yield "\n".join(f"- {reason}" for reason in found)


def genre_twins(dataset: Dataset) -> float | None:
    """Return how many other items have exactly an item's genres, on average; None without any."""
    genres = dataset.catalogue["genres"].to_list()
    named = [tuple(sorted(own)) for own in genres if own]
    if not named:
        return None
    counts = np.unique([" | ".join(own) for own in named], return_counts=True)[1]
    return float((counts * (counts - 1)).sum() / len(named))
