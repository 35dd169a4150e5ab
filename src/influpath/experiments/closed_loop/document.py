"""The result files of the closed loop: what stands around what each of them found."""

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from influpath.environment import hardware, versions
from influpath.experiments.run import Run
from influpath.files import write_json

logger = logging.getLogger("influpath")


def write_document(
    path: Path, layout: str, run: Run, found: Mapping[str, Any], began: float
) -> dict[str, Any]:
    """Write a result and return it.

    Args:
        path: The file.
        layout: The name of the format.
        run: What was simulated on.
        found: The result itself.
        began: When the work began, by ``time.monotonic``.
    """
    document = {
        "format": layout,
        "name": run.config.name,
        "seed": run.config.seed,
        **found,
        "evaluators": {model.name: round(model.history["best"], 6) for model in run.evaluators},
        "versions": versions(),
        "hardware": hardware(),
        "seconds": round(time.monotonic() - began, 1),
    }
    write_json(path, document)
    logger.info("result: %s", path)
    return document
