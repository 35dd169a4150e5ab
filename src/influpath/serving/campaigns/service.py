"""The only door to campaigns: every method takes a ``Caller`` first and checks its role.

Safe to call from several threads and processes at once.  What a method has answered is on disk.
Errors of all methods: ``ForbiddenError`` where the role does not allow it, ``NotFoundError`` for
what is not there or another tenant's, ``ConflictError``, ``NotReadyError`` without an active
model, and those of ``influpath.errors`` for what was given wrongly.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from influpath.serving import schemas
from influpath.serving.campaigns.caller import Caller
from influpath.serving.engine.asks import Engine
from influpath.serving.settings import ServerSettings
from influpath.serving.store.database import Database

__all__ = ["Caller", "Service"]


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


class Service:
    """Campaigns, users, models and their audit log.

    Args:
        store: The database, migrated.
        engine: Plans and judges.
        settings: Caps, and the folder of bundles.
        clock: Tells the time (aware).
    """

    def __init__(
        self,
        store: Database,
        engine: Engine,
        settings: ServerSettings,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.store = store
        self.engine = engine
        self.settings = settings
        self.clock = clock

    def ready(self) -> None:
        """Check that ``next`` could be answered.

        Raises:
            NotReadyError: The database does not answer or is not migrated, or no model is active.
        """
        raise NotImplementedError

    def campaigns(
        self, caller: Caller, status: schemas.CampaignStatus | None = None
    ) -> tuple[schemas.Campaign, ...]:
        """Return the campaigns, the newest first (viewer)."""
        raise NotImplementedError

    def campaign(self, caller: Caller, campaign_id: str) -> schemas.Campaign:
        """Return a campaign (viewer)."""
        raise NotImplementedError

    def create_campaign(self, caller: Caller, given: schemas.CampaignIn) -> schemas.Campaign:
        """Create a campaign, which runs from its start on (admin)."""
        raise NotImplementedError

    def change_campaign(
        self, caller: Caller, campaign_id: str, change: schemas.CampaignChange
    ) -> schemas.Campaign:
        """Pause, resume or end a campaign, or change what may be changed (admin).

        Raises:
            ConflictError: It has ended.
        """
        raise NotImplementedError

    def report(self, caller: Caller, campaign_id: str) -> schemas.CampaignReport:
        """Return how a campaign goes (viewer)."""
        raise NotImplementedError

    def next(self, caller: Caller, given: schemas.NextIn) -> schemas.Next:
        """Return what to show a user next, the same until it is answered (service)."""
        raise NotImplementedError

    def feedback(self, caller: Caller, given: schemas.FeedbackIn) -> schemas.Feedback:
        """Record what users did, all of it or nothing (service).

        Raises:
            NotFoundError: A proposal is not that user's.
            ConflictError: An event id is known with other content, or an item is not the
                proposal's.
        """
        raise NotImplementedError

    def plan(self, caller: Caller, given: schemas.PlanIn) -> schemas.Plan:
        """Return a whole path; nothing is recorded (viewer)."""
        raise NotImplementedError

    def audience(self, caller: Caller, given: schemas.AudienceIn) -> schemas.AudienceOut:
        """Return who can be led to an objective (viewer)."""
        raise NotImplementedError

    def models(self, caller: Caller) -> tuple[schemas.Model, ...]:
        """Return the versions of the model, the newest first (viewer)."""
        raise NotImplementedError

    def register_model(self, caller: Caller, given: schemas.ModelIn) -> schemas.Model:
        """Check and register a version; the first one becomes active (admin)."""
        raise NotImplementedError

    def activate_model(self, caller: Caller, version: str) -> schemas.Model:
        """Make a version the one of new journeys (admin)."""
        raise NotImplementedError

    def roll_back(self, caller: Caller) -> schemas.Model:
        """Make the version active again that was before, and return it (admin).

        Raises:
            ConflictError: There was none before.
        """
        raise NotImplementedError

    def user(self, caller: Caller, user_id: schemas.Id) -> schemas.User:
        """Return what is known of a user (viewer)."""
        raise NotImplementedError

    def opt_out(self, caller: Caller, user_id: schemas.Id, given: schemas.OptOutIn) -> schemas.User:
        """Leave a user alone from the very next call on, or no longer (service)."""
        raise NotImplementedError

    def exclude(
        self, caller: Caller, user_id: schemas.Id, given: schemas.Exclusions
    ) -> schemas.User:
        """Set what a user never wants to see, in place of what was set before (service)."""
        raise NotImplementedError

    def add_goal(self, caller: Caller, user_id: schemas.Id, given: schemas.GoalIn) -> schemas.Goal:
        """Set a goal that a user chose (service)."""
        raise NotImplementedError

    def give_up_goal(self, caller: Caller, user_id: schemas.Id, goal_id: str) -> schemas.Goal:
        """Give up a goal; one that is finished stays as it is (service)."""
        raise NotImplementedError

    def delete_user(self, caller: Caller, user_id: schemas.Id) -> schemas.Deleted:
        """Delete a user's data (service)."""
        raise NotImplementedError

    def audit(
        self,
        caller: Caller,
        after: int | None = None,
        limit: int = 100,
        user_id: schemas.Id | None = None,
        campaign_id: str | None = None,
    ) -> schemas.AuditPage:
        """Return entries of the audit log, oldest first (viewer).

        Args:
            caller: Who calls.
            after: Only entries with a greater number.
            limit: At most so many, 1 to 1,000.
            user_id: Only those about a user.
            campaign_id: Only those about a campaign.
        """
        raise NotImplementedError

    def exclusions(self, caller: Caller) -> schemas.Exclusions:
        """Return what nobody is ever shown (viewer)."""
        raise NotImplementedError

    def set_exclusions(self, caller: Caller, given: schemas.Exclusions) -> schemas.Exclusions:
        """Set what nobody is ever shown, in place of what was set before (admin)."""
        raise NotImplementedError

    def search_items(self, caller: Caller, q: str, limit: int = 20) -> schemas.Page:
        """Return items whose title or id is like ``q`` (viewer)."""
        raise NotImplementedError

    def search_users(self, caller: Caller, q: str, limit: int = 20) -> schemas.Page:
        """Return users of the active model's data whose id is like ``q`` (viewer)."""
        raise NotImplementedError

    def categories(self, caller: Caller) -> tuple[str, ...]:
        """Return the categories of the active model's catalogue (viewer)."""
        raise NotImplementedError
