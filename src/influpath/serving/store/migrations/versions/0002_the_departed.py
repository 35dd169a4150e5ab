"""What reports keep of users whose data is deleted: numbers."""

import sqlalchemy as sa
from alembic import op

from influpath.serving.store.tables import Utc

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "departed",
        sa.Column("campaign_id", sa.String(length=40), nullable=False),
        sa.Column("arm", sa.String(length=10), nullable=False),
        sa.Column("counts_from", Utc, nullable=False),
        sa.Column("tenant_id", sa.String(length=100), nullable=False),
        sa.Column("users", sa.Integer(), nullable=False),
        sa.Column("shown", sa.Integer(), nullable=False),
        sa.Column("accepted", sa.Integer(), nullable=False),
        sa.Column("arrived", sa.Integer(), nullable=False),
        sa.Column("in_time", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaigns.id"],
            name=op.f("fk_departed_campaign_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name=op.f("fk_departed_tenant_id")
        ),
        sa.PrimaryKeyConstraint("campaign_id", "arm", "counts_from", name=op.f("pk_departed")),
    )


def downgrade() -> None:
    """Drop it, with the numbers in it."""
    op.drop_table("departed")
