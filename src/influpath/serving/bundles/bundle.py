"""A bundle: one version of everything that the service plans with, in one folder.

bundle.json     what it is, and the SHA-256 of every other file
model/          the planner's model, and how feasible it makes objectives (feasibility.*)
plain/          the plain recommender, for hold-outs and users who opted out
judge/          the independent evaluator whose probabilities the page shows
dataset/        the catalogue and the users' whole histories

Everything is checked when it is read, and nothing is unpickled.
"""

import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from influpath.config import FrozenConfig
from influpath.data.dataset import Dataset
from influpath.errors import ConfigError, DataError, InfluPathError, ModelFileError
from influpath.files import read_json, sha256_file, write_json
from influpath.irn.model import IRN
from influpath.planning.base import Planner
from influpath.planning.direct import DirectPlanner
from influpath.planning.feasibility import ABOUT as FEASIBILITY
from influpath.planning.feasibility import Feasibility
from influpath.planning.model_planner import ModelPlanner
from influpath.planning.parts import PlannerParts
from influpath.recommenders.base import Recommender
from influpath.registry import load_model, make_planner

FORMAT: Literal["influpath-bundle-1"] = "influpath-bundle-1"
ABOUT = "bundle.json"
# Its own checksum there, over everything else in it.
FINGERPRINT = "fingerprint"
MODEL, PLAIN, JUDGE, DATASET = "model", "plain", "judge", "dataset"
# A file inside the bundle; no way leads out of it.
PART = r"^(model|plain|judge|dataset)/[A-Za-z0-9][A-Za-z0-9._-]*$"
# Planners that every bundle offers beside its own, on the plain recommender.
OTHERS = ("vanilla", "rec2inf", "lookahead", "ipg")
# For a planner whose model sets no bound.
LONGEST = 200

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
PartName = Annotated[str, Field(pattern=PART)]


class BundleAbout(FrozenConfig):
    """What ``bundle.json`` says.

    Attributes:
        format: Of the folder.
        influpath: Version of the package that wrote it.
        planner: Label of the planner that campaigns use.
        dials: Settings of planners by label, where not the defaults.
        files: SHA-256 of every other file.
    """

    format: Literal["influpath-bundle-1"] = FORMAT
    influpath: str
    planner: str
    dials: dict[str, dict[str, Any]]
    files: dict[PartName, Digest]

    @property
    def fingerprint(self) -> str:
        """SHA-256 that stands for all of the bundle."""
        return fingerprint_of(self.model_dump(mode="json"))


@dataclass(frozen=True, eq=False)
class Bundle:
    """One version of everything that the service plans with.

    Attributes:
        label: Of the planner that campaigns use.
        model: What it stands on.
        plain: The plain recommender.
        judge: The independent evaluator.
        dataset: The catalogue, and the users' whole histories.
        feasibility: Calibrated for the model, or None.
        dials: Settings of planners by label, where not the defaults.
        fingerprint: Of the files; empty before they are written.
    """

    label: str
    model: Recommender
    plain: Recommender
    judge: Recommender
    dataset: Dataset
    feasibility: Feasibility | None
    dials: Mapping[str, Mapping[str, Any]]
    fingerprint: str = ""

    def __post_init__(self) -> None:
        for part, model in ((MODEL, self.model), (PLAIN, self.plain), (JUDGE, self.judge)):
            if model.items != self.dataset.items:
                raise ModelFileError(
                    f"the {part} {model.name!r} of the bundle knows other items than its dataset "
                    f"{self.dataset.name}; publish it anew from one run."
                )
        if self.feasibility is not None:
            self.feasibility.check(self.model)

    @cached_property
    def planners(self) -> Mapping[str, Planner]:
        """The planners by the names that people choose by; the first is the campaigns' own.

        Raises:
            ConfigError: Its own planner cannot be made of what is here.
        """
        own = make_planner(self.label, self._parts, self.dials.get(self.label))
        if not isinstance(own, ModelPlanner) or own.model is not self.model:
            raise ConfigError(
                f"planner {self.label!r} does not stand on the bundle's model, {self.model.name}."
            )
        planners: dict[str, Planner] = {self.label: own}
        for kind in OTHERS:
            label = f"{kind}/{self.plain.name}"
            if label != self.label:
                try:
                    planners[kind] = make_planner(label, self._parts, self.dials.get(label))
                except ConfigError:
                    # Not every recommender has the vectors that some of them need.
                    continue
        return {**planners, "direct": DirectPlanner(self.dataset.items)}

    @property
    def planner(self) -> ModelPlanner[Any]:
        """The planner that campaigns use."""
        own = self.planners[self.label]
        assert isinstance(own, ModelPlanner), "checked where it was made"
        return own

    @property
    def longest(self) -> int:
        """The greatest horizon that it can plan."""
        if isinstance(self.model, IRN) and self.model.config.aligned:
            return self.model.config.horizon
        return LONGEST

    @property
    def _parts(self) -> PlannerParts:
        models = {self.plain.name: self.plain, self.model.name: self.model}
        return PlannerParts(models, self.dataset)

    def save(self, directory: Path) -> None:
        """Write the bundle to a folder that is not there yet; ``bundle.json`` comes last."""
        for part, model in ((MODEL, self.model), (PLAIN, self.plain), (JUDGE, self.judge)):
            model.save(directory / part)
        if self.feasibility is not None:
            self.feasibility.save(directory / MODEL)
        self.dataset.save(directory / DATASET)
        files = sorted(path for path in directory.rglob("*") if path.is_file())
        about = BundleAbout(
            influpath=importlib.metadata.version("influpath"),
            planner=self.label,
            dials={label: dict(dials) for label, dials in self.dials.items()},
            files={path.relative_to(directory).as_posix(): sha256_file(path) for path in files},
        )
        content = {**about.model_dump(mode="json"), FINGERPRINT: about.fingerprint}
        write_json(directory / ABOUT, content)

    @classmethod
    def load(cls, directory: Path) -> "Bundle":
        """Read and check a bundle.

        Raises:
            ModelFileError: It is missing, damaged, or of another version.
        """
        about = read_about(directory)
        check_files(directory, about)
        calibrated = f"{MODEL}/{FEASIBILITY}" in about.files
        try:
            bundle = cls(
                label=about.planner,
                model=load_model(directory / MODEL),
                plain=load_model(directory / PLAIN),
                judge=load_model(directory / JUDGE),
                dataset=Dataset.load(directory / DATASET),
                feasibility=Feasibility.load(directory / MODEL) if calibrated else None,
                dials=about.dials,
                fingerprint=about.fingerprint,
            )
            bundle.planners  # noqa: B018 - a planner that cannot be made shows here
        except (ConfigError, DataError) as cause:
            raise ModelFileError(f"{directory}: the bundle cannot be used: {cause}") from None
        return bundle


def fingerprint_of(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of what ``bundle.json`` says, and so of all that it vouches for."""
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def read_about(directory: Path) -> BundleAbout:
    """Read what a bundle says of itself.

    Raises:
        ModelFileError: There is none, or it is damaged.
    """
    path = directory / ABOUT
    if not path.is_file():
        raise ModelFileError(f"{directory}: is not a bundle ({ABOUT} is missing).")
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ModelFileError(f"{directory}: was not written by this version of influpath.")
    if content.pop(FINGERPRINT, None) != fingerprint_of(content):
        raise ModelFileError(f"{path}: does not fit its own checksum; publish or copy it again.")
    try:
        return BundleAbout.parse(content, str(path))
    except InfluPathError as cause:
        raise ModelFileError(f"{cause} The bundle is damaged; publish it anew.") from None


def check_files(directory: Path, about: BundleAbout) -> None:
    """Check every file of a bundle against its checksum.

    Raises:
        ModelFileError: One is missing or is another than it was.
    """
    for name, digest in about.files.items():
        path = directory / name
        if not path.is_file():
            raise ModelFileError(f"{path}: no such file; the bundle is incomplete, copy it again.")
        if sha256_file(path) != digest:
            raise ModelFileError(
                f"{path}: does not fit the checksum in {ABOUT}; the bundle is damaged, publish or "
                "copy it again."
            )
