"""Bring a database's tables up to date."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ivr.errors import HotlineError
from ivr.store.migrations import HEAD

_SCRIPTS = Path(__file__).parent / "migrations"


class DatabaseNewer(HotlineError):
    """A later version of this program has changed the tables."""

    code = "database_newer"


def is_current(connection: Connection) -> bool:
    """Tell whether the database already has the newest tables."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return False
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars().all()
    return found == [HEAD]


def upgrade(connection: Connection) -> None:
    """Run the migrations that are missing.

    Raises:
        DatabaseNewer: the tables are of a version that this program does not know.
    """
    if is_current(connection):
        return
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if unknown := set(MigrationContext.configure(connection).get_current_heads()) - known:
        raise DatabaseNewer(
            f"the database is of a newer version of this program (its tables are {', '.join(sorted(unknown))}, "
            f"here {HEAD}): install that version again, or restore the backup made before it.",
            f"数据库属于本程序的更新版本（表版本 {'、'.join(sorted(unknown))}，本程序为 {HEAD}）："
            "请重新安装该版本，或恢复升级前的备份。",
        )
    command.upgrade(config, "head")


def generate(connection: Connection, message: str, revision: str) -> None:
    """Write a migration from the difference between the tables and a database (for developers)."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["connection"] = connection
    command.revision(config, message, autogenerate=True, rev_id=revision)
