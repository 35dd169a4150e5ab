"""Routes that need a key: who calls is known before anything of the body is read."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute
from pydantic_core import from_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from influpath.serving.api.parts import parts_of
from influpath.serving.schemas import Problem, Role

PROBLEMS: dict[int, str] = {
    401: "No valid key.",
    403: "The key's role does not allow it, or the request comes from another site's page.",
    404: "There is no such thing, or it is another tenant's.",
    408: "The body did not arrive in time.",
    409: "It contradicts what is there.",
    413: "The body is too large.",
    415: "The body is not declared as JSON.",
    422: "Something given is wrong; the sentence says what.",
    429: "Too many requests with this key; Retry-After says how long to wait.",
    500: "A fault of the service, in its log under X-Request-Id.",
    503: "It cannot be answered now; later it may.",
}
ALWAYS = (401, 403, 422, 429, 500, 503)
WITH_BODY = (408, 413, 415)


class JsonRequest(Request):
    """A request whose body is read by pydantic's parser: fast, strict, of bounded depth."""

    async def json(self) -> Any:
        """Return the body.

        Raises:
            HTTPException: It is no JSON (422).
        """
        if not hasattr(self, "_json"):
            try:
                self._json = from_json(await self.body(), allow_inf_nan=False)
            except ValueError as cause:
                raise HTTPException(422, f"The body is no JSON: {cause}.") from None
        return self._json


class JsonRoute(APIRoute):
    """A route that takes JSON as ``JsonRequest`` reads it, if it takes anything."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        handle = super().get_route_handler()
        takes_body = self.body_field is not None

        async def read(request: Request) -> Response:
            kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if takes_body and kind != "application/json":
                raise HTTPException(415, "Send JSON, with 'Content-Type: application/json'.")
            return await handle(JsonRequest(request.scope, request.receive))

        return read


class Guarded(JsonRoute):
    """A route that needs a key of the role that is declared as ``x-role``."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request once the caller is known to be allowed to ask."""
        handle = super().get_route_handler()
        role: Role = (self.openapi_extra or {})["x-role"]

        async def guarded(request: Request) -> Response:
            caller = await parts_of(request).authentication(request)
            caller.must_be(role)
            return await handle(request)

        return guarded


def guarded_router(tag: str) -> APIRouter:
    """Return a router of ``/v1``."""
    return APIRouter(prefix="/v1", tags=[tag], route_class=Guarded)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the errors of an operation, for its documentation."""
    return {each: {"model": Problem, "description": PROBLEMS[each]} for each in sorted(statuses)}


def declare(
    router: APIRouter,
    method: str,
    path: str,
    role: Role,
    result: Any,
    *errors: int,
    status: int = 200,
    as_text: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare an operation: its name is the function's, its words are the docstring's.

    Args:
        router: Of its thing.
        method: POST, ...
        path: Below /v1.
        role: The least role.
        result: Model of the answer.
        errors: Statuses beyond those that every operation has.
        status: Of success.
        as_text: Whether the answer may be plain text.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        takes_body = "body" in function.__annotations__
        responses = problems(*errors, *ALWAYS, *(WITH_BODY if takes_body else ()))
        if as_text:
            responses[status] = {"content": {"text/plain": {"schema": {"type": "string"}}}}
        router.add_api_route(
            path,
            function,
            methods=[method],
            response_model=result,
            status_code=status,
            operation_id=function.__name__,
            summary=(function.__doc__ or "").partition("\n")[0].rstrip("."),
            responses=responses,
            openapi_extra={"x-role": role},
        )
        return function

    return register
