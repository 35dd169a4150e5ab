"""A bundle in memory, with what every answer needs made once.

Shape suffixes: I catalogue items, G categories, E item vector size.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from influpath.data.sequences import IntArray
from influpath.errors import UnknownIdError
from influpath.planning.aims import Choice
from influpath.planning.objectives import Objective
from influpath.planning.reasons import nearest, unit_vectors
from influpath.planning.vanilla import VanillaPlanner
from influpath.recommenders.base import Recommender
from influpath.serving.bundles.bundle import Bundle
from influpath.serving.engine.asks import BundleCard, Limits, Person
from influpath.serving.engine.catalogue import Catalogue

# Sets of exclusions whose masks are remembered.
REMEMBERED = 256
# Items whose neighbours are remembered.
NEIGHBOURS = 1 << 12


@dataclass(frozen=True, eq=False)
class Loaded:
    """A bundle at work; safe to use from several threads.

    Attributes:
        version: Its name.
        bundle: The bundle.
        audiences: What is remembered of who can be led where.
    """

    version: str
    bundle: Bundle
    audiences: dict[Objective, Choice] = field(default_factory=dict)
    _masks: OrderedDict[tuple[frozenset[str], frozenset[str]], Tensor] = field(
        default_factory=OrderedDict
    )
    _lock: Lock = field(default_factory=Lock)

    @cached_property
    def catalogue(self) -> Catalogue:
        """Items and users by text."""
        return Catalogue(self.bundle.dataset, self.bundle.fingerprint)

    @cached_property
    def plain(self) -> VanillaPlanner:
        """Shows the plain recommender's best item."""
        return VanillaPlanner(self.bundle.plain)

    @cached_property
    def category_IG(self) -> npt.NDArray[np.bool_]:
        """Which categories each item has, [I, G]."""
        return self.bundle.dataset.categories.vectors() > 0

    @cached_property
    def _unit_vectors(self) -> dict[bool, Tensor | None]:
        models = {True: self.bundle.model, False: self.bundle.plain}
        vectors = {led: model.item_vectors() for led, model in models.items()}
        return {led: None if own is None else unit_vectors(own) for led, own in vectors.items()}

    def neighbours(self, led: bool, item: int) -> dict[int, int]:
        """Return the places of an item's neighbours, 1 is nearest; none where there are no vectors.

        Args:
            led: Whether the planner's model is asked, or else the plain one.
            item: Item number.
        """
        found: dict[int, int] = self._neighbours(led, item)
        return found

    @cached_property
    def _neighbours(self) -> Any:
        # Objectives, and what is shown most, are asked for again and again.
        def find(led: bool, item: int) -> dict[int, int]:
            unit_IE = self._unit_vectors[led]
            if unit_IE is None:
                return {}
            row = nearest(unit_IE, np.array([item]))[0].tolist()
            return {other: place for place, other in enumerate(row, start=1)}

        return lru_cache(NEIGHBOURS)(find)

    @property
    def card(self) -> BundleCard:
        """What the bundle is."""
        bundle = self.bundle
        return BundleCard(
            version=self.version,
            fingerprint=bundle.fingerprint,
            dataset=bundle.dataset.name,
            users=len(bundle.dataset.users),
            items=len(bundle.dataset.items),
            planners=tuple(bundle.planners),
            judge=bundle.judge.name,
            longest=bundle.longest,
            calibrated=bundle.feasibility is not None,
        )

    def prepare(self) -> None:
        """Make everything that is made once, so that the first answer does not wait for it.

        Raises:
            DataError: Two ids are written alike.
        """
        self.catalogue.items, self.catalogue.users, self.plain, self.category_IG  # noqa: B018
        self._unit_vectors  # noqa: B018

    def history(self, person: Person) -> IntArray:
        """Return the item numbers of a person's history, oldest first.

        What a known user took that the bundle has no item for is left out: it cannot be read.

        Raises:
            UnknownIdError: A history that was pasted names such an item.
        """
        items, users = self.catalogue.items, self.catalogue.users
        since = items.numbers(person.since) if person.user is None else items.known(person.since)
        if person.user is None or not person.known or person.user not in users:
            return since
        row = users.number(person.user)
        return np.concatenate([self.bundle.dataset.sequences.row(row), since])

    def user_row(self, person: Person, model: Recommender) -> int:
        """Return the person's row of a model, -1 where it does not know (of) the person."""
        users = self.catalogue.users
        if person.user is None or not person.known or person.user not in users:
            return -1
        return int(model.users.encode([users.own(person.user)], unknown="mark")[0])

    def excluded(self, limits: Limits) -> Tensor:
        """Return which items may never be shown, bool [I]; what is unknown excludes nothing."""
        key = (limits.excluded_items, limits.excluded_categories)
        with self._lock:
            found = self._masks.get(key)
            if found is not None:
                self._masks.move_to_end(key)
                return found
        mask_I = torch.zeros(len(self.bundle.dataset.items), dtype=torch.bool)
        mask_I[torch.from_numpy(self.catalogue.items.known(limits.excluded_items)) - 1] = True
        for name in limits.excluded_categories:
            try:
                members = self.bundle.dataset.categories.members(name)
            except UnknownIdError:
                continue
            mask_I[torch.from_numpy(members) - 1] = True
        with self._lock:
            self._masks[key] = mask_I
            while len(self._masks) > REMEMBERED:
                self._masks.popitem(last=False)
        return mask_I
