"""One statement for all that decides whether a user is shown the open proposal again.

``next`` is asked more often than anything else, and mostly for what it has said before; a single
statement also sees one state of the database, whatever others write meanwhile.
"""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from influpath.serving.store import models
from influpath.serving.store.tables import (
    PROPOSAL_IS_OPEN,
    journeys,
    proposals,
    tenants,
    users,
)


@dataclass(frozen=True)
class Account:
    """A user as the store knows them.

    Attributes:
        id: Number of the row; None for one who has none yet.
        subject: Stands for the user in the audit log.
        turn: Counts what happened.
        opted_out: Whether no campaign may lead them.
        known: Whether the history that a bundle has counts.
        excluded: What they never want to see, as it is kept.
    """

    id: int | None
    subject: str
    turn: int
    opted_out: bool
    known: bool
    excluded: dict[str, Any]


@dataclass(frozen=True)
class OpenProposal:
    """A proposal that was not answered; its columns, and the status of its journey."""

    id: str
    journey_id: str | None
    source: str
    campaign_id: str | None
    goal_id: str | None
    item: str
    step: int | None
    horizon: int | None
    is_objective: bool
    acceptance: float | None
    rank: int | None
    reason: str | None
    note: str | None
    version: str
    created_at: datetime
    journey_status: str | None


@dataclass(frozen=True)
class Glance:
    """What one statement says.

    Attributes:
        revision: The tenant's.
        excluded: By the tenant, as it is kept.
        salt: Goes into hashes of the tenant's users.
        active: The version for what begins now.
        account: The user's; None for one who is new.
        proposal: The one that is open.
    """

    revision: int
    excluded: dict[str, Any]
    salt: str
    active: str | None
    account: Account | None
    proposal: OpenProposal | None


ACCOUNT = [users.c[each.name] for each in fields(Account)]
PROPOSAL = [
    journeys.c.status if each.name == "journey_status" else proposals.c[each.name]
    for each in fields(OpenProposal)
]


def _query() -> Any:
    tenant: Any = bindparam("tenant")
    joined = (
        tenants.outerjoin(
            users,
            (users.c.tenant_id == tenants.c.tenant_id) & (users.c.user_id == bindparam("user")),
        )
        .outerjoin(proposals, (proposals.c.user_ref == users.c.id) & PROPOSAL_IS_OPEN)
        .outerjoin(journeys, journeys.c.id == proposals.c.journey_id)
    )
    return (
        select(
            tenants.c.revision,
            tenants.c.excluded,
            tenants.c.salt,
            models.active_query(tenant),
            *(column.label(f"user_{column.name}") for column in ACCOUNT),
            *(column.label(f"proposal_{at}") for at, column in enumerate(PROPOSAL)),
        )
        .select_from(joined)
        .where(tenants.c.tenant_id == tenant)
    )


QUERY = _query()
# Places of the columns of a row.
FIRST_OF_USER = 4
FIRST_OF_PROPOSAL = FIRST_OF_USER + len(ACCOUNT)


def glance(connection: Connection, tenant: str, user_id: str) -> Glance | None:
    """Return what there is of a user; None where the tenant is unknown."""
    row: Row[Any] | None = connection.execute(QUERY, {"tenant": tenant, "user": user_id}).first()
    if row is None:
        return None
    user, proposal = row[FIRST_OF_USER:FIRST_OF_PROPOSAL], row[FIRST_OF_PROPOSAL:]
    revision, excluded, salt, active = row[:FIRST_OF_USER]
    return Glance(
        revision=revision,
        excluded=excluded,
        salt=salt,
        active=active,
        account=None if user[0] is None else Account(*user),
        proposal=None if proposal[0] is None else OpenProposal(*proposal),
    )
