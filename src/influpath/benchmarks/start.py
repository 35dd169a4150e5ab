"""Part ``start``: how long it takes until something happens.

Every command is a fresh process; its files are in the system's cache, as on a second call.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import torch

from influpath.benchmarks.config import BenchConfig
from influpath.benchmarks.references import ReferenceError
from influpath.benchmarks.rounds import Measure, measure_rounds, stopwatch
from influpath.benchmarks.training import NO_ITEM2VEC
from influpath.benchmarks.workloads import barely_trained
from influpath.data.dataset import Dataset
from influpath.irn.model import IRN

COMMAND = "import sys; from influpath.cli.main import main; sys.argv[0] = 'influpath'; main()"


def measure_start(
    config: BenchConfig, train: Dataset, pairs: pl.DataFrame, work: Path
) -> dict[str, Any]:
    """Return the part's rows and ratios, and seconds by command.

    Args:
        config: Sizes, rounds.
        train: Users and items of the model that ``influpath plan`` loads.
        pairs: The first of them is planned for.
        work: A folder for files.
    """
    model, histories, asked = work / "irn", work / "histories.csv", work / "pairs.csv"
    settings = {**config.paper_irn, **NO_ITEM2VEC, "seed": config.seed}
    barely_trained(IRN, train, settings).save(model)
    pair = pairs[:1]
    row = int(train.rows_of(pair["user_id"])[0])
    items = train.items.decode(train.sequences.row(row))
    pl.DataFrame(
        {"user_id": pair["user_id"].to_list() * len(items), "item_id": items}
    ).with_columns(timestamp=pl.int_range(pl.len())).write_csv(histories)
    pair.select("pair_id", "user_id", "objective_id").write_csv(asked)
    planned = ["plan", "--model", model, "--histories", histories, "--pairs", asked]
    python, torch_only = "python -c pass", "import torch"
    commands: list[tuple[str, list[Any], str | None]] = [
        (python, ["-c", "pass"], None),
        (torch_only, ["-c", torch_only], None),
        ("import influpath", ["-c", "import influpath"], python),
        ("influpath --help", ["-c", COMMAND, "--help"], python),
        (
            "influpath plan",
            ["-c", COMMAND, *planned, "--out", work / "paths.json"],
            torch_only,
        ),
    ]
    measures = [
        Measure(name, "s", starting(arguments), reference=reference)
        for name, arguments, reference in commands
    ]
    for measure in measures:
        measure.run()  # Brings the files into the cache.
    rounds = measure_rounds("start", measures, config.repeats, config.matrix_size)
    rows = rounds.rows(measures)
    seconds = {row["name"]: row["value"] for row in rows}
    return {
        "rows": rows,
        # How many times as long as the reference it takes: here less is better.
        "ratios": {
            "start_import": rounds.ratio("import influpath", python),
            "start_help": rounds.ratio("influpath --help", python),
            "start_plan": rounds.ratio("influpath plan", torch_only),
        },
        "seconds": seconds,
        "peak": rounds.peak(),
    }


def starting(arguments: list[Any]) -> Callable[[], float]:
    """Return what measures a fresh Python process."""
    command = [sys.executable, *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}

    def run() -> float:
        clock = stopwatch()
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        seconds = clock()
        if done.returncode:
            raise ReferenceError(f"{' '.join(command[3:])} failed: {done.stderr.strip()}")
        return seconds

    return run
