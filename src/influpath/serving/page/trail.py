"""The audit trail of a campaign or a user, as pages show it."""

from collections.abc import Iterator
from typing import Any

from fastapi import Request

from influpath.serving.page.access import Visit
from influpath.serving.schemas import AuditEntry

LISTED, AT_ONCE = 25, 1_000


def trail_of(request: Request, visit: Visit, **about: str) -> dict[str, Any]:
    """Return what ``part-audit.html.j2`` shows.

    Args:
        request: Its address says after which entry to begin.
        visit: Who looks.
        about: ``campaign_id`` or ``user_id``.
    """
    after = number(request.query_params.get("after"))
    audit = visit.service.audit(visit.caller, after, LISTED, **about)
    return {"audit": audit, "after": after, "full": LISTED}


def entries(visit: Visit, campaign_id: str) -> Iterator[AuditEntry]:
    """Yield all entries about a campaign."""
    after = None
    while True:
        found = visit.service.audit(visit.caller, after, AT_ONCE, campaign_id=campaign_id)
        yield from found.entries
        if len(found.entries) < AT_ONCE or found.last is None:
            return
        after = found.last


def number(text: str | None) -> int | None:
    """Return a whole number of the address; what is none is passed over."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None
