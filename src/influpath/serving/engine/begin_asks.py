"""Beginning one of several journeys: what is asked, what is answered, and which one it is."""

from collections.abc import Sequence
from dataclasses import dataclass

from influpath.serving.engine.asks import Person, RateAsk, Rating, StepAnswer, StepAsk


@dataclass(frozen=True)
class Candidate:
    """A journey that could begin.

    Attributes:
        ask: Its first step, so that nothing has happened since.
        minimum: Below this feasibility it does not begin.
    """

    ask: StepAsk
    minimum: float = 0.01

    @property
    def rating(self) -> RateAsk:
        """How feasible it is.

        Raises:
            ValueError: The ask has no objective, or is not for a first step.
        """
        ask = self.ask
        if ask.objective is None or ask.moments:
            raise ValueError("a journey begins with an objective, and before anything happened.")
        return RateAsk(ask.version, ask.person, ask.objective, self.minimum)


@dataclass(frozen=True)
class BeginAsk:
    """Which of some journeys of one person begins, and its first item.

    Attributes:
        candidates: At least one; all of one version and person.
    """

    candidates: tuple[Candidate, ...]

    def __post_init__(self) -> None:
        if len({(each.ask.version, each.ask.person) for each in self.candidates}) != 1:
            raise ValueError("candidates are of one version and one person.")

    @property
    def version(self) -> str:
        """The bundle."""
        return self.candidates[0].ask.version

    @property
    def person(self) -> Person:
        """Whose journeys."""
        return self.candidates[0].ask.person

    def chosen(self, ratings: Sequence[Rating]) -> int | None:
        """Return the place of the most feasible, the first of equal ones; None where none is.

        Args:
            ratings: Of the candidates.
        """
        places = [
            place
            for place, (rating, each) in enumerate(zip(ratings, self.candidates, strict=True))
            if may_begin(rating, each.minimum)
        ]
        return max(places, key=lambda place: ratings[place].feasibility or 0.0, default=None)


@dataclass(frozen=True)
class BeginAnswer:
    """How feasible journeys are, and the first item of the one that begins.

    Attributes:
        ratings: Of the candidates.
        chosen: The place of the one that begins; None where none may.
        step: Its first item, or why there is none; None where it was not made: whoever asks for it
            by itself hears why.
    """

    ratings: tuple[Rating, ...]
    chosen: int | None = None
    step: StepAnswer | None = None


def may_begin(rating: Rating, minimum: float) -> bool:
    """Whether a journey is feasible enough to begin."""
    return rating.reachable and (rating.feasibility is None or rating.feasibility >= minimum)
