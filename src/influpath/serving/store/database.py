"""A database, SQLite or PostgreSQL, behind two doors: one to read, one to write."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, OperationalError

from influpath.errors import ConfigError
from influpath.serving.errors import NotReadyError
from influpath.serving.store.grouped import GroupedWriter
from influpath.serving.store.turns import Turns

# Seconds that a writer waits for another process.
BUSY = 30
# Connections: as many as the service has threads.
POOL = 40


class Database:
    """A database; ``reading`` and ``writing`` are transactions.

    Args:
        url: As SQLAlchemy writes it: ``sqlite:///file.db``, ``postgresql+psycopg://...``.

    Raises:
        ConfigError: It is no such URL, or its driver is not installed.
    """

    def __init__(self, url: str) -> None:
        self.url = parse(url)
        self.engine = make_engine(self.url)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        # SQLite's connections each have a cache of pages, which is void once another one has
        # written; a writer of its own keeps its.
        self._write_engine = make_engine(self.url, 1) if self.is_sqlite else self.engine
        self._look_engine = self.engine.execution_options(looks=True)
        # All statements of a transaction that reads see the same moment, as SQLite's do.
        self._read_engine = (
            self.engine
            if self.is_sqlite
            else self.engine.execution_options(isolation_level="REPEATABLE READ")
        )
        # A server's statements are waited for, and others may go on meanwhile.
        self._turns = Turns() if self.is_sqlite else None
        self._writer = GroupedWriter(self._write_engine, self._turns) if self._turns else None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection to read from, in one transaction."""
        with self._reached(), self._read_engine.connect() as connection:
            yield connection

    @contextmanager
    def looking(self) -> Iterator[Connection]:
        """Yield a connection to read from, where each statement sees its own moment.

        For those who check before they write that nothing has changed since.
        """
        with self._reached(), self._look_engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Yield a connection to write to; what was written is on disk when the block is left."""
        with self._reached():
            if self._writer is not None:
                with self._writer.writing() as connection:
                    yield connection
            else:
                with self.engine.connect() as connection, connection.begin():
                    yield connection

    def in_turn(self) -> AbstractContextManager[None]:
        """Return what lets a call begin when it is its turn, where turns make all calls faster."""
        return self._turns.taken() if self._turns else nullcontext()

    def out_of_turn(self) -> AbstractContextManager[None]:
        """Return what lets other calls go on while this one waits for something else."""
        return self._turns.left() if self._turns else nullcontext()

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except OperationalError as cause:
            raise NotReadyError(
                f"the database {self.url.render_as_string()} does not answer "
                f"({first_line(cause)}); try again."
            ) from cause

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()
        self._write_engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def parse(url: str) -> URL:
    """Read a URL; plain ``postgresql://`` means psycopg 3.

    Raises:
        ConfigError: It is none, or of another kind of database.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigError(
            "database: give a URL such as sqlite:///influpath.db or "
            "postgresql://user:password@host/name."
        ) from None
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite", "postgresql+psycopg"):
        raise ConfigError(
            f"database: {parsed.drivername!r} is not supported; use sqlite or postgresql."
        )
    if parsed.drivername.startswith("sqlite") and parsed.database in (None, "", ":memory:"):
        raise ConfigError("database: SQLite needs a file, as in sqlite:///influpath.db.")
    return parsed


def make_engine(url: URL, pool: int = POOL) -> Engine:
    """Return SQLAlchemy's engine for a database, with at most so many connections.

    Raises:
        ConfigError: Its driver is not installed, or the folder of its file is missing.
    """
    if not url.drivername.startswith("sqlite"):
        try:
            return create_engine(url, pool_size=pool, max_overflow=0, pool_pre_ping=True)
        except ModuleNotFoundError as cause:
            raise ConfigError(
                f"database: PostgreSQL needs {cause.name!r}; "
                "install it with: pip install 'influpath[postgres]'."
            ) from None
    folder = Path(url.database or "").absolute().parent
    if not folder.is_dir():
        raise ConfigError(f"database: there is no folder {folder}; make it, or name another file.")
    # The connection that was used last has most of what it needs in its cache.
    engine = create_engine(
        url,
        pool_size=pool,
        max_overflow=0,
        pool_use_lifo=True,
        connect_args={"timeout": BUSY},
    )
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _: Any) -> None:
    # Transactions begin where SQLAlchemy says so, see below.
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        # What was acknowledged survives a power cut, too.
        "synchronous=FULL",
        "foreign_keys=ON",
        # What was deleted is overwritten.
        "secure_delete=ON",
        f"busy_timeout={BUSY * 1000}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("looks", False):
        return
    # A writer takes the lock at once: one that began as a reader could not wait for it.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writes", False) else "BEGIN")


def first_line(error: Exception) -> str:
    """Return what a database said, without the statement."""
    said = str(getattr(error, "orig", error)).strip()
    return said.splitlines()[0] if said else type(error).__name__
