"""The tables.  Times are seconds since the epoch (UTC); JSON columns hold plain values.

``journal`` is the truth; ``calls``, ``tickets`` and ``seats`` are what its events say, kept for
reading.  Every change here needs a migration in ``migrations/versions``.
"""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()

journal = sa.Table(
    "journal",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("stream", sa.String(80), nullable=False, index=True),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("kind", sa.String(40), nullable=False),
    sa.Column("data", sa.JSON, nullable=False),
    sa.Column("actor", sa.String(40), nullable=False, server_default="engine"),
    sa.Column("node", sa.String(20), nullable=False, server_default="1"),
    sa.Column("version", sa.Integer, nullable=False, server_default="1"),
)

cursors = sa.Table(
    "cursors",
    metadata,
    sa.Column("name", sa.String(80), primary_key=True),
    sa.Column("position", sa.String(80), nullable=False),
)

calls = sa.Table(
    "calls",
    metadata,
    sa.Column("call_id", sa.String(80), primary_key=True),
    sa.Column("state", sa.String(20), nullable=False, index=True),
    sa.Column("caller_mask", sa.String(40), nullable=False),
    sa.Column("dialled_number", sa.String(40), nullable=False),
    sa.Column("line_id", sa.String(40)),
    sa.Column("queue", sa.String(40)),
    sa.Column("seat", sa.String(10)),
    sa.Column("operator", sa.String(10)),
    sa.Column("started_at", sa.Double, index=True),
    sa.Column("answered_at", sa.Double),
    sa.Column("ended_at", sa.Double),
    sa.Column("legs", sa.JSON, nullable=False),
    sa.Column("node", sa.String(20), nullable=False, server_default="1"),
)

tickets = sa.Table(
    "tickets",
    metadata,
    sa.Column("ticket_no", sa.String(24), primary_key=True),
    sa.Column("query_code", sa.String(8), nullable=False, index=True),
    sa.Column("parent_no", sa.String(24)),
    sa.Column("call_id", sa.String(80)),
    sa.Column("channel", sa.String(20), nullable=False),
    sa.Column("source", sa.String(20), nullable=False),
    sa.Column("opened_at", sa.Double, index=True),
    sa.Column("state", sa.String(20), nullable=False),  # where its call left it
    sa.Column("life_state", sa.String(20)),  # where people have brought it since
    sa.Column("outcome", sa.String(20)),
    sa.Column("caller_mask", sa.String(40), nullable=False),
    sa.Column("caller_enc", sa.Text, nullable=False),
    sa.Column("caller_hash", sa.String(64), nullable=False, index=True),
    sa.Column("dialled_number", sa.String(40), nullable=False),
    sa.Column("line_id", sa.String(40)),
    sa.Column("queue", sa.String(40)),
    sa.Column("seat", sa.String(10)),
    sa.Column("operator", sa.String(10)),
    sa.Column("waited_s", sa.Double),
    sa.Column("talk_s", sa.Double),
    sa.Column("category", sa.String(40)),
    sa.Column("kind", sa.String(20)),
    sa.Column("unit", sa.String(40)),
    sa.Column("clocks", sa.JSON),
    sa.Column("satisfaction", sa.Integer),
    sa.Column("recordings", sa.JSON, nullable=False),
    sa.Column("transcript", sa.JSON, nullable=False),
)

# exactly one call ticket a call; further matters of the same call have a parent
sa.Index(
    "one_call_ticket",
    tickets.c.call_id,
    unique=True,
    sqlite_where=tickets.c.parent_no.is_(None),
    postgresql_where=tickets.c.parent_no.is_(None),
)

ticket_sequences = sa.Table(
    "ticket_sequences",
    metadata,
    sa.Column("region", sa.String(6), primary_key=True),
    sa.Column("day", sa.String(10), primary_key=True),
    sa.Column("last", sa.Integer, nullable=False),
)

seats = sa.Table(
    "seats",
    metadata,
    sa.Column("node", sa.String(20), primary_key=True, server_default="1"),
    sa.Column("seat", sa.String(10), primary_key=True),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("operator", sa.String(10)),
    sa.Column("reason", sa.String(40), nullable=False),
    sa.Column("since", sa.Double, nullable=False),
)

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.String(20), primary_key=True),
    sa.Column("token", sa.String(40), nullable=False),
    sa.Column("term", sa.Integer, nullable=False),
    sa.Column("instance", sa.String(40), nullable=False),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("home", sa.Text, nullable=False),
    sa.Column("place", sa.String(120), nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("since", sa.Double, nullable=False),
    sa.Column("until", sa.Double, nullable=False),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("at", sa.Double, nullable=False, index=True),
    sa.Column("actor", sa.String(40), nullable=False),
    sa.Column("action", sa.String(40), nullable=False),
    sa.Column("data", sa.JSON, nullable=False),
)
