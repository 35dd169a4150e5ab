"""The tenant's audit log, its exclusions, and what is in its catalogue."""

from starlette.requests import Request
from starlette.responses import Response

from influpath.serving import schemas
from influpath.serving.api.parts import answer
from influpath.serving.api.routes.guarded import declare, guarded_router
from influpath.serving.api.routes.places import (
    After,
    CampaignFilter,
    Entries,
    Found,
    Search,
    UserFilter,
)

router = guarded_router("records")


@declare(router, "GET", "/audit", "viewer", schemas.AuditPage, 404)
async def audit(
    request: Request,
    after: After = None,
    limit: Entries = 100,
    user_id: UserFilter = None,
    campaign_id: CampaignFilter = None,
) -> Response:
    """Read the audit log, oldest entries first."""
    return await answer(
        request, lambda service, who: service.audit(who, after, limit, user_id, campaign_id)
    )


@declare(router, "GET", "/exclusions", "viewer", schemas.Exclusions)
async def get_exclusions(request: Request) -> Response:
    """See what nobody is ever shown."""
    return await answer(request, lambda service, who: service.exclusions(who))


@declare(router, "PUT", "/exclusions", "admin", schemas.Exclusions, 409)
async def set_exclusions(request: Request, body: schemas.Exclusions) -> Response:
    """Set what nobody is ever shown, in place of what was set before."""
    return await answer(request, lambda service, who: service.set_exclusions(who, body))


@declare(router, "GET", "/items", "viewer", schemas.Page)
async def search_items(request: Request, q: Search = "", limit: Found = 20) -> Response:
    """Search items by title or id."""
    return await answer(request, lambda service, who: service.search_items(who, q, limit))


@declare(router, "GET", "/users", "viewer", schemas.Page)
async def search_users(request: Request, q: Search = "", limit: Found = 20) -> Response:
    """Search users of the model's data by id."""
    return await answer(request, lambda service, who: service.search_users(who, q, limit))


@declare(router, "GET", "/categories", "viewer", list[str])
async def list_categories(request: Request) -> Response:
    """List the categories of the catalogue."""
    return await answer(request, lambda service, who: service.categories(who))
