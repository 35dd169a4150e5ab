"""What several things share: ids, names, items as people know them."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field

from influpath.config import FrozenConfig


def in_utc(at: datetime) -> datetime:
    """Return a time in UTC.

    Raises:
        ValueError: It lies before the year 1 or after 9999 there.
    """
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("is not a time from the year 1 to 9999 in UTC") from None


# Text ids are bounded so that nobody stores a novel; whole numbers by what databases hold.
IdText = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]
Id = Annotated[int, Field(strict=True, ge=0, lt=2**63)] | IdText
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]
Ids = Annotated[tuple[Id, ...], Field(max_length=10_000)]
Names = Annotated[tuple[Name, ...], Field(max_length=1_000)]
Share = Annotated[float, Field(ge=0, le=1)]
Time = Annotated[AwareDatetime, AfterValidator(in_utc)]
Role = Literal["admin", "service", "viewer"]


class ItemCard(FrozenConfig):
    """An item as people know it."""

    id: Id
    title: str
    categories: tuple[str, ...] = ()


class Exclusions(FrozenConfig):
    """Items and categories that are never shown."""

    items: Ids = ()
    categories: Names = ()


class Problem(FrozenConfig):
    """An error: one sentence that says what is wrong, where, and what to do."""

    detail: str


class Page(FrozenConfig):
    """Found items or users."""

    items: tuple[ItemCard, ...] = ()
    users: tuple[Id, ...] = ()
    total: int
