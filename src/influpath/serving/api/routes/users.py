"""Users, and what they may ask for: to be left alone, goals of their own, deletion."""

from typing import Literal

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from influpath.serving import schemas
from influpath.serving.api.parts import answer, in_thread, parts_of
from influpath.serving.api.routes.guarded import declare, guarded_router
from influpath.serving.api.routes.places import After, Entries, GoalId, UserId
from influpath.serving.campaigns.caller import Caller
from influpath.serving.campaigns.service import Service

router = guarded_router("users")
PAGE = 1_000


@declare(router, "GET", "/users/{user_id}", "viewer", schemas.User, 404)
async def get_user(request: Request, user_id: UserId) -> Response:
    """See what the service knows of a user."""
    return await answer(request, lambda service, who: service.user(who, user_id))


@declare(router, "DELETE", "/users/{user_id}", "service", schemas.Deleted, 404, 409)
async def delete_user(request: Request, user_id: UserId) -> Response:
    """Delete a user's data.

    The audit log keeps what was done, with nothing that leads to the user.
    """
    return await answer(request, lambda service, who: service.delete_user(who, user_id))


@declare(router, "PUT", "/users/{user_id}/opt-out", "service", schemas.User, 404, 409)
async def opt_out_user(request: Request, user_id: UserId, body: schemas.OptOutIn) -> Response:
    """Let campaigns leave a user alone, or no longer; from the very next call on."""
    return await answer(request, lambda service, who: service.opt_out(who, user_id, body))


@declare(router, "PUT", "/users/{user_id}/exclusions", "service", schemas.User, 404, 409)
async def exclude_for_user(request: Request, user_id: UserId, body: schemas.Exclusions) -> Response:
    """Set what a user never wants to see, in place of what was set before."""
    return await answer(request, lambda service, who: service.exclude(who, user_id, body))


@declare(router, "POST", "/users/{user_id}/goals", "service", schemas.Goal, 404, 409, status=201)
async def add_goal(request: Request, user_id: UserId, body: schemas.GoalIn) -> Response:
    """Set a goal that a user chose; it comes before every campaign."""
    return await answer(request, lambda service, who: service.add_goal(who, user_id, body))


@declare(router, "DELETE", "/users/{user_id}/goals/{goal_id}", "service", schemas.Goal, 404, 409)
async def give_up_goal(request: Request, user_id: UserId, goal_id: GoalId) -> Response:
    """Give up a goal."""
    return await answer(request, lambda service, who: service.give_up_goal(who, user_id, goal_id))


@declare(router, "GET", "/users/{user_id}/audit", "viewer", schemas.AuditPage, 404, as_text=True)
async def audit_user(
    request: Request,
    user_id: UserId,
    format: Literal["json", "text"] = "json",
    after: After = None,
    limit: Entries = 100,
) -> Response:
    """Export what was done with a user, and why.

    As JSON page by page; with `format=text` all of it in plain language, a line for each entry.
    """
    if format == "json":
        return await answer(request, lambda service, who: service.audit(who, after, limit, user_id))
    parts = parts_of(request)
    caller: Caller = request.state.caller
    return PlainTextResponse(
        await in_thread(parts, lambda: plain_language(parts.service, caller, user_id), slow=True)
    )


def plain_language(service: Service, caller: Caller, user_id: schemas.Id) -> str:
    """Return everything that was done with a user, a line for each entry."""
    lines: list[str] = []
    last: int | None = None
    while True:
        page = service.audit(caller, last, PAGE, user_id)
        lines += [f"{each.at:%Y-%m-%d %H:%M:%S} UTC  {each.words}\n" for each in page.entries]
        if len(page.entries) < PAGE:
            return "".join(lines) or "Nothing is recorded about this user.\n"
        last = page.last
