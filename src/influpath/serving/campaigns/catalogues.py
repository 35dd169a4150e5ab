"""The catalogues of bundles: titles, categories and histories, without their models."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Container
from pathlib import Path
from typing import Any, Protocol

from influpath.planning.objectives import Objective
from influpath.serving.schemas import Exclusions, Id, ItemCard


class Ids(Container[object], Protocol):
    """Ids as text."""

    def own(self, text: str) -> Any:
        """Return the platform's own id."""


class CatalogueView(Protocol):
    """What the service reads of a bundle; ``engine/catalogue.py`` has it."""

    @property
    def items(self) -> Ids:
        """All items."""

    @property
    def users(self) -> Ids:
        """All users."""

    @property
    def categories(self) -> tuple[str, ...]:
        """All categories, sorted."""

    def card(self, item: str) -> ItemCard:
        """Return an item, or raise ``UnknownIdError``."""

    def history(self, user: str, last: int | None = None) -> tuple[str, ...]:
        """Return a user's items, oldest first; none for one who is not known."""

    def members(self, objective: Objective) -> frozenset[str]:
        """Return the items of an objective, or raise ``UnknownIdError``."""

    def words(self, objective: Objective) -> str:
        """Return the objective as people read it, or raise ``UnknownIdError``."""

    def category(self, name: str) -> str:
        """Return a category as it is written, or raise ``UnknownIdError``."""

    def search_items(self, text: str, limit: int) -> tuple[list[ItemCard], int]:
        """Return items that are like a text, and how many there are."""

    def search_users(self, text: str, limit: int) -> tuple[list[Any], int]:
        """Return users that are like a text, and how many there are."""


Catalogues = Callable[[str], CatalogueView]


class LoadedCatalogues:
    """Catalogues that were loaded, as many as are held at once; safe from several threads.

    Args:
        bundles: The folder of all bundles.
        held: How many are held.
    """

    def __init__(self, bundles: Path, held: int) -> None:
        self.bundles = bundles
        self.held = held
        self._lock = threading.Lock()
        self._loaded: OrderedDict[str, CatalogueView] = OrderedDict()
        # One is read once, and keeps only those waiting who want it.
        self._reading: dict[str, threading.Lock] = {}

    def __call__(self, version: str) -> CatalogueView:
        """Return the catalogue of a bundle.

        Raises:
            ModelFileError: The bundle is missing or damaged.
        """
        found = self._find(version)
        if found is not None:
            return found
        with self._lock:
            reading = self._reading.setdefault(version, threading.Lock())
        with reading:
            found = self._find(version)
            return self._read(version) if found is None else found

    def _find(self, version: str) -> CatalogueView | None:
        with self._lock:
            if version in self._loaded:
                self._loaded.move_to_end(version)
            return self._loaded.get(version)

    def _read(self, version: str) -> CatalogueView:
        from influpath.serving.engine.catalogue import Catalogue

        try:
            catalogue: CatalogueView = Catalogue.load(self.bundles / version)
            with self._lock:
                self._loaded[version] = catalogue
                while len(self._loaded) > self.held:
                    self._loaded.popitem(last=False)
            return catalogue
        finally:
            with self._lock:
                self._reading.pop(version, None)


def card(catalogue: CatalogueView, item: str) -> ItemCard:
    """Return an item; one that the catalogue does not have has its id as title."""
    return catalogue.card(item) if item in catalogue.items else ItemCard(id=item, title=item)


def own_user(catalogue: CatalogueView | None, user: str) -> Id:
    """Return the platform's own id of a user where the catalogue has it, else its text."""
    if catalogue is None or user not in catalogue.users:
        return user
    found: Id = catalogue.users.own(user)
    return found


def checked(catalogue: CatalogueView, exclusions: Exclusions) -> Exclusions:
    """Return exclusions as the catalogue writes them.

    Raises:
        UnknownIdError: An item or category is not there: a slip would protect nobody.
    """
    items = tuple(catalogue.card(str(item)).id for item in exclusions.items)
    categories = tuple(map(catalogue.category, exclusions.categories))
    return Exclusions(
        items=tuple(dict.fromkeys(items)), categories=tuple(dict.fromkeys(categories))
    )


def excludes(catalogue: CatalogueView, exclusions: Exclusions, item: str) -> bool:
    """Whether an item is excluded, by itself or by a category."""
    if any(str(each) == item for each in exclusions.items):
        return True
    named = {category.casefold() for category in exclusions.categories}
    return bool(named) and any(
        category.casefold() in named for category in card(catalogue, item).categories
    )


def together(*exclusions: Exclusions) -> Exclusions:
    """Return what any of several excludes."""
    return Exclusions(
        items=tuple(dict.fromkeys(item for each in exclusions for item in each.items)),
        categories=tuple(dict.fromkeys(name for each in exclusions for name in each.categories)),
    )
