"""A private PostgreSQL for tests, from the system's packages or by ``INFLUPATH_TEST_POSTGRES``."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError

from influpath.serving.store.migrating import migrate

# Faster, and nobody misses a test's data after a power cut.
CARELESS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "listen_addresses=")
SECONDS = 30


class Postgres:
    """A server on which every test gets a database of its own.

    Args:
        url: Of a database of somebody who may create databases.
    """

    def __init__(self, url: URL) -> None:
        self.admin = create_engine(url, isolation_level="AUTOCOMMIT")
        self.url = url
        self.template = f"influpath_{uuid4().hex[:12]}"
        self._run(f"CREATE DATABASE {self.template}")
        migrate(self._written(self.template))

    def _run(self, statement: str) -> None:
        with self.admin.connect() as connection:
            connection.execute(text(statement))

    def _written(self, name: str) -> str:
        return self.url.set(database=name).render_as_string(hide_password=False)

    @contextmanager
    def database(self, migrated: bool = True) -> Iterator[str]:
        """Yield the URL of a fresh database."""
        name = f"influpath_{uuid4().hex[:12]}"
        template = f" TEMPLATE {self.template}" if migrated else ""
        self._run(f"CREATE DATABASE {name}{template}")
        try:
            yield self._written(name)
        finally:
            self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def close(self) -> None:
        """Drop the template."""
        self._run(f"DROP DATABASE {self.template} WITH (FORCE)")
        self.admin.dispose()


def binaries() -> Path | None:
    """Return the folder of the newest PostgreSQL of the system."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@contextmanager
def private_server(folder: Path) -> Iterator[URL]:
    """Run a server that listens on a socket in a temporary folder."""
    # It refuses to run as root.
    as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    as_user = as_user if os.geteuid() == 0 else ["setpriv"]
    # Not below pytest's folder, which others may not enter; sockets want short names, too.
    home = Path(tempfile.mkdtemp(prefix="influpath-pg-"))
    process = None
    try:
        if os.geteuid() == 0:
            shutil.chown(home, "postgres", "postgres")
        data = home / "data"
        initdb = [*as_user, str(folder / "initdb"), "-D", str(data), "-U", "postgres"]
        subprocess.run(
            [*initdb, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=home,
        )
        where = ("-D", str(data), "-k", str(home))
        settings = [part for each in CARELESS for part in ("-c", each)]
        process = subprocess.Popen(
            # Whatever becomes of the tests, the server goes with them.
            [*as_user, "--pdeathsig=QUIT", str(folder / "postgres"), *where, *settings],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=home,
        )
        url = make_url(f"postgresql+psycopg://postgres@/postgres?host={home}")
        wait_for(url)
        yield url
    finally:
        if process is not None:
            process.terminate()
            process.wait(SECONDS)
        shutil.rmtree(home, ignore_errors=True)


def wait_for(url: URL) -> None:
    """Wait until a server answers."""
    engine = create_engine(url)
    until = time.monotonic() + SECONDS
    while True:
        try:
            engine.connect().close()
        except OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            engine.dispose()
            return
