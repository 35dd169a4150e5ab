"""The result of a run: one JSON file, and beside it all that ``verify`` needs to recompute it.

main.json             every figure with its interval, configuration, seed, versions, times
main/pairs.csv        the (user, objective) pairs with their role
main/judge/           the judge, in half precision
main/judges/*/        the other evaluators, likewise
main/paths/*.parquet  the influence paths of every planner; the oracle's once per evaluator
main/next-item.parquet  rank of every user's held-out item under each planner
"""

import logging
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from influpath.data.sequences import IntArray
from influpath.environment import hardware, versions
from influpath.errors import ConfigError
from influpath.evaluation import hit_rate, mrr, stepwise, summarise, write_pairs
from influpath.evaluation.judging import Judgement
from influpath.evaluation.table import Evaluation
from influpath.experiments import reported
from influpath.experiments.config import RunConfig
from influpath.experiments.planner_next_item import next_item
from influpath.experiments.run import ORACLE, Run
from influpath.experiments.spread import spread_over_seeds
from influpath.experiments.sweep import sweep_dials
from influpath.files import atomic_path, sha256_file, write_json

logger = logging.getLogger("influpath")

FORMAT = "influpath-result-1"
# What IRN is compared with, pair by pair, and in which metrics.
COMPARED = ("sr", "accepted_sr@20", "ioi", "ior", "log_ppl", "worst_step")


def result_path(run: Run) -> Path:
    """Return where the run's result goes."""
    return Path(run.config.result) if run.config.result else run.workspace.root / "main.json"


def write_result(run: Run) -> dict[str, Any]:
    """Do all that is left of a run, write its result and return it.

    Raises:
        ConfigError: The run is without IRN.
    """
    if "irn" not in run.config.planners:
        raise ConfigError(
            f"{run.config.name}: planners must have irn, which a run's tables compare the others "
            "with; other planners alone are compared by `influpath evaluate`."
        )
    with run.helpers:
        return _write_result(run)


def _write_result(run: Run) -> dict[str, Any]:
    path = result_path(run)
    beside = path.with_suffix("")
    logger.info("training the models that are not there yet")
    run.train()
    judge = run.judge
    logger.info("judge %s, dials chosen with %s", judge.name, run.evaluators[1].name)
    logger.info("dials of irn: %s", run.dial_choice["reason"])
    with run.workspace.timed("plan and judge"):
        evaluation = summarise(run.judgements, run.config.seed)
    with run.workspace.timed("fixed subset"):
        subset = run.subset_evaluation
    with run.workspace.timed("every judge"):
        judges = run.judge_tables()
    with run.workspace.timed("spread over seeds"):
        spread = spread_over_seeds(run)
    with run.workspace.timed("frontier"):
        frontier = sweep_dials(run)
    with run.workspace.timed("next item"):
        ranks = next_item(run)
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
        **figures(run.config, judge.name, evaluation, subset, ranks),
        **judges,
        "spread": spread,
        "stepwise": step_rows(run.judgements, run.config),
        "frontier": frontier,
        "dial_choice": run.dial_choice,
        "dials": {label: run.dials_of(label) for label in run.config.planners},
        "evaluators": {model.name: about_model(model.history) for model in run.evaluators},
        "models": {name: about_model(model.history) for name, model in run.models.items()},
        "paper_irn": reported.irn(run.config.data.source),
        "versions": versions(),
        "hardware": hardware(),
        "seconds": seconds(run),
        "files": checksums(beside),
    }
    write_json(path, document)
    logger.info("result: %s", path)
    return document


def figures(
    config: RunConfig,
    judge: str,
    evaluation: Evaluation,
    subset: Evaluation,
    ranks: Mapping[str, IntArray],
) -> dict[str, Any]:
    """Return the figures of the headline judge, in a run and when it is verified.

    Args:
        config: The run's configuration.
        judge: The headline judge's name.
        evaluation: The planners that are planned on every report pair.
        subset: All planners on the fixed subset.
        ranks: Rank of every user's held-out item under each planner; the judge's is "evaluator".
    """
    seed = config.seed
    return {
        "evaluator": {"name": judge, **next_item_scores(ranks["evaluator"], seed)},
        "judge": judge,
        **planner_figures(evaluation, subset, seed),
        "next_item": {
            name: next_item_scores(values, seed)
            for name, values in ranks.items()
            if name != "evaluator"
        },
    }


def planner_figures(evaluation: Evaluation, subset: Evaluation, seed: int) -> dict[str, Any]:
    """Return every planner's figures and what IRN differs by.

    Args:
        evaluation: The planners that are planned on every report pair.
        subset: All planners on the fixed subset.
        seed: Decides the bootstrap.
    """
    table, small = evaluation.to_dict(), subset.to_dict()
    for key in ("planners", "coverage"):
        for label, found in small[key].items():
            # Some are planned on the subset alone; their n says so.
            table[key].setdefault(label, found)
    return {
        "pairs": table["pairs"],
        "planners": table["planners"],
        "coverage": table["coverage"],
        "subset": small,
        "differences": differences(evaluation, seed),
        "subset_differences": differences(subset, seed),
    }


def differences(evaluation: Evaluation, seed: int) -> dict[str, Any]:
    """Return IRN minus every other planner, paired, with intervals."""
    if "irn" not in evaluation.values:
        return {}
    others = [other for other in evaluation.values if other != "irn"]
    return paired_differences(evaluation, [("irn", other) for other in others], seed)


def paired_differences(
    evaluation: Evaluation,
    compared: Iterable[tuple[str, str]],
    seed: int,
    metrics: Sequence[str] = COMPARED,
) -> dict[str, Any]:
    """Return the first planner of each couple minus the second, paired, with intervals."""
    return {
        f"{a} - {b}": {
            metric: evaluation.difference(a, b, metric, seed).to_dict() for metric in metrics
        }
        for a, b in compared
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


def step_rows(judgements: Mapping[str, Judgement], config: RunConfig) -> list[dict[str, Any]]:
    """Return the stepwise curves, early successes left out (Figure 9).

    Planners whose paths have at most a quarter of the M items have no curve worth drawing.
    """
    rows = []
    for label, judgement in judgements.items():
        if judgement.lengths.mean() > config.max_length / 4:
            rows += curve_rows(label, judgement, config.seed)
    return rows


def curve_rows(
    label: str, judgement: Judgement, seed: int, max_length: int | None = None
) -> list[dict[str, Any]]:
    """Return the stepwise curves of one planner; see ``stepwise`` for ``max_length``."""
    rows = []
    alignments: tuple[Literal["start", "arrival"], ...] = ("start", "arrival")
    for align in alignments:
        frame = stepwise(
            judgement,
            seed,
            align=align,
            early_successes=align == "arrival",
            max_length=max_length,
        )
        for row in frame.filter(pl.col("quantity").str.ends_with("log_prob")).to_dicts():
            numbers = {
                key: None if value is None or not np.isfinite(value) else round(value, 5)
                for key, value in row.items()
                if key != "quantity"
            }
            rows.append({"planner": label, "align": align, "quantity": row["quantity"], **numbers})
    return rows


def write_beside(run: Run, beside: Path, ranks: dict[str, IntArray]) -> None:
    """Write pairs, judges, paths and ranks."""
    write_pairs(run.pairs, beside / "pairs.csv")
    for label in run.config.planners:
        pairs = run.report_pairs if label in run.config.whole_planners else run.subset
        run.paths(label, pairs, run.dials_of(label), run.judge).write(paths_file(beside, label))
    for judge in run.evaluators:
        folder = judge_folder(beside, judge.name, run.judge.name)
        if ORACLE in run.config.planners and judge is not run.judge:
            run.paths_before(judge, ORACLE).write(paths_file(beside, ORACLE, judge.name))
        job = run.jobs()["evaluator", judge.name]
        for name in ("model.json", "weights.safetensors"):
            with atomic_path(folder / name) as temporary:
                shutil.copyfile(job.directory / name, temporary)
    with atomic_path(beside / "next-item.parquet") as temporary:
        pl.DataFrame(
            {name: pl.Series(values, dtype=pl.Int32) for name, values in ranks.items()}
        ).write_parquet(temporary, compression="zstd")


def paths_file(beside: Path, label: str, judge: str | None = None) -> Path:
    """Return the file of a planner's paths; of those made through a further judge, if named."""
    name = label if judge is None else f"{label}-{judge}"
    return beside / "paths" / f"{name.replace('/', '-')}.parquet"


def judge_folder(beside: Path, name: str, headline: str) -> Path:
    """Return the folder of an evaluator."""
    return beside / "judge" if name == headline else beside / "judges" / name


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
        # Models of earlier versions were all trained on the processor.
        "device": history.get("device", "cpu"),
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
