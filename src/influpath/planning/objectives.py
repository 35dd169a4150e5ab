"""What users are to be led to: an item, any of a set of items, or any item of a category.

    Objective.item(42)
    Objective.of_items([42, 43])
    Objective.category("Drama")

As JSON: ``{"kind": "item", "id": 42}``, ``{"kind": "set", "ids": [42, 43]}`` and
``{"kind": "category", "name": "Drama"}``.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, StrictInt, StrictStr, model_validator

from influpath.config import FrozenConfig
from influpath.data.dataset import Dataset
from influpath.data.sequences import IntArray

ItemId = StrictInt | StrictStr
# Which field each kind has.
FIELDS = {"item": "id", "set": "ids", "category": "name"}


class Objective(FrozenConfig):
    """Where users are to be led.

    Attributes:
        kind: "item", "set" or "category".
        id: The item, by its outside id.
        ids: The items of a set.
        name: The category: a genre or tag.
    """

    kind: Literal["item", "set", "category"]
    id: ItemId | None = None
    ids: Annotated[tuple[ItemId, ...], Field(min_length=1)] | None = None
    name: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _has_its_field(self) -> Self:
        wanted = FIELDS[self.kind]
        given = [field for field in FIELDS.values() if getattr(self, field) is not None]
        if given != [wanted]:
            there = " and ".join(map(repr, given)) or "nothing"
            raise ValueError(f"kind {self.kind!r} takes {wanted!r}; it was given {there}")
        return self

    @classmethod
    def item(cls, item_id: Any) -> "Objective":
        """Return the objective of one item."""
        return cls.parse({"kind": "item", "id": plain(item_id)}, "objective")

    @classmethod
    def of_items(cls, ids: Iterable[Any]) -> "Objective":
        """Return the objective of any of some items."""
        return cls.parse({"kind": "set", "ids": tuple(map(plain, ids))}, "objective")

    @classmethod
    def category(cls, name: str) -> "Objective":
        """Return the objective of any item of a genre or tag."""
        return cls.parse({"kind": "category", "name": name}, "objective")

    def to_dict(self) -> dict[str, Any]:
        """Return the objective for JSON; ``Objective.parse`` reads it back."""
        return self.model_dump(mode="json", exclude_none=True)

    def members(self, dataset: Dataset) -> IntArray:
        """Return the numbers of the items that fulfil the objective, sorted, at least one.

        Args:
            dataset: Says which items and categories there are.

        Raises:
            UnknownIdError: An item or the category is not there; names some that are like it.
        """
        if self.name is not None:
            return dataset.categories.members(self.name)
        ids = self.ids if self.ids is not None else (self.id,)
        return np.unique(dataset.items.encode([dataset.find_item(each) for each in ids]))

    def words(self, dataset: Dataset) -> str:
        """Return the objective as people read it: a title, a few titles, or a category."""
        if self.name is not None:
            return f"category {self.name}"
        titles = [dataset.title(each) for each in dataset.items.decode(self.members(dataset))]
        shown = " or ".join(titles[:3])
        return shown if len(titles) <= 3 else f"{shown} or {len(titles) - 3} more"


def plain(item_id: Any) -> Any:
    """Return an id without numpy's type, which no JSON knows."""
    return item_id.item() if isinstance(item_id, np.generic) else item_id
