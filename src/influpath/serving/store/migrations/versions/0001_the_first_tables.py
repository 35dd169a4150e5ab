"""The first tables, and the audit log that can only grow."""

import sqlalchemy as sa
from alembic import op

from influpath.serving.store.tables import Utc

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ZERO = sa.text("0")
REFUSED = "the audit log is append-only"
# SQLite replaces a row without asking the trigger for deletion, so numbers may not come again.
SQLITE_TRIGGERS = (
    "CREATE TRIGGER audit_update BEFORE UPDATE ON audit "
    f"BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END",
    "CREATE TRIGGER audit_delete BEFORE DELETE ON audit "
    f"BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END",
    "CREATE TRIGGER audit_replace BEFORE INSERT ON audit "
    "WHEN EXISTS (SELECT 1 FROM audit WHERE number = NEW.number) "
    f"BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END",
)
POSTGRES_TRIGGERS = (
    "CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS "
    f"$$ BEGIN RAISE EXCEPTION '{REFUSED}'; END $$",
    "CREATE TRIGGER audit_rows BEFORE UPDATE OR DELETE ON audit "
    "FOR EACH ROW EXECUTE FUNCTION audit_refuse()",
    "CREATE TRIGGER audit_table BEFORE TRUNCATE ON audit "
    "FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()",
)


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "tenants",
        sa.Column("tenant_id", sa.String(length=100), nullable=False),
        sa.Column("revision", NUMBER, server_default=ZERO, nullable=False),
        sa.Column("excluded", sa.JSON(), nullable=False),
        sa.Column("salt", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_tenants")),
    )
    op.create_table(
        "activations",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("tenant_id", sa.String(length=100), nullable=False),
        sa.Column("version", sa.String(length=100), nullable=False),
        sa.Column("at", Utc, nullable=False),
        sa.Column("rolled_back", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name=op.f("fk_activations_tenant_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activations")),
    )
    op.create_index(
        op.f("ix_activations_tenant_id_rolled_back_id"),
        "activations",
        ["tenant_id", "rolled_back", "id"],
        unique=False,
    )
    op.create_table(
        "audit",
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        sa.Column("tenant_id", sa.String(length=100), nullable=False),
        sa.Column("at", Utc, nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=True),
        sa.Column("campaign_id", sa.String(length=40), nullable=True),
        sa.Column("model", sa.String(length=100), nullable=True),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name=op.f("fk_audit_tenant_id")
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_audit_campaign_id_number"), "audit", ["campaign_id", "number"], unique=False
    )
    op.create_index(op.f("ix_audit_subject_number"), "audit", ["subject", "number"], unique=False)
    op.create_index(
        op.f("ix_audit_tenant_id_number"), "audit", ["tenant_id", "number"], unique=False
    )
    op.create_table(
        "campaigns",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("tenant_id", sa.String(length=100), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("terms", sa.JSON(), nullable=False),
        sa.Column("named", sa.Boolean(), nullable=False),
        sa.Column("objective_words", sa.Text(), nullable=False),
        sa.Column("created_at", Utc, nullable=False),
        sa.Column("ended_at", Utc, nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name=op.f("fk_campaigns_tenant_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaigns")),
    )
    op.create_index(
        op.f("ix_campaigns_tenant_id_status"), "campaigns", ["tenant_id", "status"], unique=False
    )
    op.create_table(
        "erased",
        sa.Column("tenant_id", sa.String(length=100), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("opted_out", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name=op.f("fk_erased_tenant_id")
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_erased")),
    )
    op.create_table(
        "keys",
        sa.Column("key_id", sa.String(length=40), nullable=False),
        sa.Column("tenant_id", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("ends_in", sa.String(length=4), nullable=False),
        sa.Column("created_at", Utc, nullable=False),
        sa.Column("expires_at", Utc, nullable=True),
        sa.Column("revoked_at", Utc, nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name=op.f("fk_keys_tenant_id")
        ),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_keys")),
    )
    op.create_index(op.f("ix_keys_tenant_id"), "keys", ["tenant_id"], unique=False)
    op.create_table(
        "models",
        sa.Column("tenant_id", sa.String(length=100), nullable=False),
        sa.Column("version", sa.String(length=100), nullable=False),
        sa.Column("card", sa.JSON(), nullable=False),
        sa.Column("registered_at", Utc, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name=op.f("fk_models_tenant_id")
        ),
        sa.UniqueConstraint("tenant_id", "version", name=op.f("uq_models_tenant_id_version")),
    )
    op.create_table(
        "users",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("tenant_id", sa.String(length=100), nullable=False),
        sa.Column("user_id", sa.String(length=200), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("turn", NUMBER, server_default=ZERO, nullable=False),
        sa.Column("opted_out", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("known", sa.Boolean(), nullable=False),
        sa.Column("excluded", sa.JSON(), nullable=False),
        sa.Column("created_at", Utc, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name=op.f("fk_users_tenant_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("tenant_id", "user_id", name=op.f("uq_users_tenant_id_user_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "audiences",
        sa.Column("campaign_id", sa.String(length=40), nullable=False),
        sa.Column("user_id", sa.String(length=200), nullable=False),
        sa.Column("tenant_id", sa.String(length=100), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaigns.id"],
            name=op.f("fk_audiences_campaign_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name=op.f("fk_audiences_tenant_id")
        ),
        sa.PrimaryKeyConstraint("campaign_id", "user_id", name=op.f("pk_audiences")),
    )
    op.create_index(
        op.f("ix_audiences_tenant_id_user_id"), "audiences", ["tenant_id", "user_id"], unique=False
    )
    op.create_table(
        "goals",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("tenant_id", sa.String(length=100), nullable=False),
        sa.Column("user_ref", NUMBER, nullable=False),
        sa.Column("objective", sa.JSON(), nullable=False),
        sa.Column("objective_words", sa.Text(), nullable=False),
        sa.Column("horizon", sa.Integer(), nullable=False),
        sa.Column("created_at", Utc, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name=op.f("fk_goals_tenant_id")
        ),
        sa.ForeignKeyConstraint(
            ["user_ref"], ["users.id"], name=op.f("fk_goals_user_ref"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_goals")),
    )
    op.create_index(op.f("ix_goals_user_ref"), "goals", ["user_ref"], unique=False)
    op.create_table(
        "journeys",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("tenant_id", sa.String(length=100), nullable=False),
        sa.Column("user_ref", NUMBER, nullable=False),
        sa.Column("campaign_id", sa.String(length=40), nullable=True),
        sa.Column("goal_id", sa.String(length=40), nullable=True),
        sa.Column("arm", sa.String(length=10), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("version", sa.String(length=100), nullable=False),
        sa.Column("horizon", sa.Integer(), nullable=False),
        sa.Column("shown", sa.Integer(), server_default=ZERO, nullable=False),
        sa.Column("feasibility", sa.Float(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("enrolled_turn", NUMBER, nullable=False),
        sa.Column("enrolled_at", Utc, nullable=False),
        sa.Column("began_turn", NUMBER, nullable=True),
        sa.Column("ended_at", Utc, nullable=True),
        sa.Column("arrived_at", Utc, nullable=True),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_journeys_campaign_id")
        ),
        sa.ForeignKeyConstraint(
            ["goal_id"], ["goals.id"], name=op.f("fk_journeys_goal_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name=op.f("fk_journeys_tenant_id")
        ),
        sa.ForeignKeyConstraint(
            ["user_ref"], ["users.id"], name=op.f("fk_journeys_user_ref"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journeys")),
        sa.UniqueConstraint("goal_id", name=op.f("uq_journeys_goal_id")),
        sa.UniqueConstraint(
            "user_ref", "campaign_id", name=op.f("uq_journeys_user_ref_campaign_id")
        ),
    )
    op.create_index(
        op.f("ix_journeys_campaign_id_status"), "journeys", ["campaign_id", "status"], unique=False
    )
    op.create_index(
        op.f("ix_journeys_tenant_id_version_status"),
        "journeys",
        ["tenant_id", "version", "status"],
        unique=False,
    )
    op.create_table(
        "proposals",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("tenant_id", sa.String(length=100), nullable=False),
        sa.Column("user_ref", NUMBER, nullable=False),
        sa.Column("turn", NUMBER, nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("journey_id", sa.String(length=40), nullable=True),
        sa.Column("source", sa.String(length=10), nullable=False),
        sa.Column("campaign_id", sa.String(length=40), nullable=True),
        sa.Column("goal_id", sa.String(length=40), nullable=True),
        sa.Column("item", sa.String(length=200), nullable=True),
        sa.Column("step", sa.Integer(), nullable=True),
        sa.Column("horizon", sa.Integer(), nullable=True),
        sa.Column("is_objective", sa.Boolean(), nullable=False),
        sa.Column("acceptance", sa.Float(), nullable=True),
        sa.Column("rank", sa.Integer(), nullable=True),
        sa.Column("aggressiveness", sa.Float(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("version", sa.String(length=100), nullable=False),
        sa.Column("created_at", Utc, nullable=False),
        sa.Column("closed_at", Utc, nullable=True),
        sa.Column("answer", sa.String(length=10), nullable=True),
        sa.ForeignKeyConstraint(
            ["journey_id"],
            ["journeys.id"],
            name=op.f("fk_proposals_journey_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name=op.f("fk_proposals_tenant_id")
        ),
        sa.ForeignKeyConstraint(
            ["user_ref"], ["users.id"], name=op.f("fk_proposals_user_ref"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposals")),
    )
    op.create_index(op.f("ix_proposals_campaign_id"), "proposals", ["campaign_id"], unique=False)
    op.create_index(op.f("ix_proposals_journey_id"), "proposals", ["journey_id"], unique=False)
    op.create_index(
        op.f("ix_proposals_user_ref_turn"), "proposals", ["user_ref", "turn"], unique=False
    )
    op.create_index(
        "uq_proposals_open",
        "proposals",
        ["user_ref"],
        unique=True,
        sqlite_where=sa.text("status = 'open'"),
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_table(
        "events",
        sa.Column("tenant_id", sa.String(length=100), nullable=False),
        sa.Column("event_id", sa.String(length=200), nullable=True),
        sa.Column("user_ref", NUMBER, nullable=False),
        sa.Column("turn", NUMBER, nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("item", sa.String(length=200), nullable=False),
        sa.Column("proposal_id", sa.String(length=40), nullable=True),
        sa.Column("journey_id", sa.String(length=40), nullable=True),
        sa.Column("at", Utc, nullable=True),
        sa.Column("recorded_at", Utc, nullable=False),
        sa.ForeignKeyConstraint(
            ["journey_id"], ["journeys.id"], name=op.f("fk_events_journey_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["proposal_id"],
            ["proposals.id"],
            name=op.f("fk_events_proposal_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name=op.f("fk_events_tenant_id")
        ),
        sa.ForeignKeyConstraint(
            ["user_ref"], ["users.id"], name=op.f("fk_events_user_ref"), ondelete="CASCADE"
        ),
        sa.UniqueConstraint("tenant_id", "event_id", name=op.f("uq_events_tenant_id_event_id")),
    )
    op.create_index(op.f("ix_events_journey_id"), "events", ["journey_id"], unique=False)
    op.create_index(op.f("ix_events_proposal_id"), "events", ["proposal_id"], unique=False)
    op.create_index(op.f("ix_events_user_ref_turn"), "events", ["user_ref", "turn"], unique=False)
    sqlite = op.get_context().dialect.name == "sqlite"
    for trigger in SQLITE_TRIGGERS if sqlite else POSTGRES_TRIGGERS:
        op.execute(trigger)


def downgrade() -> None:
    """Drop them, with everything in them."""
    op.drop_table("events")
    op.drop_table("proposals")
    op.drop_table("journeys")
    op.drop_table("goals")
    op.drop_table("audiences")
    op.drop_table("users")
    op.drop_table("models")
    op.drop_table("keys")
    op.drop_table("erased")
    op.drop_table("campaigns")
    op.drop_table("audit")
    op.drop_table("activations")
    op.drop_table("tenants")
    if op.get_context().dialect.name != "sqlite":
        op.execute("DROP FUNCTION audit_refuse()")
