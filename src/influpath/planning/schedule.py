"""A dial that may change along the path."""

from typing import Annotated, TypeVar

from pydantic import Field, FiniteFloat, NonNegativeInt, PositiveInt

Number = TypeVar("Number", int, float)

# One value for every step, or one per step (the last one holds from then on).
FloatSchedule = FiniteFloat | Annotated[tuple[FiniteFloat, ...], Field(min_length=1)]
IntSchedule = NonNegativeInt | Annotated[tuple[NonNegativeInt, ...], Field(min_length=1)]
PositiveIntSchedule = PositiveInt | Annotated[tuple[PositiveInt, ...], Field(min_length=1)]


def at_step(schedule: Number | tuple[Number, ...], step: int) -> Number:
    """Return the value of a schedule when item ``step`` (from 1) is chosen."""
    if isinstance(schedule, tuple):
        return schedule[min(step, len(schedule)) - 1]
    return schedule
