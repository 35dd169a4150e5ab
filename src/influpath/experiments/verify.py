"""Recompute a result's figures from its judges, pairs and paths, and compare.

What rests on models or paths that are not kept beside a result is not recomputed: the choice of
dials, the frontier, the spread over seeds, and planners' ranks of the next item, which are taken
as they were written.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from influpath.data import Dataset, leave_last_out, load_dataset
from influpath.data.sequences import IntArray
from influpath.errors import ResultError
from influpath.evaluation import (
    fixed_subset,
    judge_at,
    judge_paths,
    next_item_ranks,
    read_pairs,
    with_role,
)
from influpath.evaluation.judging import Judgement
from influpath.evaluation.metrics import accepted_success
from influpath.evaluation.reliability import reliability
from influpath.evaluation.table import summarise
from influpath.experiments import feasibility
from influpath.experiments.config import RunConfig
from influpath.experiments.judge_tables import judge_tables, rate
from influpath.experiments.result import (
    FORMAT,
    checksums,
    figures,
    judge_folder,
    paths_file,
    step_rows,
)
from influpath.experiments.run import ORACLE
from influpath.files import read_json
from influpath.planning.paths import Paths
from influpath.registry import load_model

# Judging sums float32 numbers in an order that depends on the machine; ranks may then differ where
# two items are as good as tied.
RELATIVE, ABSOLUTE = 2e-3, 2e-3

# Keys of a result whose figures rest on what is not kept beside it.
NOT_RECOMPUTED = ("dial_choice", "frontier", "spread")
# How the formats of ``influpath reproduce`` begin.
REPRODUCTION = "influpath-reproduction-"


@dataclass(frozen=True)
class Check:
    """One recomputed figure.

    Attributes:
        key: Its place in the result file.
        recorded: What the file says.
        recomputed: What came out now.
        agrees: Whether they agree to within rounding.
    """

    key: str
    recorded: Any
    recomputed: Any
    agrees: bool


def verify_result(path: str | Path, data_dir: str | None = None) -> list[Check]:
    """Recompute the figures of a result file; see ``NOT_RECOMPUTED`` for the others.

    Args:
        path: A result written by a run, with its folder beside it.
        data_dir: Folder of the real datasets, or None for the environment's.

    Raises:
        ResultError: The file, or one beside it, is missing, damaged or changed, or the data at
            hand are not those of the result.
    """
    path = Path(path)
    document = read_json(path, ResultError)
    kind = document.get("format") if isinstance(document, dict) else None
    if isinstance(kind, str) and kind.startswith(REPRODUCTION):
        raise ResultError(
            f"{path}: is a table or figure of `influpath reproduce`, whose paths are not kept; to "
            "check it, make it anew with other folders for results and runs."
        )
    if kind not in (FORMAT, feasibility.FORMAT):
        raise ResultError(f"{path}: is not a result of this version of influpath.")
    beside = path.with_suffix("")
    try:
        if kind == FORMAT:
            check_files(document, beside)
            recomputed = recompute(document, beside, data_dir)
        else:
            recomputed = {"report": report_reliability(document, path, data_dir)}
        return list(compare(document, recomputed))
    except KeyError as cause:
        raise ResultError(f"{path}: the key {cause} is missing; the file is damaged.") from None


def check_files(document: dict[str, Any], beside: Path) -> None:
    """Check that the files beside the result are there and unchanged.

    Raises:
        ResultError: One is missing or was changed.
    """
    found = checksums(beside) if beside.is_dir() else {}
    for name, checksum in document.get("files", {}).items():
        if name not in found:
            raise ResultError(f"{beside / name}: is missing; the result cannot be verified.")
        if found[name] != checksum:
            raise ResultError(f"{beside / name}: was changed since the result was written.")


def recompute(document: dict[str, Any], beside: Path, data_dir: str | None) -> dict[str, Any]:
    """Return the figures of a result, computed anew."""
    config = RunConfig.parse(document["config"], "config of the result")
    dataset = dataset_of(config, document, data_dir)
    split = leave_last_out(dataset)
    judge = load_model(beside / "judge")
    pairs = read_pairs(beside / "pairs.csv", split.train)
    report = with_role(pairs, "report")
    subset = fixed_subset(report, config.pairs.subset, config.seed)

    def judged(label: str, chosen: pl.DataFrame) -> Judgement:
        paths = Paths.read(paths_file(beside, label), chosen)
        return judge_paths(judge, chosen, paths.of_pairs(chosen), split.train)

    judgements = {label: judged(label, report) for label in config.whole_planners}
    on_subset = {label: judged(label, subset) for label in config.planners}
    names = list(document["judges"])
    judges = {name: load_model(judge_folder(beside, name, judge.name)) for name in names}

    def paths_of(name: str, label: str) -> Paths:
        own = label == ORACLE and name != judge.name
        file = paths_file(beside, label, name if own else None)
        planned = report if label in config.whole_planners else subset
        return Paths.read(file, planned).of_pairs(subset)

    def rated(name: str, temperatures: tuple[float, ...]) -> list[dict[str, Judgement]]:
        found = [
            judge_at(judges[name], subset, paths_of(name, label), split.train, temperatures)
            for label in config.planners
        ]
        return [
            dict(zip(config.planners, judgements, strict=True))
            for judgements in zip(*found, strict=True)
        ]

    evaluation, small = summarise(judgements, config.seed), summarise(on_subset, config.seed)
    rows = np.flatnonzero(split.held_out)
    own: IntArray = next_item_ranks(judge, split, rows)
    ranks = pl.read_parquet(beside / "next-item.parquet")
    planned_ranks = {name: ranks[name].to_numpy().astype(np.int64) for name in ranks.columns}
    return {
        "data": dataset.stats(),
        **figures(config, judge.name, evaluation, small, {**planned_ranks, "evaluator": own}),
        "stepwise": step_rows(judgements, config),
        **judge_tables(rate(judges, rated, split, config.seed)),
    }


def report_reliability(
    document: dict[str, Any], path: Path, data_dir: str | None
) -> dict[str, Any]:
    """Return the reliability of a feasibility on report pairs, their outcomes judged anew."""
    config = RunConfig.parse(document["config"], "config of the result")
    split = leave_last_out(dataset_of(config, document, data_dir))
    run = path.parent / document["run"]
    planner = document["feasibility"]["calibrated_to"]["planner"]
    report = with_role(read_pairs(run / "pairs.csv", split.train), "report")
    paths = Paths.read(paths_file(run, planner), report)
    judgement = judge_paths(load_model(run / "judge"), report, paths, split.train)
    accepted_P = accepted_success(judgement, feasibility.ACCEPTED_RANK)
    predicted = pl.read_parquet(path.with_suffix("") / feasibility.PREDICTIONS)
    joined = report.join(predicted, on="pair_id", how="left", maintain_order="left")
    return reliability(joined["feasibility"].to_numpy(), accepted_P, document["seed"]).to_dict()


def dataset_of(config: RunConfig, document: dict[str, Any], data_dir: str | None) -> Dataset:
    """Load the data of a result.

    Raises:
        ResultError: The data at hand are others.
    """
    data = config.data
    dataset = load_dataset(data.source, preset=data.preset, data_dir=data_dir, **data.options)
    if dataset.fingerprint != document["data"]["fingerprint"]:
        raise ResultError(
            f"the result is of other data than {dataset.name} at hand (their fingerprints differ); "
            "use the same files and preset."
        )
    return dataset


def compare(recorded: Any, recomputed: Any, key: str = "") -> Iterator[Check]:
    """Compare every recomputed number and text with the recorded one."""
    if isinstance(recomputed, dict):
        for name, value in recomputed.items():
            # A figure that the file lacks is a KeyError: the file is damaged.
            yield from compare(recorded[name], value, f"{key}.{name}" if key else name)
    elif isinstance(recomputed, (list, tuple)):
        same = isinstance(recorded, list) and len(recorded) == len(recomputed)
        if not same:
            yield Check(key, recorded, recomputed, agrees=False)
            return
        for number, value in enumerate(recomputed):
            yield from compare(recorded[number], value, f"{key}[{number}]")
    else:
        yield Check(key, recorded, recomputed, agree(recorded, recomputed))


def agree(recorded: Any, recomputed: Any) -> bool:
    """Return whether two values are equal to within rounding."""
    numbers = (int, float)
    if isinstance(recorded, numbers) and isinstance(recomputed, numbers):
        return math.isclose(recorded, recomputed, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    return bool(recorded == recomputed)
