"""Judges that were kept beside results are taken instead of being trained again.

A result keeps its judges (``<results>/<dataset>/<run>/judge`` and ``judges/<name>``), so that
anyone can recompute it.  They are the models that a later run with the same evaluators would train:
half of all training time.  Planners' models are not kept.
"""

import logging
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

from influpath.errors import InfluPathError
from influpath.experiments.training_jobs import TrainingJob
from influpath.recommenders.model_files import ABOUT, WEIGHTS, read_model
from influpath.registry import recommender_class

logger = logging.getLogger("influpath")

PLACES = ("*/*/judge", "*/*/judges/*")


def take_kept(jobs: Iterable[TrainingJob], results: Path, fingerprint: str) -> list[TrainingJob]:
    """Copy kept judges to where their trainings would leave them; return the jobs that are done so.

    Args:
        jobs: Trainings; only those stored in half precision can have been kept.
        results: Folder of all results.
        fingerprint: That of the training data.
    """
    found = find_kept([job for job in jobs if not job.done], results, fingerprint)
    for job, folder in found:
        copy_model(folder, job.directory)
        logger.info("%s: taken from %s", job.label, folder)
    return [job for job, _ in found]


def find_kept(
    jobs: Iterable[TrainingJob], results: Path, fingerprint: str
) -> list[tuple[TrainingJob, Path]]:
    """Return the trainings whose model is kept, and where; see ``take_kept``."""
    wanted = [job for job in jobs if job.half]
    kept = list(kept_models(results, fingerprint)) if wanted else []
    found = []
    for job in wanted:
        settings = every_setting(job.kind, job.settings)
        places = (folder for kind, own, folder in kept if (kind, own) == (job.kind, settings))
        if (place := next(places, None)) is not None:
            found.append((job, place))
    return found


def kept_models(results: Path, fingerprint: str) -> Iterator[tuple[str, dict[str, Any], Path]]:
    """Yield kind, settings and folder of every judge that was trained on the data."""
    for folder in sorted(path for place in PLACES for path in results.glob(place)):
        try:
            model = read_model(folder)
            settings = every_setting(model.kind, model.config)
        except InfluPathError as error:
            # What is damaged can be trained again.
            logger.warning("%s", error)
            continue
        if model.trained_on.fingerprint == fingerprint:
            yield model.kind, settings, folder


def every_setting(kind: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings with all defaults, as JSON has them."""
    return recommender_class(kind).config_class.parse(settings, kind).every_setting()


def copy_model(source: Path, target: Path) -> None:
    """Copy a model folder; what tells that it is there comes last, and whole."""
    target.mkdir(parents=True, exist_ok=True)
    for name in (WEIGHTS, ABOUT):
        temporary = target / f".{uuid4().hex[:8]}-{name}"
        try:
            shutil.copyfile(source / name, temporary)
            temporary.replace(target / name)
        finally:
            temporary.unlink(missing_ok=True)
