"""The application: the service behind HTTP, with everything that holds for all requests."""

import importlib.util
from collections.abc import Callable

from fastapi import FastAPI

import influpath
from influpath.serving.api.authentication import Authentication
from influpath.serving.api.documentation import add_documentation
from influpath.serving.api.edge import Edge
from influpath.serving.api.metrics import Metrics
from influpath.serving.api.parts import Parts
from influpath.serving.api.problems import add_problems
from influpath.serving.api.routes import (
    campaigns,
    decisions,
    health,
    models,
    records,
    session,
    users,
)
from influpath.serving.campaigns.caller import Caller
from influpath.serving.campaigns.service import Service
from influpath.serving.settings import ServerSettings

ROUTERS = (
    decisions.router,
    campaigns.router,
    users.router,
    models.router,
    records.router,
    session.router,
    health.router,
    health.guarded,
)
PAGE = "influpath.serving.page.routes"


def create_app(
    service: Service,
    settings: ServerSettings,
    find_key: Callable[[str], Caller | None],
    metrics: Metrics | None = None,
) -> FastAPI:
    """Return the application.

    Args:
        service: What answers.
        settings: Limits, and whether a key is needed.
        find_key: Returns whose key it is, or None.
        metrics: Where the service's engine counts already; new ones by default.
    """
    metrics = metrics or Metrics()
    app = FastAPI(
        title="influpath",
        version=influpath.__version__,
        description="Campaigns that lead users, step by acceptable step, to an objective.",
        # Their pages load scripts from elsewhere; see documentation.py.
        docs_url=None,
        redoc_url=None,
    )
    app.state.parts = Parts(service, settings, metrics, Authentication(settings, find_key))
    app.add_middleware(
        Edge, metrics=metrics, max_body=settings.max_body, max_waiting=settings.max_waiting
    )
    add_problems(app)
    for router in ROUTERS:
        app.include_router(router)
    add_documentation(app)
    if importlib.util.find_spec("influpath.serving.page") is not None:
        app.include_router(importlib.import_module(PAGE).router)
    return app
