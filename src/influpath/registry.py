"""Recommenders and planners by name, found by entry point: in tree or in another package."""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeVar

from influpath.errors import ConfigError
from influpath.planning.base import Planner
from influpath.planning.parts import PlannerParts
from influpath.recommenders.base import Recommender
from influpath.recommenders.model_files import read_model

Base = TypeVar("Base")

RECOMMENDERS, PLANNERS = "influpath.recommenders", "influpath.planners"


def names(group: str) -> list[str]:
    """Return the names registered in a group."""
    return sorted({point.name for point in entry_points(group=group)})


def recommender_class(name: str) -> type[Recommender]:
    """Return the class of a recommender.

    Raises:
        ConfigError: No such recommender is installed.
    """
    return find_class(RECOMMENDERS, Recommender, name)


def planner_class(name: str) -> type[Planner]:
    """Return the class of a planner ("rec2inf" of "rec2inf/sasrec").

    Raises:
        ConfigError: No such planner is installed.
    """
    return find_class(PLANNERS, Planner, name)


def make_planner(
    label: str, parts: PlannerParts, dials: Mapping[str, Any] | None = None
) -> Planner:
    """Build a planner from its label.

    Args:
        label: ``irn``, ``vanilla/sasrec``, ``rec2inf/sasrec``, ``dijkstra``, ``oracle``, ...
        parts: Models, training data and judge to build it from.
        dials: Settings of the planner.

    Raises:
        ConfigError: The planner or its model is unknown, or a dial is wrong.
    """
    kind, _, model_name = label.partition("/")
    return planner_class(kind).build(parts, model_name or None, dials or {})


def load_model(directory: str | Path) -> Recommender:
    """Read a model folder of any kind.

    Raises:
        ModelFileError: The folder is missing or damaged.
        ConfigError: Its kind is not installed.
    """
    content = read_model(directory)
    return recommender_class(content.kind).from_file(content, directory)


@cache  # Scanning the installed packages takes tens of milliseconds.
def find_class(group: str, base: type[Base], name: str) -> type[Base]:
    """Return a registered class by name, or say which names there are."""
    what = base.__name__.lower()
    for point in entry_points(group=group):
        if point.name == name:
            loaded = point.load()
            if not (isinstance(loaded, type) and issubclass(loaded, base)):
                raise ConfigError(
                    f"the entry point of {what} {name!r} is no {base.__name__} class."
                )
            return loaded
    raise ConfigError(f"{what} {name!r} is not installed; there are: {', '.join(names(group))}.")
