"""Bringing a database to the tables of this version."""

import functools
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import text

from influpath.errors import ConfigError
from influpath.serving.store.database import Database

# Two services that start at once on one PostgreSQL take turns by this number.
LOCK = 0x1F1A7


def settings() -> Config:
    """Return alembic's settings: the steps lie in the package."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def migrate(url: str) -> None:
    """Make or bring up to date the tables of a database; nothing happens where they are.

    All or nothing, also where two processes do it at once.

    Raises:
        ConfigError: The database was made by a later version of influpath.
        NotReadyError: It does not answer.
    """
    with Database(url) as database, database.writing() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        config = settings()
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError:
            raise ConfigError(
                f"database {database.url.render_as_string()}: was made by another, later version "
                "of influpath; use that one, or another database."
            ) from None


def is_current(database: Database) -> bool:
    """Whether a database has the tables of this version."""
    with database.reading() as connection:
        at = MigrationContext.configure(connection).get_current_heads()
    return set(at) == heads()


@functools.cache
def heads() -> frozenset[str]:
    """Return the migrations that nothing comes after, as this version has them."""
    return frozenset(ScriptDirectory.from_config(settings()).get_heads())
