"""A connection to SQLite that can let go of its lock at any moment."""

from __future__ import annotations

import contextlib
import sqlite3
import weakref
from typing import Any


class SqliteFile(sqlite3.Connection):
    """A connection that knows its cursors.

    After ``interrupt`` SQLite refuses every statement, ROLLBACK too, until no answer is half read; and ``close``
    leaves the transaction and its lock to whoever still holds the cursor (https://www.sqlite.org/c3ref/interrupt.html,
    https://www.sqlite.org/c3ref/close.html).
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._cursors: weakref.WeakSet[sqlite3.Cursor] = weakref.WeakSet()

    def cursor(self, *args: Any, **options: Any) -> Any:
        """Open a cursor and remember it for as long as somebody holds it."""
        cursor: sqlite3.Cursor = super().cursor(*args, **options)
        self._cursors.add(cursor)
        return cursor

    def execute(self, *args: Any) -> sqlite3.Cursor:
        """Execute on a cursor of :meth:`cursor`; the library's own way passes it by."""
        cursor: sqlite3.Cursor = self.cursor().execute(*args)
        return cursor

    def let_go(self) -> None:
        """Drop answers that are half read, and the transaction with its lock; in the connection's own thread."""
        for cursor in list(self._cursors):
            with contextlib.suppress(sqlite3.Error):
                cursor.close()
        self.rollback()
