"""What a recipe is: one table or figure, from the bench to a result, a drawing and words."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from matplotlib.figure import Figure

from influpath.experiments.dial_choice import REC2INF, VANILLA
from influpath.experiments.reproduction.bench import Bench
from influpath.experiments.reproduction.config import CORE, ReproductionConfig
from influpath.experiments.run import planner_settings
from influpath.experiments.training_jobs import TrainingJob
from influpath.registry import recommender_class


class Recipe(ABC):
    """One table or figure.

    Attributes:
        name: File name of its results, such as "table-3".
        title: What it shows, for people.
        group: "core", or the recipe's own name where it has a budget of its own and is made only
            when asked for.
        version: Raised when what is computed changes, which makes earlier results stale.
        seeded: Whether its result depends on the models' seeds.
        part_of: Name of the section and figure that it shares with others; "" has its own.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    group: ClassVar[str] = CORE
    version: ClassVar[int] = 1
    seeded: ClassVar[bool] = True
    part_of: ClassVar[str] = ""

    @property
    def figure_name(self) -> str:
        """Name of the files of its figure."""
        return self.part_of or self.name

    @property
    def heading(self) -> str:
        """Title of the section that it stands in."""
        return self.title

    @abstractmethod
    def settings(self, config: ReproductionConfig) -> dict[str, Any]:
        """Return all of the configuration that the result depends on."""

    def available(self, config: ReproductionConfig) -> bool:
        """Return whether the configuration has what the recipe is about."""
        return True

    def jobs(self, bench: Bench) -> list[TrainingJob]:
        """Return the models it needs; by default none."""
        return []

    @abstractmethod
    def compute(self, bench: Bench) -> dict[str, Any]:
        """Return the result, as JSON has it (None for an undefined number)."""

    def draw(self, document: Mapping[str, Any]) -> Figure | None:
        """Draw the result document with the project's style in force; None for a table."""
        return None

    def headline(self, document: Mapping[str, Any]) -> str:
        """Return what belongs at the top of the page, as an item of a list; by default none."""
        return ""

    def merged(self, documents: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """Return the document of a section from those of its parts; there is one where alone."""
        return documents[0]

    @abstractmethod
    def words(self, document: Mapping[str, Any]) -> str:
        """Return the result as Markdown: a table beside the paper's figures, what agrees or not."""


def pair_settings(config: ReproductionConfig) -> dict[str, Any]:
    """Return what decides data, pairs, and intervals."""
    values = config.model_dump(mode="json")
    return {key: values[key] for key in ("data", "pairs", "pair_share", "max_length", "seed")}


def path_settings(config: ReproductionConfig, *planners: str) -> dict[str, Any]:
    """Return what decides paths of these planners and what the headline judge says of them.

    Defaults are spelled out: one that changes makes other results.

    Args:
        config: The configuration.
        planners: Labels; their models' settings, dials and, for IRN, the grid and the yardsticks
            that its dials are chosen by.
    """
    dials = {label: config.planner_dials.get(label, {}) for label in planners}
    if "irn" in planners:
        dials |= {label: config.planner_dials.get(label, {}) for label in (VANILLA, REC2INF)}
    names = {label.partition("/")[2] or label for label in dials}
    return {
        **pair_settings(config),
        "evaluators": {name: model_settings(name, own) for name, own in config.evaluators.items()},
        "half": config.half,
        "models": {
            name: model_settings(name, config.models[name])
            for name in sorted(names)
            if name in config.models
        },
        "planner_dials": {
            label: planner_settings(label, own) for label, own in sorted(dials.items())
        },
        "planners": list(planners),
        "dials": config.dials.model_dump(mode="json") if "irn" in planners else None,
    }


def model_settings(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Return a recommender's settings with all defaults, as JSON has them."""
    return recommender_class(name).config_class.parse(settings, name).model_dump(mode="json")


def table_settings(config: ReproductionConfig) -> dict[str, Any]:
    """Return what decides the paths of all planners of the configuration, and on which pairs."""
    return {
        **path_settings(config, *config.planners),
        "subset_planners": list(config.subset_planners),
    }


def evaluator_jobs(bench: Bench) -> list[TrainingJob]:
    """Return the training of every evaluator."""
    return [bench.job("evaluator", name) for name in bench.config.evaluators]


def planner_jobs(bench: Bench, planners: Sequence[str]) -> list[TrainingJob]:
    """Return the training of every evaluator and of the models that planners need."""
    names = [label.partition("/")[2] or label for label in planners]
    if "irn" in names:
        names.append("sasrec")
    models = [name for name in dict.fromkeys(names) if name in bench.config.models]
    return evaluator_jobs(bench) + [bench.job("model", name) for name in models]
