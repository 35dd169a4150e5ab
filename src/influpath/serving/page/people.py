"""The pages of users: what the service knows of one, and what the user wants."""

from urllib.parse import quote

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from influpath.serving.api.edge import SLASH
from influpath.serving.page.access import Visit, page, page_router
from influpath.serving.page.rendering import render
from influpath.serving.page.resolving import cards_of, categories_of

router = page_router()
LISTED, AUDIT_LISTED = 50, 25


@page(router, "/users")
def users(request: Request, visit: Visit) -> Response:
    """Return a search for users; an id that is right leads straight to the user."""
    asked = request.query_params.get("q", "").strip()[:200]
    found = visit.service.search_users(visit.caller, asked, LISTED)
    if asked and request.query_params.get("go") and asked in map(str, found.users):
        root = request.scope.get("root_path", "")
        return RedirectResponse(f"{root}/users/{quote(asked, safe='')}", 303)
    return render(request, "users.html.j2", asked=asked, found=found)


@page(router, "/users/{user_id}")
def user(request: Request, visit: Visit) -> Response:
    """Return what the service knows of a user."""
    service, caller = visit.service, visit.caller
    user_id = str(request.path_params["user_id"]).replace(SLASH, "/")
    known = service.user(caller, user_id)
    after = number(request.query_params.get("after"))
    return render(
        request,
        "user.html.j2",
        user=known,
        path=quote(user_id, safe=""),
        excluded=cards_of(visit, known.excluded.items),
        categories=categories_of(visit),
        audit=service.audit(caller, after, AUDIT_LISTED, user_id=user_id),
        full=AUDIT_LISTED,
        after=after,
        may_write=visit.may("service"),
    )


def number(text: str | None) -> int | None:
    """Return a whole number of the address; what is none is passed over."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None
