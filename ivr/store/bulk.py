"""Many rows in one statement.

On SQLite each row of an ``executemany`` gives up and takes back the interpreter's lock, and so
fights for it with the event loop that callers wait on.  There the rows go in as one JSON text and
one statement; elsewhere SQLAlchemy's own way is as good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

Rows = Sequence[Mapping[str, Any]]


def _picked(columns: tuple[str, ...]) -> str:
    return ", ".join(f"json_extract(row.value, '$.{column}')" for column in columns)


@cache
def _sqlite_insert(table: str, columns: tuple[str, ...], key: tuple[str, ...]) -> str:
    text = f"INSERT INTO {table} ({', '.join(columns)}) SELECT {_picked(columns)} FROM json_each(?) AS row WHERE true"
    if key:
        changes = ", ".join(f"{column} = excluded.{column}" for column in columns if column not in key)
        text += f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}"
    return text


@cache
def _sqlite_update(table: str, columns: tuple[str, ...], key: str, condition: str) -> str:
    changes = ", ".join(
        f"{column} = json_extract(row.value, '$.{column}')" for column in columns if column != key
    )
    return (
        f"UPDATE {table} SET {changes} FROM json_each(?) AS row "
        f"WHERE {table}.{key} = json_extract(row.value, '$.{key}') AND {table}.{condition}"
    )


async def insert(connection: AsyncConnection, table: sa.Table, rows: Rows, key: tuple[str, ...] = ()) -> None:
    """Insert rows that all have the same columns; with a key (its columns), a row that exists is replaced."""
    if not rows:
        return
    columns = tuple(rows[0])
    if connection.dialect.name == "sqlite":
        text = _sqlite_insert(table.name, columns, key)
        await connection.exec_driver_sql(text, (orjson.dumps(list(rows)).decode(),))
        return
    statement = postgresql.insert(table)
    if key:
        changes = {column: statement.excluded[column] for column in columns if column not in key}
        statement = statement.on_conflict_do_update(index_elements=list(key), set_=changes)
    await connection.execute(statement, list(rows))


async def update_call_tickets(connection: AsyncConnection, table: sa.Table, rows: Rows) -> None:
    """Replace the columns of call tickets, known by ``call_id``."""
    if not rows:
        return
    columns = tuple(rows[0])
    if connection.dialect.name == "sqlite":
        text = _sqlite_update(table.name, columns, "call_id", "parent_no IS NULL")
        await connection.exec_driver_sql(text, (orjson.dumps(list(rows)).decode(),))
        return
    values: dict[str, Any] = {column: sa.bindparam(column) for column in columns if column != "call_id"}
    statement = sa.update(table).where(
        table.c.call_id == sa.bindparam("of_call"), table.c.parent_no.is_(None)
    )
    renamed = [
        {("of_call" if name == "call_id" else name): value for name, value in row.items()} for row in rows
    ]
    await connection.execute(statement.values(values), renamed)
