"""Campaigns, and how they go."""

from starlette.requests import Request
from starlette.responses import Response

from influpath.serving import schemas
from influpath.serving.api.parts import answer
from influpath.serving.api.routes.guarded import declare, guarded_router
from influpath.serving.api.routes.places import CampaignId

router = guarded_router("campaigns")


@declare(router, "GET", "/campaigns", "viewer", list[schemas.Campaign])
async def list_campaigns(
    request: Request, status: schemas.CampaignStatus | None = None
) -> Response:
    """List campaigns, the newest first."""
    return await answer(request, lambda service, who: service.campaigns(who, status))


@declare(router, "POST", "/campaigns", "admin", schemas.Campaign, 404, 409, status=201)
async def create_campaign(request: Request, body: schemas.CampaignIn) -> Response:
    """Create a campaign.

    It runs from its start on, for everyone in its audience who is not in the hold-out.
    """
    return await answer(request, lambda service, who: service.create_campaign(who, body))


@declare(router, "GET", "/campaigns/{campaign_id}", "viewer", schemas.Campaign, 404)
async def get_campaign(request: Request, campaign_id: CampaignId) -> Response:
    """Look at a campaign."""
    return await answer(request, lambda service, who: service.campaign(who, campaign_id))


@declare(router, "PATCH", "/campaigns/{campaign_id}", "admin", schemas.Campaign, 404, 409)
async def change_campaign(
    request: Request, campaign_id: CampaignId, body: schemas.CampaignChange
) -> Response:
    """Pause, resume, end or change a campaign.

    What is not given stays as it is.
    """
    return await answer(
        request, lambda service, who: service.change_campaign(who, campaign_id, body)
    )


@declare(router, "GET", "/campaigns/{campaign_id}/report", "viewer", schemas.CampaignReport, 404)
async def report_campaign(request: Request, campaign_id: CampaignId) -> Response:
    """See how a campaign goes: funnel, uplift against the hold-out, shift of tastes.

    The intervals hold however often one looks.
    """
    return await answer(request, lambda service, who: service.report(who, campaign_id), slow=True)
