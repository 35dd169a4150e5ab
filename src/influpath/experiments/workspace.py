"""Where a run keeps what it has done, so that nothing is done twice.

Every product lies under a name that ends in a hash of its inputs.  A product that exists is used;
changed inputs have another name.  Interrupting a run at any moment loses at most the product at
work.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from influpath.errors import ResultError
from influpath.files import read_json, write_json


class Workspace:
    """A run's folder.

    Args:
        root: Created if missing.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self.root.mkdir(parents=True, exist_ok=True)
        self.seconds: dict[str, float] = {}
        if self._times.exists():
            self.seconds = dict(read_json(self._times, ResultError))

    @property
    def _times(self) -> Path:
        return self.root / "times.json"

    def path(self, stem: str, inputs: Any, suffix: str = "") -> Path:
        """Return the path of a product: ``<root>/<stem>-<hash of inputs><suffix>``."""
        return self.root / f"{stem}-{input_hash(inputs)}{suffix}"

    def json(self, stem: str, inputs: Any, make: Callable[[], Any]) -> Any:
        """Return a JSON product, made only if it is not there."""
        path = self.path(stem, inputs, ".json")
        if not path.exists():
            with self.timed(path.stem):
                write_json(path, make())
        return read_json(path, ResultError)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Record how long the block took, for a stage that was really done."""
        began = time.monotonic()
        yield
        self.record(stage, time.monotonic() - began)

    def record(self, stage: str, seconds: float) -> None:
        """Record a duration."""
        self.seconds[stage] = round(seconds, 1)
        write_json(self._times, self.seconds)


def input_hash(inputs: Any) -> str:
    """Return ten hexadecimal digits that stand for JSON-like inputs."""
    text = json.dumps(inputs, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:10]
