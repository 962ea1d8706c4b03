"""Events tell who did it, on which node, and of which version they are."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Apply."""
    op.add_column("journal", sa.Column("actor", sa.String(40), nullable=False, server_default="engine"))
    op.add_column("journal", sa.Column("node", sa.String(20), nullable=False, server_default="1"))
    op.add_column("journal", sa.Column("version", sa.Integer(), nullable=False, server_default="1"))


def downgrade() -> None:
    """Undo."""
    for name in ("version", "node", "actor"):
        op.drop_column("journal", name)
