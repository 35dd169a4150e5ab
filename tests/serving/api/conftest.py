"""Applications over a service that only answers with examples, and over a whole one."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from fastapi import FastAPI

from influpath.serving.api.app import create_app
from influpath.serving.api.authentication import Authentication
from influpath.serving.api.server import finder
from influpath.serving.campaigns.service import Service
from influpath.serving.schemas import Role
from influpath.serving.settings import ServerSettings
from influpath.serving.store import keys
from influpath.serving.store.database import Database

from ..conftest import Clock
from .acting import Enter
from .client import client_of
from .examples_service import KEYS, ExamplesService

MakeApp = Callable[..., FastAPI]


@pytest.fixture(scope="session")
def one_app() -> FastAPI:
    return create_app(ExamplesService(), ServerSettings(), KEYS.get)


@pytest.fixture
def examples() -> ExamplesService:
    return ExamplesService()


@pytest.fixture
def app(one_app: FastAPI, examples: ExamplesService) -> FastAPI:
    """Return an application with the usual settings, which has seen nobody yet."""
    parts = one_app.state.parts
    parts.service = examples
    parts.authentication = Authentication(ServerSettings(), KEYS.get)
    return one_app


@pytest.fixture
def make_app(examples: ExamplesService) -> MakeApp:
    """Return what makes an application of its own; settings are given as keywords."""

    def make(**settings: Any) -> FastAPI:
        return create_app(examples, ServerSettings(**settings), KEYS.get)

    return make


@pytest.fixture(autouse=True)
def _log_requests(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="influpath.access")


@pytest.fixture
def whole(service: Service, store: Database, clock: Clock) -> FastAPI:
    """Return an application over a real service and store."""
    return create_app(service, ServerSettings(rate=1e9, burst=10**9), finder(store, clock))


@pytest.fixture
def enter(whole: FastAPI, store: Database, clock: Clock) -> Iterator[Enter]:
    """Return what makes a client with a new key."""
    with ExitStack() as stack:

        def make(role: Role, tenant: str = "default", name: str | None = None, **more: Any) -> Any:
            _, text = keys.create(store, tenant, name or role, role, clock(), **more)
            return stack.enter_context(client_of(whole, text))

        yield make
