"""Part ``growth``: time and peak memory as users, items or histories grow.

Every point is trained and planned in a fresh process each, on a synthetic log.
"""

import json
import logging
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from influpath.benchmarks.config import BenchConfig
from influpath.benchmarks.rounds import matrix_peaks, rounded, stopwatch
from influpath.training.progress import clock as spoken

logger = logging.getLogger("influpath.bench")

# Over the items only.
SAMPLED = "training, sampled softmax"
WORKS = {"training": "targets/s", "planning": "paths/s", SAMPLED: "targets/s"}
# No point takes that long unless the machine is out of memory.
TIMEOUT = 900
MILLION = 1_000_000


def measure_growth(config: BenchConfig) -> dict[str, Any]:
    """Return a row per point and kind of work, exponents, and the memory at a million items.

    An exponent of 1 says that time (per target or path) or memory grows as its axis does, 0 that
    it does not grow.
    """
    before = matrix_peaks(config.matrix_size)
    rows: list[dict[str, Any]] = []
    for axis, size, point in points(config):
        for work, unit in WORKS.items():
            if work == SAMPLED and axis != "items":
                continue
            clock = stopwatch()
            answer = measure_point({**point, "work": work}, config)
            logger.info(
                "growth: %s at %s %s: %s (took %s)",
                work,
                f"{size:,}",
                axis,
                answer.get("error")
                or f"{answer['rate']:,.4g} {unit}, {answer['peak_gib']:.2f} GiB",
                spoken(clock()),
            )
            first = next((r for r in rows if (r["axis"], r["work"]) == (axis, work)), None)
            rows.append(
                {
                    **{"axis": axis, "size": size, "work": work, "unit": unit},
                    "value": rounded(answer.get("rate")),
                    "reference": None if first is None else f"{first['size']:,} {axis}",
                    "ratio": None
                    if first is None or not first["value"] or "rate" not in answer
                    else rounded(answer["rate"] / first["value"]),
                    "peak_gib": rounded(answer.get("peak_gib")),
                    "error": answer.get("error"),
                    **{"users": point["users"], "items": point["items"]},
                    "length": point["length"],
                }
            )
    million = {
        row["work"]: row["peak_gib"]
        for row in rows
        if (row["axis"], row["size"]) == ("items", MILLION) and row["peak_gib"] is not None
    }
    return {
        "rows": rows,
        "exponents": exponents(rows),
        "peak_gib": {
            "items_1e6": max(million.values(), default=None),
            **{f"items_1e6_{key(work)}": peak for work, peak in million.items()},
        },
        "peak": {kind: round(rate / 1e9, 1) for kind, rate in before.items()},
    }


def points(config: BenchConfig) -> Iterator[tuple[str, int, dict[str, int]]]:
    """Yield axis, size and the sizes of the log."""
    growth = config.growth
    base = {"users": growth.base_users, "items": growth.base_items, "length": growth.base_length}
    axes = {"users": growth.users, "items": growth.items, "length": growth.lengths}
    for axis, sizes in axes.items():
        for size in sizes:
            yield axis, size, {**base, axis: size}


def measure_point(point: dict[str, Any], config: BenchConfig) -> dict[str, Any]:
    """Return what the process of one point says, or ``error``."""
    growth = config.growth
    question = {
        **point,
        "batches": max(2, min(growth.batches, growth.work // point["items"])),
        "pairs": growth.pairs,
        **{"max_length": config.max_length, "seed": config.seed},
        "softmax_sample": growth.softmax_sample if point["work"] == SAMPLED else 0,
        "threads": torch.get_num_threads(),
    }
    command = [sys.executable, "-m", "influpath.benchmarks.growth_point", json.dumps(question)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            timeout=TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"not done after {TIMEOUT} s"}
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"status {done.returncode}"]
        return {"error": last[0]}
    return dict(json.loads(done.stdout))


def exponents(rows: list[dict[str, Any]]) -> dict[str, float | None]:
    """Return the slopes of the log-log curves, such as ``planning_time_items``."""
    slopes: dict[str, float | None] = {}
    for axis in dict.fromkeys(row["axis"] for row in rows):
        for work in WORKS:
            own = [r for r in rows if (r["axis"], r["work"]) == (axis, work) and r["value"]]
            sizes = [math.log(row["size"]) for row in own]
            if not own:
                continue
            slopes[f"{key(work)}_time_{axis}"] = slope(
                sizes, [-math.log(row["value"]) for row in own]
            )
            slopes[f"{key(work)}_memory_{axis}"] = slope(
                sizes, [math.log(row["peak_gib"]) for row in own]
            )
    return slopes


def key(work: str) -> str:
    """Return a kind of work as a part of a key."""
    return "sampled_training" if work == SAMPLED else work


def slope(x: list[float], y: list[float]) -> float | None:
    """Return the slope of the least-squares line; None for fewer than two points."""
    return round(float(np.polyfit(x, y, 1)[0]), 2) if len(x) > 1 else None
