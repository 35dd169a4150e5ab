"""Which items belong to which category: the genres of films, the tags of artists.

A category is a name in the column ``genres`` of a catalogue.  MovieLens has 18 genres; of Last.fm
each artist has the three tags that it got most often.

Shape suffixes: I catalogue items, G categories, N pairs of an item and one of its categories.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from influpath.data.near_matches import did_you_mean
from influpath.data.sequences import IntArray
from influpath.errors import UnknownIdError


@dataclass(frozen=True, eq=False)
class Categories:
    """The categories of a catalogue and their members.

    Attributes:
        names: Names [G], sorted.
        item_N: Item numbers, each with
        category_N: one of its categories (place in ``names``).
        items: I.
    """

    names: Sequence[str]
    item_N: IntArray
    category_N: IntArray
    items: int

    @classmethod
    def of(cls, catalogue: pl.DataFrame) -> "Categories":
        """Read the categories of a catalogue frame, ``item_id, title, genres``."""
        named = (
            pl.DataFrame(
                {
                    "item": np.arange(1, catalogue.height + 1, dtype=np.int64),
                    "name": catalogue["genres"].cast(pl.List(pl.String)),
                }
            )
            .explode("name")
            .drop_nulls()
            .unique(maintain_order=True)
        )
        names = named["name"].unique().sort()
        place = named["name"].replace_strict(
            names, pl.Series(np.arange(len(names), dtype=np.int64)), return_dtype=pl.Int64
        )
        places = place.cast(pl.Int64).to_numpy()
        return cls(names.to_list(), named["item"].to_numpy(), places, catalogue.height)

    def members(self, name: str) -> IntArray:
        """Return the item numbers of a category, sorted; the case of its name does not matter.

        Raises:
            UnknownIdError: There is no such category; names some that are spelled alike.
        """
        wanted = name.strip().casefold()
        places = [place for place, known in enumerate(self.names) if known == name.strip()] or [
            place for place, known in enumerate(self.names) if known.casefold() == wanted
        ]
        if not places:
            hint = did_you_mean(
                name,
                self.names,
                f"there are {len(self.names)}, {', '.join(map(repr, self.names[:3]))} for example."
                if self.names
                else "the data has no genres or tags; give the items themselves.",
            )
            raise UnknownIdError(f"category {name!r} is not in the data; {hint}")
        return np.unique(self.item_N[np.isin(self.category_N, places)])

    def vectors(self) -> npt.NDArray[np.float32]:
        """Return binary vectors, float32 [I, G]; an item without categories has zeros."""
        vectors_IG = np.zeros((self.items, len(self.names)), dtype=np.float32)
        vectors_IG[self.item_N - 1, self.category_N] = 1
        return vectors_IG
