"""A database of each kind, and a service on it whose engine needs no model."""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import make_url

from influpath.serving.campaigns.service import Caller, Service
from influpath.serving.schemas import ModelIn
from influpath.serving.settings import ServerSettings
from influpath.serving.store.database import Database
from influpath.serving.store.migrating import migrate
from serving.fakes import FakeEngine
from serving.postgres import Postgres, binaries, private_server

GIVEN = "INFLUPATH_TEST_POSTGRES"
ADMIN = Caller("default", "root", "admin")
SERVER = Caller("default", "server", "service")
VIEWER = Caller("default", "reader", "viewer")


class Clock:
    """Tells a time that tests set."""

    DAY = timedelta(days=1)

    def __init__(self) -> None:
        self.now = datetime(2030, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server: the one that the environment names, or a private one."""
    given, folder = os.environ.get(GIVEN), binaries()
    if given:
        server = Postgres(make_url(given).set(drivername="postgresql+psycopg"))
        yield server
        server.close()
    elif folder is None:
        pytest.skip(f"no PostgreSQL in /usr/lib/postgresql, and {GIVEN} names none")
    else:
        with private_server(folder) as url:
            server = Postgres(url)
            yield server
            server.close()


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh, migrated database of each kind."""
    if request.param == "sqlite":
        path = tmp_path / "influpath.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
    else:
        with request.getfixturevalue("postgres").database() as url:
            yield url


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
    else:
        with request.getfixturevalue("postgres").database(migrated=False) as url:
            yield url


@pytest.fixture
def store(database_url: str) -> Iterator[Database]:
    """A migrated database."""
    with Database(database_url) as database:
        yield database


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def service(store: Database, engine: FakeEngine, clock: Clock) -> Service:
    """A service of tenant "default" with the active model "v1"."""
    made = Service(store, engine, ServerSettings(), clock, engine.catalogue)
    made.register_model(ADMIN, ModelIn(version="v1"))
    return made
