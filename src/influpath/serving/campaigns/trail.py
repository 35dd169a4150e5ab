"""The audit log, as it can be read."""

from collections.abc import Mapping
from typing import Any

from influpath.errors import ConfigError
from influpath.serving.campaigns.base import Base
from influpath.serving.campaigns.caller import Caller
from influpath.serving.campaigns.catalogues import CatalogueView, card
from influpath.serving.campaigns.plain_language import words
from influpath.serving.errors import NotFoundError
from influpath.serving.schemas import AuditEntry, AuditPage, Id
from influpath.serving.store import audit, users

MOST = 1_000
AS_KEPT = tuple(name for name in AuditEntry.model_fields if name != "words")


class Trail(Base):
    """The audit log."""

    def audit(
        self,
        caller: Caller,
        after: int | None = None,
        limit: int = 100,
        user_id: Id | None = None,
        campaign_id: str | None = None,
    ) -> AuditPage:
        """Return entries of the audit log, oldest first (viewer).

        Args:
            caller: Who calls.
            after: Only entries with a greater number.
            limit: At most so many, 1 to 1,000.
            user_id: Only those about a user.
            campaign_id: Only those about a campaign.

        Raises:
            NotFoundError: Nothing is kept of such a user, or there is no such campaign.
            ConfigError: The limit is out of range.
        """
        caller.must_be("viewer")
        if not 1 <= limit <= MOST:
            raise ConfigError(f"limit: give a number from 1 to {MOST}; it is {limit}.")
        catalogue = self._any_catalogue(caller.tenant)
        with self.store.reading() as connection:
            subject = None
            if user_id is not None:
                user = users.find(connection, caller.tenant, str(user_id))
                if user is None:
                    raise NotFoundError(f"nothing is kept of user {user_id!r}.")
                subject = user.subject
            if campaign_id is not None:
                self._campaign(connection, caller.tenant, campaign_id)
            rows = audit.page(connection, caller.tenant, after, limit, subject, campaign_id)
        entries = tuple(
            AuditEntry(
                **{name: getattr(row, name) for name in AS_KEPT},
                words=words(
                    row.actor, row.action, row.model, row.details, titled(catalogue, row.details)
                ),
            )
            for row in rows
        )
        return AuditPage(entries=entries, last=entries[-1].number if entries else after)


def titled(catalogue: CatalogueView | None, details: Mapping[str, Any]) -> str | None:
    """Return the title of an entry's item, as the active model has it."""
    item = details.get("item")
    return None if catalogue is None or item is None else card(catalogue, str(item)).title
