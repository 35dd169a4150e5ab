"""Campaigns: what they are for, whom they lead, and what they may not do."""

from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from influpath.config import FrozenConfig
from influpath.planning.objectives import Objective
from influpath.serving.schemas.basics import Exclusions, Id, Name, Share, Time

CampaignStatus = Literal["running", "paused", "ended"]


class Guardrails(FrozenConfig):
    """What a campaign may not do.

    Attributes:
        floor: Every step is among the user's so many most probable items; 0 is no floor.
        min_feasibility: Users below it are not led at all.
        excluded: Never shown by this campaign.
        adapts: Whether the campaign pushes less after rejections (and more after acceptances).
    """

    floor: int = Field(default=100, ge=0, le=1_000_000)
    min_feasibility: Share = 0.01
    excluded: Exclusions = Exclusions()
    adapts: bool = True


class Audience(FrozenConfig):
    """Who is led.

    Attributes:
        kind: Everyone, or the users named.
        users: For kind "users".
    """

    kind: Literal["everyone", "users"] = "everyone"
    users: Annotated[tuple[Id, ...], Field(max_length=100_000)] = ()

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if (self.kind == "users") != bool(self.users):
            raise ValueError("an audience of kind 'users' names them, and one of 'everyone' none")
        return self


class CampaignIn(FrozenConfig):
    """A campaign to be created.

    Attributes:
        name: For people.
        objective: Where users are led.
        audience: Who is led.
        horizon: The most items shown to a user.
        aggressiveness: How hard it pushes: 1 is as the planner was tuned, 0 not at all.
        priority: The campaign with the highest wins a user; then the most feasible one.
        holdout: Share of users who get the plain recommender, to compare with.
        window_days: How long after enrolment a user's arrival counts.
        least_uplift: The smallest difference in arrival worth knowing, for the number of users.
        starts_at: From when; None is now.
        ends_at: Until when; None is until it is ended.
        guardrails: What it may not do.
    """

    name: Name
    objective: Objective
    audience: Audience = Audience()
    horizon: int = Field(default=20, ge=1, le=200)
    aggressiveness: float = Field(default=1.0, ge=0, le=10)
    priority: int = Field(default=0, ge=0, le=100)
    holdout: float = Field(default=0.1, ge=0, le=0.9)
    window_days: float = Field(default=14, gt=0, le=365)
    least_uplift: float = Field(default=0.05, gt=0, lt=1)
    starts_at: Time | None = None
    ends_at: Time | None = None
    guardrails: Guardrails = Guardrails()

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.starts_at and self.ends_at and self.ends_at <= self.starts_at:
            raise ValueError("a campaign ends after it starts")
        return self


class CampaignChange(FrozenConfig):
    """What may be changed of a campaign later; what is not given stays."""

    status: CampaignStatus | None = None
    priority: int | None = Field(default=None, ge=0, le=100)
    aggressiveness: float | None = Field(default=None, ge=0, le=10)
    ends_at: Time | None = None


class Campaign(CampaignIn):
    """A campaign; ``objective_words`` is its objective as people read it."""

    id: str
    status: CampaignStatus
    objective_words: str
    created_at: AwareDatetime
