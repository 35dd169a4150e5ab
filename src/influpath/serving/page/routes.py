"""All pages and the static files, as one router."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from influpath.serving.page import campaigns, explore, login, models, people
from influpath.serving.page.access import PageRoute
from influpath.serving.page.rendering import static_files

router = APIRouter(route_class=PageRoute, include_in_schema=False)
FILES = static_files()
PARTS = (explore, campaigns, people, models, login)


@router.get("/static/{path:path}")
async def static(request: Request, path: str) -> Response:
    """Return a static file; no key is needed, for the login page has some, too."""
    return await FILES.get_response(path, request.scope)


for part in PARTS:
    router.include_router(part.router)
