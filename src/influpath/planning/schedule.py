"""A dial that may change along the path."""

from itertools import groupby
from typing import Annotated, Any, TypeVar

from pydantic import Field, FiniteFloat, NonNegativeInt, PositiveInt, model_validator

from influpath.config import FrozenConfig

Number = TypeVar("Number", int, float)


class Ramp(FrozenConfig):
    """A dial that changes by the same amount at every step; ``"1..6"`` is a ramp from 1 to 6.

    Attributes:
        start: The value when the first item is chosen.
        end: The value when item M is chosen.
    """

    start: FiniteFloat
    end: FiniteFloat

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if isinstance(value, str) and value.count("..") == 1:
            return dict(zip(("start", "end"), value.split(".."), strict=True))
        return value

    def at(self, step: int, max_length: int) -> float:
        """Return the value when item ``step`` of at most ``max_length`` is chosen."""
        done = (step - 1) / (max_length - 1) if max_length > 1 else 1.0
        return self.start + done * (self.end - self.start)

    def __str__(self) -> str:
        return f"{self.start:g}..{self.end:g}"


# One value for every step, one per step (the last one holds from then on), or a ramp.
FloatSchedule = FiniteFloat | Annotated[tuple[FiniteFloat, ...], Field(min_length=1)] | Ramp
IntSchedule = NonNegativeInt | Annotated[tuple[NonNegativeInt, ...], Field(min_length=1)]
PositiveIntSchedule = PositiveInt | Annotated[tuple[PositiveInt, ...], Field(min_length=1)]


def at_step(schedule: Number | tuple[Number, ...], step: int) -> Number:
    """Return the value of a schedule when item ``step`` (from 1) is chosen."""
    if isinstance(schedule, tuple):
        return schedule[min(step, len(schedule)) - 1]
    return schedule


def float_at_step(schedule: float | tuple[float, ...] | Ramp, step: int, max_length: int) -> float:
    """Return the value of a schedule that may be a ramp when item ``step`` is chosen."""
    if isinstance(schedule, Ramp):
        return schedule.at(step, max_length)
    return at_step(schedule, step)


def schedule_text(schedule: object) -> str:
    """Return a schedule as people read it: ``4``, ``1,2,4``, ``1 (15 times), 200`` or ``1..6``.

    Args:
        schedule: A dial's value, or what JSON made of it.
    """
    if isinstance(schedule, dict):
        schedule = Ramp.parse(schedule, "a ramp")
    if isinstance(schedule, (tuple, list)):
        runs = [(f"{value:g}", len(list(run))) for value, run in groupby(schedule)]
        if any(count > 2 for _, count in runs):
            return ", ".join(f"{v} ({count} times)" if count > 1 else v for v, count in runs)
        return ",".join(f"{value:g}" for value in schedule)
    return f"{schedule:g}" if isinstance(schedule, (int, float)) else str(schedule)
