"""Campaigns: created, changed, looked at; and what nobody is ever shown."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from influpath.errors import ConfigError
from influpath.serving.campaigns.base import Base
from influpath.serving.campaigns.caller import Caller
from influpath.serving.campaigns.catalogues import CatalogueView, checked, own_user
from influpath.serving.campaigns.ending import end, end_due
from influpath.serving.campaigns.terms import check_objective
from influpath.serving.errors import ConflictError
from influpath.serving.schemas import (
    Audience,
    Campaign,
    CampaignChange,
    CampaignIn,
    CampaignStatus,
    Exclusions,
)
from influpath.serving.store import campaigns, tenants
from influpath.serving.store.campaigns import Kept
from influpath.serving.store.names import fresh

# Every user meets every campaign that runs: each one more makes ``next`` slower for all.
MOST_OPEN = 200
ACTIONS = {"running": "campaign.resumed", "paused": "campaign.paused"}


class Managing(Base):
    """Campaigns, created and changed."""

    def campaigns(
        self, caller: Caller, status: CampaignStatus | None = None
    ) -> tuple[Campaign, ...]:
        """Return the campaigns, the newest first (viewer)."""
        caller.must_be("viewer")
        self._end_due(caller.tenant)
        catalogue = self._any_catalogue(caller.tenant)
        with self.store.reading() as connection:
            return tuple(
                as_campaign(kept, self._audience(connection, kept), catalogue)
                for kept in campaigns.listed(connection, caller.tenant)
                if status in (None, kept.status)
            )

    def campaign(self, caller: Caller, campaign_id: str) -> Campaign:
        """Return a campaign (viewer)."""
        caller.must_be("viewer")
        self._end_due(caller.tenant)
        catalogue = self._any_catalogue(caller.tenant)
        with self.store.reading() as connection:
            kept = self._campaign(connection, caller.tenant, campaign_id)
            return as_campaign(kept, self._audience(connection, kept), catalogue)

    def create_campaign(self, caller: Caller, given: CampaignIn) -> Campaign:
        """Create a campaign, which runs from its start on (admin).

        Raises:
            UnknownIdError: The active model knows no such item or category.
            ConfigError: Its time is over, the model cannot plan that far, or all of the objective
                is excluded.
            ConflictError: As many campaigns as may be are open.
        """
        caller.must_be("admin")
        now = self.clock()
        if given.ends_at is not None and given.ends_at <= now:
            raise ConfigError(f"ends_at: {given.ends_at.isoformat()} is over; give a later time.")
        version, catalogue = self._active_catalogue(caller.tenant)
        self._check_horizon(caller.tenant, version, given.horizon)
        guardrails = given.guardrails.model_copy(
            update={"excluded": checked(catalogue, given.guardrails.excluded)}
        )
        words = catalogue.words(given.objective)
        users = tuple(map(str, given.audience.users))
        terms = campaigns.without_users(given.model_copy(update={"guardrails": guardrails}))
        named = given.audience.kind == "users"
        kept = Kept(fresh("c"), "running", terms, named, words, now, None)
        with self.store.writing() as connection:
            # First, so that nobody changes meanwhile what is checked here.
            tenants.touch(connection, caller.tenant)
            everyone = tenants.excluded(connection, caller.tenant)
            check_objective(catalogue, given.objective, everyone, guardrails.excluded)
            check_room(campaigns.listed(connection, caller.tenant))
            campaigns.add(connection, caller.tenant, kept, users)
            details = terms.model_dump(mode="json", exclude={"audience", "name"})
            self._note(
                connection,
                caller,
                "campaign.created",
                campaign_id=kept.id,
                campaign=given.name,
                words=words,
                audience=len(set(users)) if named else "everyone",
                **details,
            )
            return as_campaign(kept, self._audience(connection, kept), catalogue)

    def change_campaign(self, caller: Caller, campaign_id: str, change: CampaignChange) -> Campaign:
        """Pause, resume or end a campaign, or change what may be changed (admin).

        Raises:
            NotFoundError: There is none.
            ConflictError: It has ended.
            ConfigError: Its new end is over, or before its start.
        """
        caller.must_be("admin")
        self._end_due(caller.tenant)
        now = self.clock()
        catalogue = self._any_catalogue(caller.tenant)
        with self.store.writing() as connection:
            tenants.touch(connection, caller.tenant)
            kept = self._campaign(connection, caller.tenant, campaign_id)
            if kept.status == "ended":
                raise ConflictError(f"campaign {campaign_id!r} has ended; create another one.")
            changed = self._changed(kept, change)
            about = {"campaign_id": kept.id, "campaign": kept.terms.name}
            if changed.terms != kept.terms:
                campaigns.change(connection, changed)
                values = change.model_dump(mode="json", exclude_unset=True, exclude={"status"})
                self._note(connection, caller, "campaign.changed", **about, **values)
            if change.status == "ended":
                changed = end(
                    connection, caller.tenant, changed, caller.key_name, now, "it was ended"
                )
            elif change.status is not None and change.status != kept.status:
                changed = replace(changed, status=change.status)
                campaigns.change(connection, changed)
                self._note(connection, caller, ACTIONS[change.status], **about)
            return as_campaign(changed, self._audience(connection, changed), catalogue)

    def exclusions(self, caller: Caller) -> Exclusions:
        """Return what nobody is ever shown (viewer)."""
        caller.must_be("viewer")
        with self.store.reading() as connection:
            return tenants.excluded(connection, caller.tenant)

    def set_exclusions(self, caller: Caller, given: Exclusions) -> Exclusions:
        """Set what nobody is ever shown, in place of what was set before (admin).

        Raises:
            UnknownIdError: The active model knows no such item or category.
        """
        caller.must_be("admin")
        _, catalogue = self._active_catalogue(caller.tenant)
        excluded = checked(catalogue, given)
        with self.store.writing() as connection:
            tenants.set_excluded(connection, caller.tenant, excluded)
            details = excluded.model_dump(mode="json")
            self._note(connection, caller, "exclusions.set", **details)
        return excluded

    def _changed(self, kept: Kept, change: CampaignChange) -> Kept:
        values: dict[str, Any] = {
            name: getattr(change, name)
            for name in ("priority", "aggressiveness", "ends_at")
            if getattr(change, name) is not None
        }
        ends = values.get("ends_at")
        starts = kept.terms.starts_at
        if ends is not None and (ends <= self.clock() or (starts is not None and ends <= starts)):
            raise ConfigError(
                f"ends_at: {ends.isoformat()} is over or before the start; give a later time, or "
                "end the campaign with status 'ended'."
            )
        return replace(kept, terms=kept.terms.model_copy(update=values))

    def _audience(self, connection: Any, kept: Kept) -> tuple[str, ...]:
        return campaigns.audience(connection, kept.id) if kept.named else ()

    def _end_due(self, tenant: str) -> None:
        now = self.clock()
        with self.store.reading() as connection:
            due = any(kept.is_due(now) for kept in campaigns.listed(connection, tenant))
        if due:
            end_due(self.store, tenant, now)


def check_room(there: Sequence[Kept]) -> None:
    """Check that one more campaign may be open.

    Raises:
        ConflictError: It may not.
    """
    if sum(kept.status != "ended" for kept in there) >= MOST_OPEN:
        raise ConflictError(f"{MOST_OPEN} campaigns are open; end one before you create another.")


def as_campaign(kept: Kept, users: tuple[str, ...], catalogue: CatalogueView | None) -> Campaign:
    """Return a campaign with the users that its audience names."""
    audience = Audience()
    if kept.named:
        # Deletion may leave nobody of those who were named, which no request may ask for.
        own = tuple(own_user(catalogue, user) for user in users)
        audience = Audience.model_construct(kind="users", users=own)
    terms = {name: getattr(kept.terms, name) for name in type(kept.terms).model_fields}
    return Campaign.model_construct(
        **{**terms, "audience": audience},
        id=kept.id,
        status=kept.status,
        objective_words=kept.objective_words,
        created_at=kept.created_at,
    )
