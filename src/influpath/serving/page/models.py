"""The page of the model's versions."""

from fastapi import Request
from fastapi.responses import Response

from influpath.serving.page.access import Visit, page, page_router
from influpath.serving.page.rendering import render

router = page_router()


@page(router, "/models")
def models(request: Request, visit: Visit) -> Response:
    """Return the versions, the newest first."""
    versions = visit.service.models(visit.caller)
    earlier = any(model.activated_at is not None and not model.active for model in versions)
    return render(
        request, "models.html.j2", models=versions, admin=visit.may("admin"), earlier=earlier
    )
