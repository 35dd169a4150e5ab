"""Table I: statistics of the dataset."""

from collections.abc import Mapping
from typing import Any, ClassVar

from influpath.data import load_dataset
from influpath.experiments import reported
from influpath.experiments.reproduction.bench import Bench
from influpath.experiments.reproduction.config import ReproductionConfig
from influpath.experiments.reproduction.markdown import table
from influpath.experiments.reproduction.recipe import Recipe

# The presets of the datasets that have more than one.
PRESETS = ("clean", "paper", "stated")
COUNTS = {"users": 0, "items": 0, "interactions": 0, "density": 4}


class Table1(Recipe):
    """Counts under every preset, so that it can be seen where the paper's come from."""

    name: ClassVar[str] = "table-1"
    title: ClassVar[str] = "Table I: statistics of the dataset"
    seeded: ClassVar[bool] = False

    def settings(self, config: ReproductionConfig) -> dict[str, Any]:
        """See ``Recipe.settings``."""
        return {"data": config.data.model_dump(mode="json")}

    def compute(self, bench: Bench) -> dict[str, Any]:
        """Return the counts of each preset."""
        data = bench.config.data
        names = PRESETS if reported.rows("table_1_datasets", data.source) else (data.preset,)
        presets = {}
        for name in names:
            same = name == data.preset
            dataset = (
                bench.dataset
                if same
                else load_dataset(data.source, preset=name, data_dir=bench.data_dir, **data.options)
            )
            presets[name] = dataset.stats()
        return {"presets": presets}

    def words(self, document: Mapping[str, Any]) -> str:
        """Return the counts beside the paper's."""
        presets = document["result"]["presets"]
        columns: dict[str, Mapping[str, Any]] = dict(presets)
        printed: Mapping[str, Any] = reported.rows("table_1_datasets", document["dataset"])
        if printed:
            columns["the paper"] = printed
        rows = [
            [
                key.replace("_", " "),
                *(f"{column[key]:,.{digits}f}" for column in columns.values()),
            ]
            for key, digits in COUNTS.items()
        ]
        # From the counts: a mean that was rounded before would be rounded twice.
        means = {
            name: f"{counts['interactions'] / counts['users']:.1f}"
            for name, counts in presets.items()
        }
        if printed:
            means["the paper"] = f"{printed['items_per_user']:g}"
        text = table(["", *columns], [*rows, ["items per user", *means.values()]])
        if printed:
            keys = ("users", "items", "interactions")
            equal = [
                name
                for name, counts in presets.items()
                if all(counts[key] == printed[key] for key in keys)
            ]
            agree = " and ".join(f"`{name}`" for name in equal) or "none"
            text += f"\n\nThe preset that has exactly the paper's counts: {agree}."
            if any(int(float(means[name])) == printed["items_per_user"] for name in equal):
                text += " Its items per user are the paper's, which cuts off the decimals."
        return text
