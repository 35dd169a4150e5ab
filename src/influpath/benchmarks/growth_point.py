"""One point of the growth curves, in a process of its own: ``python -m`` this, a JSON argument.

Prints one JSON object: how fast IRN trains or plans at a size, and how much memory that takes.
"""

import gc
import json
import resource
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from influpath.benchmarks.epochs import training_epoch
from influpath.benchmarks.rounds import stopwatch
from influpath.benchmarks.workloads import barely_trained, some_pairs, synthetic_dataset
from influpath.data.dataset import Dataset
from influpath.evaluation.pairs import sample_pairs
from influpath.irn.model import IRN
from influpath.planning.algorithm import plan
from influpath.planning.irn import IRNPlanner

# Two readings, a choice among the best, no look-ahead.
DIALS: dict[str, Any] = {"guidance": 2.0, "floor": 40}
# Users whose items the model that plans is trained on.
TRAINED_USERS = 500


def main(question: dict[str, Any]) -> dict[str, Any]:
    """Measure one point.

    Args:
        question: ``work`` (see ``growth.WORKS``), ``users``, ``items``, ``length``,
            ``batches``, ``pairs``, ``max_length``, ``softmax_sample``, ``seed``, ``threads``.
    """
    clock = stopwatch()
    dataset = synthetic_dataset(
        question["users"], question["items"], question["length"], question["seed"]
    )
    answer: dict[str, Any] = {
        "data_seconds": clock(),
        "interactions": len(dataset.sequences.values),
    }
    l_max = question["length"] + question["max_length"]
    settings = {
        **{"l_max": l_max, "l_min": min(20, l_max // 2), "horizon": question["max_length"]},
        **{"item2vec": False, "seed": question["seed"]},
    }
    if question["softmax_sample"]:
        settings["training"] = {"softmax_sample": question["softmax_sample"]}
    work = planning if question["work"] == "planning" else training
    return {**answer, **work(question, dataset, settings)}


def training(
    question: dict[str, Any], dataset: Dataset, settings: dict[str, Any]
) -> dict[str, Any]:
    """Train on some batches."""
    forget_peak()
    epoch = training_epoch(IRN, settings, dataset, question["batches"] - 1)
    return {"rate": epoch.rate, "peak_gib": peak_gib()}


def planning(
    question: dict[str, Any], dataset: Dataset, settings: dict[str, Any]
) -> dict[str, Any]:
    """Plan for some of the users, in one batch."""
    lengths = dataset.sequences.lengths.copy()
    lengths[TRAINED_USERS:] = 0
    rows = np.arange(len(lengths))
    few = dataset.sequences.slice(rows, np.zeros_like(lengths), lengths)
    planner = IRNPlanner(barely_trained(IRN, dataset.with_sequences(few), settings), **DIALS)
    pairs = some_pairs(
        sample_pairs(dataset, question["seed"], minimum_interactions=1),
        question["pairs"],
        question["seed"],
    )
    gc.collect()
    forget_peak()
    clock = stopwatch()
    plan(planner, pairs, dataset, question["max_length"], batch_size=question["pairs"])
    return {"rate": pairs.height / clock(), "peak_gib": peak_gib()}


def forget_peak() -> None:
    """Let the peak of the memory begin anew, where the system can (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def peak_gib() -> float:
    """Return the most memory that was resident since ``forget_peak``, in GiB."""
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 2**20
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    torch.set_num_threads(asked["threads"])
    sys.stdout.write(json.dumps(main(asked)) + "\n")
