"""The login page: a key goes into a cookie; what checks it is ``api/routes/session.py``."""

from fastapi import Request
from fastapi.responses import Response

from influpath.serving.page.access import page_router
from influpath.serving.page.rendering import render

router = page_router()


@router.get("/login")
async def login(request: Request) -> Response:
    """Return the form for a key."""
    return render(request, "login.html.j2", to=safe_way_back(request.query_params.get("next", "")))


def safe_way_back(path: str) -> str:
    r"""Return where to go after the login: a path of ours, never another site.

    >>> safe_way_back("/campaigns?x=1"), safe_way_back("//evil.example"), safe_way_back("/\\evil")
    ('/campaigns?x=1', '/', '/')
    """
    ours = path.startswith("/") and path[1:2] not in ("/", "\\") and path.isprintable()
    return path if ours else "/"
