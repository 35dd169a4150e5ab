"""Applications over a service that only answers with examples."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI

from influpath.serving.api.app import create_app
from influpath.serving.api.authentication import Authentication
from influpath.serving.settings import ServerSettings

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
