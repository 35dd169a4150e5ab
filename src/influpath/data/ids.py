"""Maps between ids from outside (any hashable value) and contiguous numbers inside."""

from collections.abc import Hashable, Iterable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import polars as pl

from influpath.data.near_matches import did_you_mean
from influpath.errors import UnknownIdError

MISSING = -1


class IdMap:
    """Outside ids in a fixed order; the first one has number ``first``.

    Args:
        ids: Distinct outside ids.  Number ``first + n`` is the n-th of them.
        first: 1 for items, where 0 is padding; 0 for users.
        kind: "item" or "user", used in errors.
    """

    def __init__(self, ids: Sequence[Hashable], first: int, kind: str) -> None:
        self.ids = list(ids)
        self.first = first
        self.kind = kind
        self._number = {outside: first + n for n, outside in enumerate(self.ids)}
        if len(self._number) != len(self.ids):
            raise ValueError(f"{kind} ids are not distinct")

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, outside: object) -> bool:
        return outside in self._number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IdMap) and (self.ids, self.first) == (other.ids, other.first)

    __hash__ = None  # type: ignore[assignment]

    def encode(self, outside: Iterable[Any], unknown: str = "raise") -> np.ndarray[Any, Any]:
        """Return the numbers of outside ids.

        Args:
            outside: Outside ids, in any iterable.
            unknown: "raise", or "mark" to return -1 for ids that are not in the map.

        Returns:
            int64 array, one number per id.

        Raises:
            UnknownIdError: An id is not in the map and ``unknown`` is "raise".
        """
        values = list(outside)
        get = self._number.get
        numbers = np.array([get(value, MISSING) for value in values], dtype=np.int64)
        if unknown == "raise" and (numbers == MISSING).any():
            bad = [values[n] for n in np.flatnonzero(numbers == MISSING)]
            shown = ", ".join(repr(value) for value in bad[:5]) + (", ..." if len(bad) > 5 else "")
            raise UnknownIdError(
                f"{len(bad)} {self.kind} id(s) are not in the catalogue: {shown}; use ids of the "
                f"dataset the model was trained on (for example {self.ids[0]!r})."
            )
        return numbers

    def find(self, outside: Any) -> Any:
        """Return the id that a value from outside stands for: itself, or a number written as text.

        Raises:
            UnknownIdError: There is none; names some that are spelled alike.
        """
        readings = [outside]
        if isinstance(outside, int):
            readings.append(str(outside))
        elif isinstance(outside, str):
            with suppress(ValueError):
                readings.append(int(outside))
        for reading in readings:
            if reading in self:
                return reading
        hint = did_you_mean(
            str(outside), map(str, self.ids), f"ids look like {self.ids[0]!r} there."
        )
        raise UnknownIdError(f"{self.kind} id {outside!r} is not in the data; {hint}")

    def decode(self, numbers: np.ndarray[Any, Any]) -> list[Any]:
        """Return the outside ids of numbers (which must be in range)."""
        return [self.ids[n] for n in (np.asarray(numbers) - self.first).tolist()]

    def series(self, name: str, numbers: np.ndarray[Any, Any]) -> pl.Series:
        """Return the outside ids of numbers as a polars column (vectorised)."""
        return pl.Series(name, self.ids)[np.asarray(numbers, dtype=np.int64) - self.first].alias(
            name
        )
