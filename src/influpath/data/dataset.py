"""The one data contract of the package: prepared sequences, id maps and the item catalogue."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from influpath.data.categories import Categories
from influpath.data.ids import IdMap
from influpath.data.near_matches import near_matches
from influpath.data.sequences import IntArray, Sequences
from influpath.errors import DataError, ModelFileError, UnknownIdError
from influpath.files import (
    atomic_path,
    read_json,
    read_tensors,
    sha256_arrays,
    write_json,
    write_tensors,
)

FORMAT = "influpath-dataset-1"


@dataclass(frozen=True, eq=False)
class Dataset:
    """Users' item sequences, oldest first, ready for models.

    Attributes:
        name: What the data is called in results ("ml-1m", a file name, ...).
        preset: The preparation it went through ("clean", "paper", "stated", "custom").
        sequences: One row per user, item numbers 1..n.
        users: Outside user ids; row r of ``sequences`` belongs to ``users.ids[r]``.
        items: Outside item ids; item number 1 is ``items.ids[0]``.
        catalogue: Frame ``item_id, title, genres`` (list of str), in the order of ``items``.
        report: What reading and preparing dropped or merged: reason -> count.
    """

    name: str
    preset: str
    sequences: Sequences
    users: IdMap
    items: IdMap
    catalogue: pl.DataFrame
    report: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.sequences) != len(self.users) or self.catalogue.height != len(self.items):
            raise ValueError("sequences, id maps and catalogue do not fit together")
        if self.catalogue.columns != ["item_id", "title", "genres"]:
            raise ValueError(f"the catalogue has the columns {self.catalogue.columns}")

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over ids and sequences: equal data, equal fingerprint."""
        return sha256_arrays(
            self.sequences.values,
            self.sequences.offsets,
            "\x1f".join(map(repr, self.users.ids)),
            "\x1f".join(map(repr, self.items.ids)),
        )

    @cached_property
    def catalogue_fingerprint(self) -> str:
        """SHA-256 over titles and genres; most of what is computed depends on the log alone."""
        return sha256_arrays(self.catalogue.select("title", "genres").write_json())

    @cached_property
    def item_counts(self) -> IntArray:
        """Interactions per item number, int64 [items + 1]; entry 0 (padding) is 0."""
        return self.sequences.counts(len(self.items))

    @cached_property
    def categories(self) -> Categories:
        """The categories of the catalogue (its genres or tags) and their members."""
        return Categories.of(self.catalogue)

    def stats(self) -> dict[str, int | float]:
        """Return the counts of the paper's Table I."""
        users, items, interactions = len(self.users), len(self.items), len(self.sequences.values)
        return {
            "users": users,
            "items": items,
            "interactions": interactions,
            "density": round(interactions / (users * items), 6),
            "items_per_user": round(interactions / users, 2),
        }

    def title(self, item_id: Hashable) -> str:
        """Return an item's title, or its id as text where it has none."""
        number = int(self.items.encode([item_id])[0])
        return str(self.catalogue["title"][number - 1] or item_id)

    def genres(self, item_id: Hashable) -> list[str]:
        """Return an item's genres (empty where unknown)."""
        number = int(self.items.encode([item_id])[0])
        genres = self.catalogue["genres"][number - 1]
        return [] if genres is None else list(genres)

    def find_item(self, item: Hashable) -> Any:
        """Return the item id that a value from outside stands for; see ``IdMap.find``.

        Raises:
            UnknownIdError: There is none; names items whose titles or ids are like it.
        """
        try:
            return self.items.find(item)
        except UnknownIdError:
            titles = self.catalogue["title"].cast(pl.String)
            alike = near_matches(str(item), titles.drop_nulls())
            if not alike:
                raise
            rows = [titles.index_of(title) for title in alike]
        found = " or ".join(
            f"{self.items.ids[row]!r} ({title})"
            for row, title in zip(rows, alike, strict=True)
            if row is not None
        )
        raise UnknownIdError(f"item id {item!r} is not in the data; did you mean {found}?")

    def rows_of(self, user_ids: Iterable[Any]) -> IntArray:
        """Return the sequence rows of users.

        Raises:
            UnknownIdError: A user is not in the dataset.
        """
        return self.users.encode(user_ids)

    def with_sequences(self, sequences: Sequences) -> "Dataset":
        """Return the same users and items with other sequences (a split, for example)."""
        return replace(self, sequences=sequences)

    def save(self, directory: str | Path) -> None:
        """Write the dataset to a folder (safetensors, Parquet and JSON)."""
        directory = Path(directory)
        write_tensors(
            directory / "sequences.safetensors",
            {
                "values": torch.from_numpy(self.sequences.values),
                "offsets": torch.from_numpy(self.sequences.offsets),
            },
        )
        with atomic_path(directory / "catalogue.parquet") as temporary:
            self.catalogue.write_parquet(temporary)
        # Last, since its presence says that the folder is complete.
        write_json(
            directory / "dataset.json",
            {
                "format": FORMAT,
                "name": self.name,
                "preset": self.preset,
                "fingerprint": self.fingerprint,
                "users": saveable_ids(self.users),
                "items": saveable_ids(self.items),
                "report": self.report,
            },
        )

    @classmethod
    def load(cls, directory: str | Path) -> "Dataset":
        """Read a dataset written by ``save``.

        Raises:
            DataError: The folder is missing, damaged or of another format.
        """
        directory = Path(directory)
        about = read_json(directory / "dataset.json", DataError)
        if not isinstance(about, dict) or about.get("format") != FORMAT:
            raise DataError(f"{directory}: is not a dataset folder of this version of influpath.")
        try:
            tensors = read_tensors(directory / "sequences.safetensors")
            dataset = cls(
                name=about["name"],
                preset=about["preset"],
                sequences=Sequences(tensors["values"].numpy(), tensors["offsets"].numpy()),
                users=IdMap(about["users"], 0, "user"),
                items=IdMap(about["items"], 1, "item"),
                catalogue=pl.read_parquet(directory / "catalogue.parquet"),
                report=about["report"],
            )
        except (
            KeyError,
            IndexError,
            TypeError,
            ValueError,
            OSError,
            ModelFileError,
            pl.exceptions.PolarsError,
        ) as cause:
            raise DataError(f"{directory}: the dataset folder is damaged ({cause}).") from None
        if dataset.fingerprint != about.get("fingerprint"):
            raise DataError(f"{directory}: the sequences do not fit the recorded fingerprint.")
        return dataset


def saveable_ids(ids: IdMap) -> list[Any]:
    """Return ids for JSON.

    Raises:
        DataError: An id is neither text nor a whole number, so that it would not read back equal.
    """
    for outside in ids.ids:
        if isinstance(outside, np.integer):
            raise DataError(f"{ids.kind} id {outside!r}: convert numpy ids to int before saving.")
        if not isinstance(outside, (int, str)) or isinstance(outside, bool):
            raise DataError(
                f"{ids.kind} id {outside!r}: only text and whole numbers can be saved; map the "
                "ids to text first."
            )
    return list(ids.ids)
