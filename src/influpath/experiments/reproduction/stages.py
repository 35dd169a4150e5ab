"""Making recipes: what is there stays, what is missing is trained, computed, written and drawn.

``<results>/<dataset>/<preset>/<recipe>.json`` is enough to skip a recipe: it records a hash of all
that its result depends on.  Results by seed lie in the working folder first, so that further seeds
and killed runs repeat nothing.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from influpath.environment import hardware, versions
from influpath.errors import ResultError
from influpath.experiments.kept_judges import take_kept
from influpath.experiments.reproduction.bench import Bench, training_seconds
from influpath.experiments.reproduction.config import ReproductionConfig
from influpath.experiments.reproduction.recipe import Recipe
from influpath.experiments.reproduction.recipes import sharing
from influpath.experiments.reproduction.spread import spread
from influpath.experiments.saved_figures import save_figures
from influpath.experiments.training_jobs import TrainingJob, longest_first, run_jobs
from influpath.experiments.workspace import input_hash
from influpath.files import read_json, write_json

logger = logging.getLogger("influpath")

FORMAT = "influpath-reproduction-1"


@dataclass
class Stages:
    """The recipes of one dataset and preset, at one or more seeds.

    Attributes:
        config: Settings, the preset and budget applied.
        recipes: What to make, in order.
        results: Folder of all results.
        data_dir: Folder of the real datasets, or None for the environment's.
        root: Folder of the working files.
        seeds: How many seeds.
        budget: Minutes that the configuration was made for, for the record.
        whole: The configuration before it was made smaller for the budget, if it was.
    """

    config: ReproductionConfig
    recipes: Sequence[Recipe]
    results: Path = field(default_factory=lambda: Path("results"))
    data_dir: str | None = None
    root: Path = field(default_factory=lambda: Path("runs"))
    seeds: int = 1
    budget: float | None = None
    whole: ReproductionConfig | None = None

    def __post_init__(self) -> None:
        first = Bench(self.config, self.data_dir, self.root)
        self.benches = [first]
        for number in range(1, self.seeds):
            bench = Bench(self.config.at_seed(number), self.data_dir, self.root)
            bench.workspace, bench.helpers = first.workspace, first.helpers
            # What another judge says is no spread over seeds.
            bench.judged_as = first
            self.benches.append(bench)

    @property
    def folder(self) -> Path:
        """Where the results go."""
        data = self.config.data
        return self.results / Path(data.source).stem / data.preset

    def make(self) -> list[Path]:
        """Make every recipe that is not there yet; return the result files of all."""
        with self.benches[0].helpers:
            return self._make()

    def _make(self) -> list[Path]:
        missing = [recipe for recipe in self.recipes if not self.is_current(recipe)]
        for recipe in self.recipes:
            if recipe not in missing:
                logger.info("%s: there already", recipe.name)
                if not self.figure(recipe, ".png").is_file():
                    self.draw(recipe, read_json(self.path(recipe), ResultError))
        self.train(missing)
        for number, recipe in enumerate(missing, start=1):
            began = time.monotonic()
            logger.info("%s (%d of %d): %s", recipe.name, number, len(missing), recipe.title)
            document = self.document(recipe)
            self.draw(recipe, document)
            write_json(self.path(recipe), document)
            logger.info("%s: done in %.0f s", recipe.name, time.monotonic() - began)
        return [self.path(recipe) for recipe in self.recipes]

    def path(self, recipe: Recipe, suffix: str = ".json") -> Path:
        """Return a recipe's file."""
        return self.folder / f"{recipe.name}{suffix}"

    def figure(self, recipe: Recipe, suffix: str) -> Path:
        """Return a file of a recipe's figure."""
        return self.folder / f"{recipe.figure_name}{suffix}"

    def benches_of(self, recipe: Recipe) -> list[Bench]:
        """Return the benches of the seeds a recipe is made with."""
        return self.benches if recipe.seeded else self.benches[:1]

    def inputs(self, recipe: Recipe, bench: Bench) -> list[Any]:
        """Return all that a recipe's result depends on, at one seed."""
        data = bench.dataset
        return [
            recipe.name,
            recipe.version,
            recipe.settings(bench.config),
            data.fingerprint,
            data.catalogue_fingerprint,
        ]

    def hash_of(self, recipe: Recipe) -> str:
        """Return what stands for the inputs of all seeds."""
        return input_hash([self.inputs(recipe, bench) for bench in self.benches_of(recipe)])

    def is_current(self, recipe: Recipe) -> bool:
        """Return whether a recipe's result is there and made from the same inputs."""
        path = self.path(recipe)
        if not path.is_file():
            return False
        document = read_json(path, ResultError)
        return bool(
            document.get("format") == FORMAT and document.get("inputs") == self.hash_of(recipe)
        )

    def train(self, recipes: Sequence[Recipe]) -> None:
        """Train what the recipes need, several models at a time; those done before are skipped.

        So are judges that an earlier result with the same evaluators has kept.
        """
        jobs: dict[Path, TrainingJob] = {}
        for recipe in recipes:
            for bench in self.benches_of(recipe):
                if not self.made(recipe, bench).exists():
                    jobs |= {job.directory: job for job in recipe.jobs(bench)}
        if any(not job.done for job in jobs.values()):
            # Looking for judges needs the data, which is read only where something is missing.
            take_kept(jobs.values(), self.results, self.benches[0].split.train.fingerprint)
        run_jobs(longest_first(jobs.values()), self.config.workers)

    def made(self, recipe: Recipe, bench: Bench) -> Path:
        """Return where a recipe's result at one seed lies in the working folder."""
        return bench.workspace.path(recipe.name, self.inputs(recipe, bench), ".json")

    def document(self, recipe: Recipe) -> dict[str, Any]:
        """Compute a recipe at every seed and return its result document."""
        benches = self.benches_of(recipe)
        by_seed: list[dict[str, Any]] = []
        seconds: dict[str, float] = {}
        for bench in benches:
            made = bench.workspace.json(
                recipe.name,
                self.inputs(recipe, bench),
                lambda bench=bench: self.timed(recipe, bench),  # type: ignore[misc]
            )
            by_seed.append(made["result"])
            for name, value in made["seconds"].items():
                seconds[name] = round(seconds.get(name, 0.0) + value, 1)
        data, settings = self.config.data, recipe.settings(self.config)
        smaller = self.whole is not None and settings != recipe.settings(self.whole)
        return {
            "format": FORMAT,
            "recipe": recipe.name,
            "version": recipe.version,
            "title": recipe.title,
            "dataset": data.source,
            "preset": data.preset,
            "inputs": self.hash_of(recipe),
            "config": settings,
            "budget_minutes": self.budget if smaller else None,
            "pair_share": settings.get("pair_share", 1.0),
            "seeds": len(benches),
            "data": {"fingerprint": benches[0].dataset.fingerprint, **benches[0].dataset.stats()},
            "result": by_seed[0],
            "spread": spread(by_seed) if len(by_seed) > 1 else None,
            "versions": versions(),
            "hardware": hardware(),
            "seconds": seconds,
        }

    def timed(self, recipe: Recipe, bench: Bench) -> dict[str, Any]:
        """Compute a recipe; return the result and the seconds it and its trainings took."""
        began = time.monotonic()
        result = recipe.compute(bench)
        seconds = {"compute": round(time.monotonic() - began, 1)}
        for job in recipe.jobs(bench):
            took = training_seconds(job)
            if took is not None:
                seconds[f"train {job.label}"] = took
        return {"result": result, "seconds": seconds}

    def draw(self, recipe: Recipe, document: Mapping[str, Any]) -> None:
        """Write the recipe's figure as PNG and SVG, if it has one; others may share it."""
        shared = {
            part.name: document if part is recipe else read_json(self.path(part), ResultError)
            for part in sharing(recipe)
            if part is recipe or self.path(part).is_file()
        }
        whole = recipe.merged(
            [
                shared[part.name]
                for part in sharing(recipe)
                if is_of_now(part, shared.get(part.name))
            ]
        )
        paths = self.figure(recipe, ".svg"), self.figure(recipe, ".png")
        save_figures(lambda: recipe.draw(whole), recipe.figure_name, *paths)


def is_of_now(recipe: Recipe, document: Any) -> bool:
    """Return whether a result document is one that the recipe as it is now would write."""
    return (
        isinstance(document, dict)
        and document.get("format") == FORMAT
        and document.get("version", 1) == recipe.version
    )
