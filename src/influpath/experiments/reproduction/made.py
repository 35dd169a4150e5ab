"""Results that are there: what the page and the report are made from."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from influpath.errors import ResultError
from influpath.experiments.reproduction.recipe import Recipe
from influpath.experiments.reproduction.recipes import RECIPES
from influpath.experiments.reproduction.stages import FORMAT, is_of_now
from influpath.files import read_json

logger = logging.getLogger("influpath")

DATASETS = {"ml-1m": "MovieLens-1M", "lastfm": "Last.fm"}


@dataclass(frozen=True)
class Made:
    """A result that is there.

    Attributes:
        recipe: What made it.
        document: The result file's content.
        path: The result file.
    """

    recipe: Recipe
    document: Mapping[str, Any]
    path: Path

    @property
    def figure(self) -> Path | None:
        """The figure as SVG, if there is one."""
        path = self.path.with_name(f"{self.recipe.figure_name}.svg")
        return path if path.is_file() else None

    @property
    def where(self) -> str:
        """Dataset and preset, for people."""
        return where(self.document["dataset"], self.document["preset"])


def where(dataset: str, preset: str) -> str:
    """Return dataset and preset, for people."""
    return f"{DATASETS.get(dataset, Path(dataset).stem)}, preset `{preset}`"


def made_in(folder: Path) -> list[Made]:
    """Return the results in a dataset's and preset's folder, in the paper's order.

    Raises:
        ResultError: A result file is damaged.
    """
    found = []
    for recipe in RECIPES:
        path = folder / f"{recipe.name}.json"
        if path.is_file():
            document = read_json(path, ResultError)
            if not isinstance(document, dict) or document.get("format") != FORMAT:
                raise ResultError(
                    f"{path}: is no result of this version of influpath; remove it and make it "
                    "anew."
                )
            if is_of_now(recipe, document):
                found.append(Made(recipe, document, path))
            else:
                logger.warning(
                    "%s: was made by an earlier version and is left out; make it anew", path
                )
    return found


def sections_of(made: Sequence[Made]) -> list[Made]:
    """Return what has a section each: results that share one become one."""
    shared: dict[str, list[Made]] = {}
    for one in made:
        shared.setdefault(one.recipe.figure_name, []).append(one)
    return [
        Made(own[0].recipe, own[0].recipe.merged([one.document for one in own]), own[0].path)
        for own in shared.values()
    ]


def folders_in(results: Path) -> list[Path]:
    """Return the folders ``<dataset>/<preset>`` that hold results."""
    return sorted(
        {file.parent for recipe in RECIPES for file in results.glob(f"*/*/{recipe.name}.json")}
    )
