"""Versions of the model: register, swap, roll back."""

from starlette.requests import Request
from starlette.responses import Response

from influpath.serving import schemas
from influpath.serving.api.parts import answer
from influpath.serving.api.routes.guarded import declare, guarded_router
from influpath.serving.api.routes.places import Version

router = guarded_router("models")


@declare(router, "GET", "/models", "viewer", list[schemas.Model])
async def list_models(request: Request) -> Response:
    """List versions of the model, the newest first."""
    return await answer(request, lambda service, who: service.models(who))


@declare(router, "POST", "/models", "admin", schemas.Model, 404, 409, status=201)
async def register_model(request: Request, body: schemas.ModelIn) -> Response:
    """Register a version that lies in the tenant's folder of bundles.

    It is checked and loaded; the first one becomes active.
    """
    return await answer(request, lambda service, who: service.register_model(who, body), slow=True)


@declare(router, "POST", "/models/roll-back", "admin", schemas.Model, 409)
async def roll_back_model(request: Request) -> Response:
    """Make the version active again that was before."""
    return await answer(request, lambda service, who: service.roll_back(who), slow=True)


@declare(router, "POST", "/models/{version}/activate", "admin", schemas.Model, 404, 409)
async def activate_model(request: Request, version: Version) -> Response:
    """Make a version the one of new journeys.

    Journeys that have begun keep theirs to their end.
    """
    return await answer(
        request, lambda service, who: service.activate_model(who, version), slow=True
    )
