"""The pages of users: what the service knows of one, and what the user wants."""

from urllib.parse import quote

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from influpath.serving.api.edge import SLASH
from influpath.serving.errors import NotFoundError
from influpath.serving.page.access import Visit, page, page_router
from influpath.serving.page.rendering import render
from influpath.serving.page.resolving import cards_of, categories_of
from influpath.serving.page.trail import trail_of

router = page_router()
LISTED = 50


@page(router, "/users")
def users(request: Request, visit: Visit) -> Response:
    """Return a search for users; an id that is right leads straight to the user."""
    asked = request.query_params.get("q", "").strip()[:200]
    found = visit.service.search_users(visit.caller, asked, LISTED)
    if asked and request.query_params.get("go") and is_known(visit, asked):
        root = request.scope.get("root_path", "")
        return RedirectResponse(f"{root}/users/{quote(asked, safe='')}", 303)
    return render(request, "users.html.j2", asked=asked, found=found)


def is_known(visit: Visit, user_id: str) -> bool:
    """Return whether there is such a user, in the model's data or met since."""
    try:
        visit.service.user(visit.caller, user_id)
    except NotFoundError:
        return False
    return True


@page(router, "/users/{user_id}")
def user(request: Request, visit: Visit) -> Response:
    """Return what the service knows of a user."""
    user_id = str(request.path_params["user_id"]).replace(SLASH, "/")
    known = visit.service.user(visit.caller, user_id)
    return render(
        request,
        "user.html.j2",
        user=known,
        path=quote(user_id, safe=""),
        excluded=cards_of(visit, known.excluded.items),
        categories=categories_of(visit),
        may_write=visit.may("service"),
        **trail_of(request, visit, user_id=user_id),
    )
