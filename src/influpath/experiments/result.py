"""The result of a run: one JSON file, and beside it all that ``verify`` needs to recompute it.

main.json             every figure with its interval, configuration, seed, versions, times
main/pairs.csv        the (user, objective) pairs with their role
main/judge/           the judge, in half precision
main/paths/*.parquet  the influence paths of every planner
main/next-item.parquet  rank of every user's held-out item under each planner
"""

import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from influpath.data.sequences import IntArray
from influpath.environment import hardware, versions
from influpath.evaluation import hit_rate, mrr, stepwise, summarise, write_pairs
from influpath.evaluation.judging import Judgement
from influpath.evaluation.table import Evaluation
from influpath.experiments.run import ORACLE, Run
from influpath.files import atomic_path, sha256_file, write_json

logger = logging.getLogger("influpath")

FORMAT = "influpath-result-1"
# The paper's IRN rows (Table III), for context only.
PAPER_IRN = {
    "ml-1m": {"sr": 0.259, "ioi": 2.61, "ior": 804.7, "log_ppl": 4.94},
    "lastfm": {"sr": 0.142, "ioi": 0.572, "ior": 160.7, "log_ppl": 6.65},
}
# What IRN is compared with, pair by pair, and in which metrics.
COMPARED = ("sr", "accepted_sr@20", "ioi", "ior", "log_ppl", "worst_step")


def result_path(run: Run) -> Path:
    """Return where the run's result goes."""
    return Path(run.config.result) if run.config.result else run.workspace.root / "main.json"


def write_result(run: Run) -> dict[str, Any]:
    """Do all that is left of a run, write its result and return it."""
    path = result_path(run)
    beside = path.with_suffix("")
    logger.info("training the models that are not there yet")
    judge = run.judge
    logger.info("judge %s, dials chosen with %s", judge.name, run.evaluators[1].name)
    logger.info("dials of irn: %s", run.dial_choice["reason"])
    with run.workspace.timed("plan and judge"):
        evaluation = summarise(run.judgements, run.config.seed)
    with run.workspace.timed("fixed subset"):
        subset = run.subset_evaluation
    with run.workspace.timed("second judge"):
        other = run.evaluate_subset(run.evaluators[1])
    with run.workspace.timed("frontier"):
        frontier = run.frontier()
    with run.workspace.timed("next item"):
        ranks = run.next_item()
    write_beside(run, beside, ranks)
    document = {
        "format": FORMAT,
        "name": run.config.name,
        "config": run.config.model_dump(mode="json"),
        "seed": run.config.seed,
        "data": {
            "source": run.config.data.source,
            "preset": run.config.data.preset,
            "fingerprint": run.dataset.fingerprint,
            "report": run.dataset.report,
            **run.dataset.stats(),
        },
        **figures(run, evaluation, subset, ranks),
        "second_judge": {"name": run.evaluators[1].name, **other.to_dict()},
        "stepwise": step_rows(run.judgements, run.config.seed),
        "frontier": frontier,
        "dial_choice": run.dial_choice,
        "dials": {label: run.dials_of(label) for label in run.config.planners},
        "evaluators": {model.name: about_model(model.history) for model in run.evaluators},
        "models": {name: about_model(model.history) for name, model in run.models.items()},
        "paper_irn": PAPER_IRN.get(run.config.data.source),
        "versions": versions(),
        "hardware": hardware(),
        "seconds": seconds(run),
        "files": checksums(beside),
    }
    write_json(path, document)
    logger.info("result: %s", path)
    return document


def figures(
    run: Run, evaluation: Evaluation, subset: Evaluation, ranks: dict[str, IntArray]
) -> dict[str, Any]:
    """Return every figure that ``verify`` recomputes."""
    table = evaluation.to_dict()
    oracle = subset.to_dict()
    if ORACLE in oracle["planners"]:
        # The oracle is planned on the subset alone; its n says so.
        table["planners"][ORACLE] = oracle["planners"][ORACLE]
        table["coverage"][ORACLE] = oracle["coverage"][ORACLE]
    seed = run.config.seed
    return {
        "evaluator": {"name": run.judge.name, **next_item_scores(ranks["evaluator"], seed)},
        "judge": run.judge.name,
        "pairs": table["pairs"],
        "planners": table["planners"],
        "coverage": table["coverage"],
        "subset": oracle,
        "differences": differences(evaluation, seed),
        "subset_differences": differences(subset, seed),
        "next_item": {
            name: next_item_scores(values, seed)
            for name, values in ranks.items()
            if name != "evaluator"
        },
    }


def differences(evaluation: Evaluation, seed: int) -> dict[str, Any]:
    """Return IRN minus every other planner, paired, with intervals."""
    if "irn" not in evaluation.values:
        return {}
    return {
        f"irn - {other}": {
            metric: evaluation.difference("irn", other, metric, seed).to_dict()
            for metric in COMPARED
        }
        for other in evaluation.values
        if other != "irn"
    }


def next_item_scores(ranks: IntArray, seed: int) -> dict[str, Any]:
    """Return HR@20 and MRR with their intervals."""
    hits, reciprocal = hit_rate(ranks, 20, seed).to_dict(), mrr(ranks, seed).to_dict()
    return {
        "hr@20": hits["mean"],
        "hr@20_ci95": hits["ci95"],
        "mrr": reciprocal["mean"],
        "mrr_ci95": reciprocal["ci95"],
        "n": hits["n"],
    }


def step_rows(judgements: dict[str, Judgement], seed: int) -> list[dict[str, Any]]:
    """Return the stepwise curves of every planner, early successes left out (Figure 9)."""
    rows = []
    for label, judgement in judgements.items():
        if label == "direct":
            continue
        for align in ("start", "arrival"):
            frame = stepwise(judgement, seed, align=align, early_successes=align == "arrival")
            for row in frame.filter(pl.col("quantity").str.ends_with("log_prob")).to_dicts():
                numbers = {
                    key: None if value is None or not np.isfinite(value) else round(value, 5)
                    for key, value in row.items()
                    if key not in ("quantity",)
                }
                rows.append(
                    {"planner": label, "align": align, "quantity": row["quantity"], **numbers}
                )
    return rows


def write_beside(run: Run, beside: Path, ranks: dict[str, IntArray]) -> None:
    """Write pairs, judge, paths and ranks."""
    write_pairs(run.pairs, beside / "pairs.csv")
    for label in run.config.planners:
        pairs = run.subset if label == ORACLE else run.report_pairs
        run.paths(label, pairs, run.dials_of(label), run.judge).write(paths_file(beside, label))
    job = run.jobs()["evaluator", run.judge.name]
    for name in ("model.json", "weights.safetensors"):
        with atomic_path(beside / "judge" / name) as temporary:
            shutil.copyfile(job.directory / name, temporary)
    with atomic_path(beside / "next-item.parquet") as temporary:
        pl.DataFrame(
            {name: pl.Series(values, dtype=pl.Int32) for name, values in ranks.items()}
        ).write_parquet(temporary, compression="zstd")


def paths_file(beside: Path, label: str) -> Path:
    """Return the file of a planner's paths."""
    return beside / "paths" / f"{label.replace('/', '-')}.parquet"


def checksums(beside: Path) -> dict[str, str]:
    """Return the SHA-256 of every file beside the result."""
    files = sorted(path for path in beside.rglob("*") if path.is_file())
    return {path.relative_to(beside).as_posix(): sha256_file(path) for path in files}


def about_model(history: dict[str, Any]) -> dict[str, Any]:
    """Return what a training came to."""
    best_epoch = int(history["best_epoch"])
    entry = history["epochs"][best_epoch - 1] if best_epoch else {}
    return {
        "epochs": len(history["epochs"]),
        "best_epoch": best_epoch,
        "seconds": history["seconds"],
        "validation": {
            key: round(value, 6)
            for key, value in entry.items()
            if key not in ("epoch", "learning_rate", "seconds")
        },
    }


def seconds(run: Run) -> dict[str, float]:
    """Return how long each stage took when it was done, and each training on its one thread."""
    trained = {
        f"train {role} {name}": float(model.history["seconds"])
        for (role, name), model in run.trained.items()
    }
    return trained | run.workspace.seconds
