"""What to show next, and what became of it."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from influpath.config import FrozenConfig
from influpath.serving.schemas.basics import Id, IdText, ItemCard, Time

Source = Literal["campaign", "goal", "plain"]


class NextIn(FrozenConfig):
    """Who wants something to see."""

    user_id: Id


class Next(FrozenConfig):
    """What to show a user next; the same until feedback on it arrives.

    Attributes:
        proposal_id: Named in feedback.
        user_id: Who.
        item: What; None where there is nothing to show (``note`` says why).
        source: A campaign, a goal that the user set, or the plain recommender.
        campaign_id: Of a campaign's.
        goal_id: Of a goal's.
        step: Which item of the journey it is; None for plain ones.
        horizon: Of how many at most.
        is_objective: Whether it fulfils the objective.
        acceptance: How probable the model finds that the user would pick it by itself.
        rank: Its place among all items for this user, 1 is the most probable.
        reason: Why, in words.
        note: Why there is none.
        model: Version of the model.
    """

    proposal_id: str
    user_id: Id
    item: ItemCard | None
    source: Source
    campaign_id: str | None = None
    goal_id: str | None = None
    step: int | None = None
    horizon: int | None = None
    is_objective: bool = False
    acceptance: float | None = None
    rank: int | None = None
    reason: str | None = None
    note: str | None = None
    model: str


class Event(FrozenConfig):
    """What a user did.

    Attributes:
        event_id: The platform's; the same one again is recorded once.
        user_id: Who.
        kind: An answer to a proposal, or "organic": the user took an item without being shown it.
        item_id: Of an organic event; of an answer it may be left out.
        proposal_id: Of an answer.
        at: When; by default when it arrives.
    """

    event_id: IdText
    user_id: Id
    kind: Literal["accepted", "rejected", "ignored", "organic"]
    item_id: Id | None = None
    proposal_id: IdText | None = None
    at: Time | None = None

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.kind == "organic" and (self.item_id is None or self.proposal_id is not None):
            raise ValueError("an organic event names its item_id and no proposal_id")
        if self.kind != "organic" and self.proposal_id is None:
            raise ValueError(
                f"an event of kind {self.kind!r} names the proposal_id that it answers"
            )
        return self


class FeedbackIn(FrozenConfig):
    """What users did, oldest first; all of it is recorded, or none."""

    events: Annotated[tuple[Event, ...], Field(min_length=1, max_length=1_000)]


class Recorded(FrozenConfig):
    """What became of one event.

    Attributes:
        event_id: The platform's.
        status: Recorded; there already; or the proposal had been answered by another event before
            (then nothing changes).
    """

    event_id: str
    status: Literal["recorded", "duplicate", "answered_before"]


class Feedback(FrozenConfig):
    """What became of events, in their order; they are on disk now."""

    results: tuple[Recorded, ...]
