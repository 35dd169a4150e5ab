"""Who did what, when and why."""

from pydantic import AwareDatetime

from influpath.config import FrozenConfig


class AuditEntry(FrozenConfig):
    """Who did what, when, why, with which model.

    Attributes:
        number: Counts up.
        at: When.
        actor: Name of the key, or "user", "system".
        action: Such as "campaign.created", "proposal.shown", "user.opted_out".
        subject: Stands for the user; means nothing once the user's data is deleted.
        campaign_id: Where there is one.
        model: Version.
        details: As recorded.
        words: The same in plain language.
    """

    number: int
    at: AwareDatetime
    actor: str
    action: str
    subject: str | None
    campaign_id: str | None
    model: str | None
    details: dict[str, object]
    words: str


class AuditPage(FrozenConfig):
    """Entries, oldest first; ``after`` of the next page is ``last``."""

    entries: tuple[AuditEntry, ...]
    last: int | None
