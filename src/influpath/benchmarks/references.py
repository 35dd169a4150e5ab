"""RecTools and RecBole as references, each a process in a virtual environment of its own.

``benchmarks/`` of the repository holds the programs; ``make bench-envs`` sets the environments up.
Without them the comparisons are left out, and the result says so.
"""

import json
import logging
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from influpath.data.dataset import Dataset
from influpath.errors import InfluPathError

logger = logging.getLogger("influpath.bench")

LIBRARIES = ("rectools", "recbole")


class ReferenceError(InfluPathError):
    """A reference library could not be measured."""


@dataclass
class Reference:
    """A library that waits for questions (see ``benchmarks/protocol.py``).

    Attributes:
        name: "rectools" or "recbole".
        process: Its process.
        log: Where it writes what it has to say.
        versions: Of the library and of its torch.
    """

    name: str
    process: "subprocess.Popen[str]"
    log: Path
    versions: dict[str, str]

    def ask(self, **question: Any) -> dict[str, Any]:
        """Return the answer to a question.

        Raises:
            ReferenceError: The library failed.
        """
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        answer = self.read()
        if "error" in answer:
            raise ReferenceError(f"{self.name}: {answer['error']}; its log is {self.log}.")
        return answer

    def read(self) -> dict[str, Any]:
        """Return the next answer.

        Raises:
            ReferenceError: The process ended.
        """
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise ReferenceError(f"{self.name}: ended without an answer; its log is {self.log}.")
        return dict(json.loads(line))

    def rate(self, model: str, batches: int, size: Mapping[str, Any], seed: int) -> float:
        """Return the supervised targets per second of some training batches."""
        answer = self.ask(do="train", model=model, batches=batches, size=size, seed=seed)
        return float(answer["targets"]) / float(answer["seconds"])

    def close(self) -> None:
        """End the process."""
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def missing(folder: Path) -> dict[str, str]:
    """Return why a library cannot be asked, by library, for those that cannot."""
    return {
        name: f"{name} is not set up in {folder / 'envs'} (make bench-envs)"
        for name in LIBRARIES
        if not python_of(folder, name).exists() or not (folder / f"{name}_server.py").exists()
    }


def python_of(folder: Path, name: str) -> Path:
    """Return the interpreter of a library's environment."""
    return folder / "envs" / name / "bin" / "python"


@contextmanager
def references(folder: Path, train: Dataset, work: Path) -> Iterator[dict[str, Reference]]:
    """Start the libraries that are there, and end them after the block.

    Args:
        folder: ``benchmarks/`` of the repository.
        train: What they train on; items are given by number and users by row.
        work: A folder for their files.
    """
    absent = missing(folder)
    with ExitStack() as stack:
        started = {}
        for name in LIBRARIES:
            if name in absent:
                logger.info("%s; comparisons with it are left out.", absent[name])
                continue
            try:
                started[name] = start(name, folder, train, work / name)
            except ReferenceError as error:
                logger.warning("%s", error)
                continue
            stack.callback(started[name].close)
        yield started


def start(name: str, folder: Path, train: Dataset, work: Path) -> Reference:
    """Start one library on the data.

    Raises:
        ReferenceError: It does not start.
    """
    work = work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    np.savez(work / "log.npz", users=train.sequences.row_of_value, items=train.sequences.values)
    log = work / "log.txt"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment |= {"OMP_NUM_THREADS": str(torch.get_num_threads()), "OMP_WAIT_POLICY": "PASSIVE"}
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [python_of(folder, name).absolute(), (folder / f"{name}_server.py").resolve(), work],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=work,
            env=environment,
        )
    reference = Reference(name, process, log, {})
    try:
        reference.versions = reference.read()["versions"]
    except BaseException:
        reference.close()
        raise
    return reference
