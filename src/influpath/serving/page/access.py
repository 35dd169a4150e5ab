"""Who visits, through which door, and what becomes of errors: one readable sentence in the page."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from influpath.errors import InfluPathError
from influpath.serving.api.parts import in_thread, parts_of
from influpath.serving.api.problems import status_of
from influpath.serving.campaigns.caller import RANKS, Caller
from influpath.serving.campaigns.service import Service
from influpath.serving.page.rendering import render
from influpath.serving.schemas import Role
from influpath.serving.settings import ServerSettings


@dataclass(frozen=True)
class Visit:
    """A visitor and the door.

    Attributes:
        service: Asked for everything.
        caller: Who visits.
        settings: Of the service.
    """

    service: Service
    caller: Caller
    settings: ServerSettings

    def may(self, role: Role) -> bool:
        """Return whether the visitor's role is at least this one."""
        return RANKS[self.caller.role] >= RANKS[role]


Page = Callable[[Request, Visit], Response]


def page(router: APIRouter, path: str, slow: bool = False) -> Callable[[Page], Page]:
    """Declare a page.

    Args:
        router: Made with ``PageRoute``.
        path: Its address.
        slow: Whether it may take seconds, as planning does.
    """

    def register(function: Page) -> Page:
        async def handler(request: Request) -> Response:
            parts = parts_of(request)
            request.state.caller = await parts.authentication(request)
            visit = Visit(parts.service, request.state.caller, parts.settings)
            return await in_thread(parts, partial(function, request, visit), slow)

        handler.__name__ = function.__name__
        router.add_api_route(path, handler, response_class=Response)
        return function

    return register


class PageRoute(APIRoute):
    """A route whose errors are pages; without a key it leads to the login."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler around which errors are caught."""
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except InfluPathError as cause:
                return problem(request, status_of(cause), str(cause))
            except HTTPException as cause:
                if cause.status_code == 401:
                    return to_login(request)
                return problem(request, cause.status_code, str(cause.detail))

        return answer


def page_router() -> APIRouter:
    """Return a router for pages."""
    return APIRouter(route_class=PageRoute, include_in_schema=False)


def problem(request: Request, status: int, sentence: str) -> Response:
    """Return an error as a page, or as a part of one where the page's script asks."""
    name = "problem-part.html.j2" if is_part(request) else "problem.html.j2"
    return render(request, name, status, sentence=sentence, number=status)


def is_part(request: Request) -> bool:
    """Return whether the page's script asks, which puts the answer into the page."""
    return request.headers.get("x-influpath") == "page"


def to_login(request: Request) -> Response:
    """Lead to the login and back; a script is told, so that it leads the whole page there."""
    if is_part(request):
        return problem(request, 401, "You are no longer signed in; reload the page to sign in.")
    root = request.scope.get("root_path", "")
    back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"{root}/login?next={quote(back, safe='/')}", 303)
