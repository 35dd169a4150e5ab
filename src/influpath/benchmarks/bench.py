"""A whole run: parts measured one after the other, each written as it comes, none done twice."""

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import torch

import influpath
from influpath.benchmarks.config import PARTS, BenchConfig
from influpath.benchmarks.growth import measure_growth
from influpath.benchmarks.judging import measure_judging
from influpath.benchmarks.planning import measure_planning
from influpath.benchmarks.reach import measure_reach
from influpath.benchmarks.references import missing
from influpath.benchmarks.rounds import stopwatch
from influpath.benchmarks.serving import measure_serving
from influpath.benchmarks.start import measure_start
from influpath.benchmarks.training import measure_training
from influpath.data.dataset import Dataset
from influpath.data.splits import Split, leave_last_out
from influpath.environment import hardware, versions
from influpath.errors import InfluPathError, ResultError
from influpath.evaluation.pairs import sample_pairs
from influpath.files import read_json, write_json
from influpath.training.progress import clock as spoken

logger = logging.getLogger("influpath.bench")

FORMAT = "influpath-bench-1"
# What parts say that is put together for the whole run.
GATHERED = ("ratios", "minutes", "peak_gib", "seconds", "exponents")
# HR@10 of 0.25 means something on this data only.
REACH_DATA = "ml-1m"


@dataclass(frozen=True, eq=False)
class Bench:
    """A run of ``influpath bench``.

    Attributes:
        config: The settings.
        dataset: What is trained on.
        out: The result file; parts that it has for the same inputs are kept.
        folder: ``benchmarks/`` of the repository, where the reference libraries are.
    """

    config: BenchConfig
    dataset: Dataset
    out: Path
    folder: Path

    def run(self, parts: Sequence[str], again: bool = False) -> dict[str, Any]:
        """Measure parts and return the whole document.

        Args:
            parts: Names of parts, in the order of a run.
            again: Measure also those that are there for the same inputs.

        Raises:
            ResultError: The result file is damaged or something else.
        """
        document = self.before()
        for name in parts:
            inputs = self.inputs(name)
            done = document["parts"].get(name, {})
            if done.get("inputs") == inputs and "skipped" not in done and not again:
                logger.info("%s: measured before, kept", name)
                continue
            logger.info("%s: measuring", name)
            clock = stopwatch()
            try:
                with TemporaryDirectory(prefix="influpath-bench-") as work:
                    result = self.measure(name, Path(work))
            except InfluPathError as cause:
                logger.warning("%s: left out: %s", name, cause)
                result = {"skipped": str(cause)}
            seconds = round(clock(), 1)
            logger.info("%s: took %s", name, spoken(seconds))
            measured = {**document["parts"]}
            measured[name] = {"inputs": inputs, "took_seconds": seconds, **result}
            ordered = {part: measured[part] for part in PARTS if part in measured}
            document = {**document, **gathered(ordered), "parts": ordered}
            write_json(self.out, document)
        return document

    def before(self) -> dict[str, Any]:
        """Return the document with the parts that an earlier run measured."""
        parts: dict[str, Any] = {}
        if self.out.exists():
            earlier = read_json(self.out, ResultError)
            if not isinstance(earlier, dict) or earlier.get("format") != FORMAT:
                raise ResultError(f"{self.out}: is no result of influpath bench; name another one.")
            parts = earlier["parts"]
        return {
            "format": FORMAT,
            "data": {"name": self.dataset.name, **self.dataset.stats()},
            "environment": {**hardware(), "threads": torch.get_num_threads()},
            "versions": versions(),
            "config": self.config.model_dump(mode="json"),
            **gathered(parts),
            "parts": parts,
        }

    def inputs(self, name: str) -> str:
        """Return what a part's figures depend on, as a hash."""
        values = {
            "part": name,
            "config": self.config.model_dump(mode="json"),
            "data": self.dataset.fingerprint,
            "versions": versions(),
            "machine": {**hardware(), "threads": torch.get_num_threads()},
            "code": code(),
            "missing": sorted(missing(self.folder)),
        }
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]

    def measure(self, name: str, work: Path) -> dict[str, Any]:
        """Measure one part.

        Args:
            name: Its name.
            work: A folder for its files.
        """
        config, train = self.config, self.split.train
        measures: dict[str, Callable[[], dict[str, Any]]] = {
            "training": lambda: measure_training(config, train, self.folder, work),
            "planning": lambda: measure_planning(config, train, self.pairs),
            "judging": lambda: measure_judging(config, train, self.pairs),
            "start": lambda: measure_start(config, train, self.pairs, work),
            "growth": lambda: measure_growth(config),
            "reach": lambda: self.reach(work),
            "serving": lambda: measure_serving(config, self.dataset, work),
        }
        return measures[name]()

    def reach(self, work: Path) -> dict[str, Any]:
        """Measure the time to HR@10 where that has a meaning.

        Raises:
            ResultError: It has none on this data.
        """
        if self.dataset.name != REACH_DATA:
            raise ResultError(
                f"HR@10 of {self.config.reach_hr} is a goal for {REACH_DATA}, and the data is "
                f"{self.dataset.name}."
            )
        return measure_reach(self.config, self.split, self.folder, work)

    @cached_property
    def split(self) -> Split:
        """The data without each user's last item, and these items."""
        return leave_last_out(self.dataset)

    @cached_property
    def pairs(self) -> pl.DataFrame:
        """One pair per user."""
        return sample_pairs(self.dataset, self.config.seed)


def gathered(parts: dict[str, Any]) -> dict[str, Any]:
    """Return ratios, minutes and the like of all parts together."""
    return {
        key: {
            name: value
            for part in parts.values()
            for name, value in part.get(key, {}).items()
            if value is not None
        }
        for key in GATHERED
    }


def code() -> str:
    """Return a hash of the package's source: figures of other code are other figures."""
    root = Path(influpath.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(p for p in root.rglob("*") if p.suffix in (".py", ".c", ".h")):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
