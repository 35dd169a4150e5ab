"""Making a bundle of a run: whatever is missing is trained, chosen and calibrated first."""

import logging
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from influpath.errors import ConfigError
from influpath.experiments.feasibility import FeasibilityStudy
from influpath.experiments.run import Run
from influpath.planning.feasibility import ABOUT as FEASIBILITY
from influpath.planning.feasibility import Feasibility
from influpath.recommenders.base import Recommender
from influpath.serving.bundles.bundle import OTHERS, Bundle
from influpath.serving.bundles.names import check_name

logger = logging.getLogger("influpath")


def bundle_of(run: Run, label: str = "irn", calibrated: bool = True) -> Bundle:
    """Return what a run comes to, as a bundle.

    Args:
        run: The run; what it has not done is done.
        label: The planner that campaigns are to use; it stands on a model of the run.
        calibrated: Whether to say how feasible objectives are.

    Raises:
        ConfigError: The planner stands on no model of the run.
    """
    run.train()
    study = FeasibilityStudy(run, label)
    planner = study.planner
    plain = plain_model(run)
    labels = {label, *(f"{kind}/{plain.name}" for kind in OTHERS)}
    dials: dict[str, dict[str, Any]] = {
        each: dict(given) for each, given in run.config.planner_dials.items() if each in labels
    }
    dials[label] = planner.config.model_dump(mode="json", exclude_none=True)
    logger.info("plain recommender: %s; judge: %s", plain.name, run.judge.name)
    return Bundle(
        label=label,
        model=planner.model,
        plain=plain,
        judge=run.judge,
        # The whole histories: what is known of users, the last items included.
        dataset=run.dataset,
        feasibility=feasibility_of(study) if calibrated else None,
        dials=dials,
    )


def plain_model(run: Run) -> Recommender:
    """Return the model of the run's vanilla planner.

    Raises:
        ConfigError: The run has none.
    """
    for label in run.config.planners:
        kind, _, name = label.partition("/")
        if kind == "vanilla" and name in run.models:
            return run.models[name]
    raise ConfigError(
        f"run {run.config.name}: has no planner vanilla/..., whose model is the plain recommender; "
        "add one to its planners."
    )


def feasibility_of(study: FeasibilityStudy) -> Feasibility:
    """Return how feasible the planner makes objectives: what was fitted before, or a new fit.

    Raises:
        ConfigError: It cannot be fitted; says what else to do.
    """
    if (study.folder / FEASIBILITY).is_file():
        found = Feasibility.load(study.folder)
        meant, planner = found.calibrated_to, study.planner
        dials = planner.config.model_dump(mode="json", exclude_none=True)
        length = study.run.config.max_length
        if (meant.planner, meant.dials, meant.max_length) == (planner.label, dials, length):
            return found
        logger.info("the feasibility in %s is of other dials", study.folder)
    logger.info("calibrating feasibility")
    try:
        fitted = study.fitted
    except ConfigError as cause:
        raise ConfigError(
            f"{cause} Or publish without (--no-feasibility): then nobody is spared a hopeless "
            "journey."
        ) from None
    fitted.save(study.folder)
    return fitted


def publish(bundle: Bundle, bundles: Path, tenant: str, version: str) -> Path:
    """Write a bundle as a version; it is there as a whole or not at all.

    Args:
        bundle: What to write.
        bundles: The folder of bundles.
        tenant: Whose.
        version: Its name, which is new.

    Returns:
        The bundle's folder.

    Raises:
        ConfigError: A name is none, or the version is there already.
    """
    target = new_folder(bundles, tenant, version)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.parent / f".{version}-{uuid4().hex[:8]}"
    try:
        bundle.save(temporary)
        # Read back once: what cannot be read must not count as published.
        Bundle.load(temporary)
        move(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def new_folder(bundles: Path, tenant: str, version: str) -> Path:
    """Return the folder of a version that is not there yet; see ``publish``."""
    target = bundles / check_name(tenant, "tenant") / check_name(version, "version")
    if target.exists():
        raise ConfigError(f"{target}: is there already; a version never changes, take a new name.")
    return target


def move(temporary: Path, target: Path) -> None:
    """Give a folder its name.

    Raises:
        ConfigError: Somebody else was faster.
    """
    try:
        temporary.rename(target)
    except OSError:
        if target.exists():
            raise ConfigError(f"{target}: was published by somebody else meanwhile.") from None
        raise
    # The name is to outlast a loss of power, too; not every system can say so.
    with suppress(OSError):
        number = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
