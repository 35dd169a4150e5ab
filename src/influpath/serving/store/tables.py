"""The tables.  Everything belongs to a tenant; a user's own id is in ``users`` (and in the
audiences that name it), everywhere else stands the number of that row, ``user_ref``.

What happens to a user is numbered by ``users.turn``, which counts up with every change: proposals
and events carry the turn in which they came, so a journey can be lived through again in order, and
who decides something checks that the turn is still the one that was read.
"""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    literal_column,
    text,
)

# Constraints have names, so that migrations can speak of them on every database.
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite counts up only what it calls INTEGER.
Number = BigInteger().with_variant(Integer(), "sqlite")
TENANT = String(100)
KEY = String(40)


class Utc(TypeDecorator[datetime]):
    """A time that is aware and UTC, also where the database knows no zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return what the database gets."""
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return what the database gave, aware."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def tenant() -> Column[str]:
    """Return the column that says whose a row is."""
    return Column("tenant_id", TENANT, ForeignKey("tenants.tenant_id"), nullable=False)


def user() -> Column[int]:
    """Return the column that says which user a row is about; it goes with the user."""
    return Column("user_ref", Number, ForeignKey("users.id", ondelete="CASCADE"), nullable=False)


tenants = Table(
    "tenants",
    metadata,
    Column("tenant_id", TENANT, primary_key=True),
    # Counts up with every change that concerns all users: campaigns, exclusions, models.
    Column("revision", Number, nullable=False, server_default=text("0")),
    Column("excluded", JSON, nullable=False),
    # Goes into the hash that remembers whose data was deleted.
    Column("salt", String(64), nullable=False),
)

keys = Table(
    "keys",
    metadata,
    Column("key_id", KEY, primary_key=True),
    tenant(),
    Column("name", String(200), nullable=False),
    Column("role", String(20), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("ends_in", String(4), nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("expires_at", Utc),
    Column("revoked_at", Utc),
    Index(None, "tenant_id"),
)

models = Table(
    "models",
    metadata,
    tenant(),
    Column("version", String(100), nullable=False),
    Column("card", JSON, nullable=False),
    Column("registered_at", Utc, nullable=False),
    UniqueConstraint("tenant_id", "version"),
)

# The active model is the last activation that was not rolled back.
activations = Table(
    "activations",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    tenant(),
    Column("version", String(100), nullable=False),
    Column("at", Utc, nullable=False),
    Column("rolled_back", Boolean, nullable=False, server_default=false()),
    Index(None, "tenant_id", "rolled_back", "id"),
)

campaigns = Table(
    "campaigns",
    metadata,
    Column("id", KEY, primary_key=True),
    tenant(),
    Column("status", String(10), nullable=False),
    # A ``CampaignIn`` but for the users that its audience names: they are in ``audiences``.
    Column("terms", JSON, nullable=False),
    Column("named", Boolean, nullable=False),
    Column("objective_words", Text, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("ended_at", Utc),
    Index(None, "tenant_id", "status"),
)

audiences = Table(
    "audiences",
    metadata,
    Column("campaign_id", KEY, ForeignKey("campaigns.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", String(200), primary_key=True),
    # For deletion, which knows the user and not the campaigns.
    tenant(),
    Index(None, "tenant_id", "user_id"),
)

users = Table(
    "users",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    tenant(),
    Column("user_id", String(200), nullable=False),
    # Stands for the user in the audit log; drawn by lot.
    Column("subject", KEY, nullable=False),
    Column("turn", Number, nullable=False, server_default=text("0")),
    Column("opted_out", Boolean, nullable=False, server_default=false()),
    # Whether the history that a bundle has counts; not so once data was deleted.
    Column("known", Boolean, nullable=False),
    Column("excluded", JSON, nullable=False),
    Column("created_at", Utc, nullable=False),
    UniqueConstraint("tenant_id", "user_id"),
    sqlite_autoincrement=True,
)

# Whose data was deleted: nobody can be read out of it, but who comes again is recognised.
erased = Table(
    "erased",
    metadata,
    tenant(),
    Column("digest", String(64), primary_key=True),
    Column("opted_out", Boolean, nullable=False),
)

goals = Table(
    "goals",
    metadata,
    Column("id", KEY, primary_key=True),
    tenant(),
    user(),
    Column("objective", JSON, nullable=False),
    Column("objective_words", Text, nullable=False),
    Column("horizon", Integer, nullable=False),
    Column("created_at", Utc, nullable=False),
    Index(None, "user_ref"),
)

# A user on the way to the objective of a campaign or of an own goal; also those of the hold-out,
# who are led nowhere, and those who wait for their turn (``began_turn`` is not set yet).
journeys = Table(
    "journeys",
    metadata,
    Column("id", KEY, primary_key=True),
    tenant(),
    user(),
    Column("campaign_id", KEY, ForeignKey("campaigns.id")),
    Column("goal_id", KEY, ForeignKey("goals.id", ondelete="CASCADE")),
    Column("arm", String(10), nullable=False),
    Column("status", String(10), nullable=False),
    Column("version", String(100), nullable=False),
    Column("horizon", Integer, nullable=False),
    Column("shown", Integer, nullable=False, server_default=text("0")),
    Column("feasibility", Float),
    Column("note", Text),
    Column("enrolled_turn", Number, nullable=False),
    Column("enrolled_at", Utc, nullable=False),
    Column("began_turn", Number),
    Column("ended_at", Utc),
    # Kept also of journeys that had ended before.
    Column("arrived_at", Utc),
    UniqueConstraint("user_ref", "campaign_id"),
    UniqueConstraint("goal_id"),
    Index(None, "campaign_id", "status"),
    Index(None, "tenant_id", "version", "status"),
)

# Users whose data was deleted, as numbers that reports keep: how many there were, how far they
# came, and how many arrived within their window.
departed = Table(
    "departed",
    metadata,
    Column("campaign_id", KEY, ForeignKey("campaigns.id", ondelete="CASCADE"), primary_key=True),
    Column("arm", String(10), primary_key=True),
    # The day on which their windows are over.
    Column("counts_from", Utc, primary_key=True),
    tenant(),
    Column("users", Integer, nullable=False),
    Column("shown", Integer, nullable=False),
    Column("accepted", Integer, nullable=False),
    Column("arrived", Integer, nullable=False),
    Column("in_time", Integer, nullable=False),
)

proposals = Table(
    "proposals",
    metadata,
    Column("id", KEY, primary_key=True),
    tenant(),
    user(),
    Column("turn", Number, nullable=False),
    Column("status", String(10), nullable=False),
    Column("journey_id", KEY, ForeignKey("journeys.id", ondelete="CASCADE")),
    Column("source", String(10), nullable=False),
    Column("campaign_id", KEY),
    Column("goal_id", KEY),
    Column("item", String(200)),
    Column("step", Integer),
    Column("horizon", Integer),
    Column("is_objective", Boolean, nullable=False),
    Column("acceptance", Float),
    Column("rank", Integer),
    Column("aggressiveness", Float),
    Column("reason", Text),
    Column("note", Text),
    Column("version", String(100), nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("closed_at", Utc),
    # accepted, rejected or ignored: what the platform said, also of one that was closed before.
    Column("answer", String(10)),
    Index(None, "user_ref", "turn"),
    Index(None, "journey_id"),
    Index(None, "campaign_id"),
    # Two calls of ``next`` at once: one of them proposes, the other reads what was proposed.
    Index(
        "uq_proposals_open",
        "user_ref",
        unique=True,
        sqlite_where=text("status = 'open'"),
        postgresql_where=text("status = 'open'"),
    ),
)

# Written out, for an index of open ones alone: were it a parameter, SQLite would plan a query anew
# each time that it is asked.
PROPOSAL_IS_OPEN = proposals.c.status == literal_column("'open'")

events = Table(
    "events",
    metadata,
    tenant(),
    # The platform's; none where the service itself records that an answer never came.
    Column("event_id", String(200)),
    user(),
    Column("turn", Number, nullable=False),
    Column("kind", String(10), nullable=False),
    Column("item", String(200), nullable=False),
    Column("proposal_id", KEY, ForeignKey("proposals.id", ondelete="CASCADE")),
    # Of which journey it used up a slot.
    Column("journey_id", KEY, ForeignKey("journeys.id", ondelete="CASCADE")),
    # As the platform gave it, if it did.
    Column("at", Utc),
    Column("recorded_at", Utc, nullable=False),
    UniqueConstraint("tenant_id", "event_id"),
    Index(None, "user_ref", "turn"),
    Index(None, "proposal_id"),
    Index(None, "journey_id"),
)

# Rows can be added only: triggers of the migrations refuse everything else.
audit = Table(
    "audit",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    tenant(),
    Column("at", Utc, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("action", String(40), nullable=False),
    Column("subject", KEY),
    Column("campaign_id", KEY),
    Column("model", String(100)),
    Column("details", JSON, nullable=False),
    Index(None, "tenant_id", "number"),
    Index(None, "subject", "number"),
    Index(None, "campaign_id", "number"),
    sqlite_autoincrement=True,
)
