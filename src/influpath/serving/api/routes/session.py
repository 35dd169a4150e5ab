"""Signing in to the page: the key lies in a cookie that no script can read."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from influpath.config import FrozenConfig
from influpath.serving.api.authentication import COOKIE, demand_page
from influpath.serving.api.parts import parts_of
from influpath.serving.api.routes.guarded import ALWAYS, WITH_BODY, JsonRoute, problems
from influpath.serving.schemas import Role

router = APIRouter(tags=["page"], route_class=JsonRoute)


class KeyIn(FrozenConfig):
    """A key."""

    key: Annotated[str, Field(max_length=200)]


class SignedIn(FrozenConfig):
    """Who is signed in, and what the key allows."""

    tenant: str
    name: str
    role: Role


@router.post(
    "/login",
    response_model=SignedIn,
    operation_id="log_in",
    responses=problems(*ALWAYS, *WITH_BODY),
)
async def log_in(request: Request, body: KeyIn) -> Response:
    """Put a key into the page's cookie; needs the header `X-Influpath: page`."""
    demand_page(request)
    parts = parts_of(request)
    caller = await parts.authentication.caller_with(request, body.key)
    content = SignedIn(tenant=caller.tenant, name=caller.key_name, role=caller.role)
    response = Response(content.model_dump_json(), media_type="application/json")
    if parts.settings.require_key:
        response.set_cookie(
            COOKIE,
            body.key,
            httponly=True,
            samesite="strict",
            secure=parts.settings.secure_cookie,
        )
    return response


@router.post(
    "/logout",
    status_code=204,
    operation_id="log_out",
    responses=problems(403, 500),
)
async def log_out(request: Request) -> Response:
    """Take the key out of the page's cookie; needs the header `X-Influpath: page`."""
    demand_page(request)
    response = Response(status_code=204)
    response.delete_cookie(
        COOKIE,
        httponly=True,
        samesite="strict",
        secure=parts_of(request).settings.secure_cookie,
    )
    return response
