"""What a bundle knows of items and users by the ids that the service keeps as text; no models."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from influpath.data.dataset import Dataset
from influpath.data.ids import IdMap
from influpath.data.near_matches import did_you_mean
from influpath.data.sequences import IntArray
from influpath.errors import DataError, ModelFileError, UnknownIdError
from influpath.planning.objectives import Objective
from influpath.serving.bundles.bundle import DATASET, check_files, read_about
from influpath.serving.schemas import ItemCard

# Members of objectives that are remembered.
REMEMBERED = 256


class TextIds:
    """Outside ids as text, each of which stands for one.

    Args:
        ids: Of items or users.

    Raises:
        DataError: Two are written alike, such as 7 and "7".
    """

    def __init__(self, ids: IdMap) -> None:
        self.map = ids
        self.texts = [str(own) for own in ids.ids]
        self._number = {text: ids.first + place for place, text in enumerate(self.texts)}
        if len(self._number) != len(self.texts):
            raise DataError(
                f"two {ids.kind} ids are written alike as text, such as 7 and '7'; give the data "
                "ids of one kind."
            )

    def __contains__(self, text: object) -> bool:
        return text in self._number

    def __len__(self) -> int:
        return len(self.texts)

    def text(self, number: int) -> str:
        """Return the text of a number."""
        return self.texts[number - self.map.first]

    def own(self, text: str) -> Any:
        """Return the platform's own id."""
        return self.map.ids[self.number(text) - self.map.first]

    def number(self, text: str) -> int:
        """Return the number of an id.

        Raises:
            UnknownIdError: There is none; names some that are spelled alike.
        """
        found = self._number.get(text)
        if found is None:
            hint = did_you_mean(text, self.texts, f"ids look like {self.map.ids[0]!r} there.")
            raise UnknownIdError(f"{self.map.kind} id {text!r} is not in the data; {hint}")
        return found

    def numbers(self, texts: tuple[str, ...] | list[str]) -> IntArray:
        """Return the numbers of ids; see ``number``."""
        return np.array([self.number(text) for text in texts], dtype=np.int64)

    def known(self, texts: Any) -> IntArray:
        """Return the numbers of those ids that there are."""
        get = self._number.get
        found = [number for text in texts if (number := get(text)) is not None]
        return np.array(found, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Items, users and histories of a bundle.

    Attributes:
        dataset: Of the bundle.
        fingerprint: Of the bundle.
    """

    dataset: Dataset
    fingerprint: str = ""

    @classmethod
    def load(cls, directory: Path) -> "Catalogue":
        """Read the catalogue of a bundle's folder.

        Raises:
            ModelFileError: The bundle is missing or damaged.
        """
        about = read_about(directory)
        check_files(directory, about)
        try:
            catalogue = cls(Dataset.load(directory / DATASET), about.fingerprint)
            catalogue.items, catalogue.users  # noqa: B018 - clashing ids show here
        except DataError as cause:
            raise ModelFileError(f"{directory}: the bundle cannot be used: {cause}") from None
        return catalogue

    @cached_property
    def items(self) -> TextIds:
        """Items by text."""
        return TextIds(self.dataset.items)

    @cached_property
    def users(self) -> TextIds:
        """Users by text."""
        return TextIds(self.dataset.users)

    @cached_property
    def titles(self) -> list[str]:
        """Titles in the order of the items; an item without one has its id."""
        titles = self.dataset.catalogue["title"].to_list()
        return [str(title or text) for title, text in zip(titles, self.items.texts, strict=True)]

    @cached_property
    def _categories_of(self) -> list[tuple[str, ...]]:
        genres = self.dataset.catalogue["genres"].to_list()
        return [tuple(own or ()) for own in genres]

    @cached_property
    def _folded_titles(self) -> list[str]:
        return [title.casefold() for title in self.titles]

    @property
    def categories(self) -> tuple[str, ...]:
        """The names of all categories, sorted."""
        return tuple(self.dataset.categories.names)

    def card(self, item: str) -> ItemCard:
        """Return an item as people know it.

        Raises:
            UnknownIdError: There is none.
        """
        return self._card(self.items.number(item) - 1)

    def _card(self, place: int) -> ItemCard:
        own = self.dataset.items.ids[place]
        return ItemCard(id=own, title=self.titles[place], categories=self._categories_of[place])

    def history(self, user: str, last: int | None = None) -> tuple[str, ...]:
        """Return the items of a user, oldest first; none for one who is not known.

        Args:
            user: As text.
            last: Only so many of the latest.
        """
        if user not in self.users:
            return ()
        row = self.dataset.sequences.row(self.users.number(user))
        texts = self.items.texts
        return tuple(texts[number - 1] for number in row[-last if last else 0 :].tolist())

    @cached_property
    def _members(self) -> Any:
        return lru_cache(REMEMBERED)(lambda objective: objective.members(self.dataset))

    def member_numbers(self, objective: Objective) -> IntArray:
        """Return the numbers of the items that fulfil an objective, sorted.

        Raises:
            UnknownIdError: An item or the category is not there.
        """
        members: IntArray = self._members(objective)
        return members

    def members(self, objective: Objective) -> frozenset[str]:
        """Return the items that fulfil an objective, as text; see ``member_numbers``."""
        return frozenset(self.items.text(number) for number in self.member_numbers(objective))

    def words(self, objective: Objective) -> str:
        """Return the objective as people read it; see ``member_numbers``."""
        return objective.words(self.dataset)

    def category(self, name: str) -> str:
        """Return a category's name as it is written, whatever case it was given in.

        Raises:
            UnknownIdError: There is none.
        """
        self.member_numbers(Objective.category(name))
        if name.strip() in self.categories:
            return name.strip()
        folded = name.strip().casefold()
        return next(known for known in self.categories if known.casefold() == folded)

    def search_items(self, text: str, limit: int) -> tuple[list[ItemCard], int]:
        """Return items whose title or id holds a text, and how many there are in all.

        The item of that id comes first, then titles that begin with it.
        """
        wanted = text.strip().casefold()
        places = [
            place
            for place, title in enumerate(self._folded_titles)
            if wanted in title or self.items.texts[place] == text.strip()
        ]
        # Sorting is stable.
        places.sort(
            key=lambda place: (
                self.items.texts[place] != text.strip(),
                not self._folded_titles[place].startswith(wanted),
            )
        )
        return [self._card(place) for place in places[:limit]], len(places)

    def search_users(self, text: str, limit: int) -> tuple[list[Any], int]:
        """Return users whose id begins with a text (platform's own ids), and how many there are."""
        wanted = text.strip()
        found = [place for place, own in enumerate(self.users.texts) if own.startswith(wanted)]
        found.sort(key=lambda place: self.users.texts[place] != wanted)
        return [self.dataset.users.ids[place] for place in found[:limit]], len(found)
