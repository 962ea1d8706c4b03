"""Events tell who did it and on which node; calls and seats belong to a node; people's part of a ticket is its own."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Apply."""
    op.add_column("journal", sa.Column("actor", sa.String(40), nullable=False, server_default="engine"))
    op.add_column("journal", sa.Column("node", sa.String(20), nullable=False, server_default="1"))
    op.add_column("journal", sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("calls", sa.Column("node", sa.String(20), nullable=False, server_default="1"))
    op.add_column("tickets", sa.Column("life_state", sa.String(20), nullable=True))
    op.rename_table("seats", "seats_of_one_node")  # a key cannot be changed in SQLite
    op.create_table(
        "seats",
        sa.Column("node", sa.String(20), nullable=False, server_default="1"),
        sa.Column("seat", sa.String(10), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("operator", sa.String(10), nullable=True),
        sa.Column("reason", sa.String(40), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("node", "seat", name="pk_seats"),
    )
    columns = "seat, state, operator, reason, since"
    op.execute(f"INSERT INTO seats (node, {columns}) SELECT '1', {columns} FROM seats_of_one_node")
    op.drop_table("seats_of_one_node")


def downgrade() -> None:
    """Undo."""
    op.rename_table("seats", "seats_of_nodes")
    op.create_table(
        "seats",
        sa.Column("seat", sa.String(10), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("operator", sa.String(10), nullable=True),
        sa.Column("reason", sa.String(40), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("seat"),
    )
    columns = "seat, state, operator, reason, since"
    op.execute(f"INSERT INTO seats ({columns}) SELECT {columns} FROM seats_of_nodes WHERE node = '1'")
    op.drop_table("seats_of_nodes")
    op.drop_column("tickets", "life_state")
    op.drop_column("calls", "node")
    for name in ("version", "node", "actor"):
        op.drop_column("journal", name)
