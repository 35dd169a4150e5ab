"""The pages of campaigns: the list with the form for a new one, and the dashboard of each."""

from contextlib import suppress

from fastapi import Request
from fastapi.responses import Response

from influpath.errors import InfluPathError
from influpath.serving.page.access import Visit, page, page_router
from influpath.serving.page.rendering import csv_answer, render
from influpath.serving.page.resolving import cards_of, categories_of, find_item
from influpath.serving.page.trail import entries, trail_of
from influpath.serving.page.view import ExploreView
from influpath.serving.schemas import CampaignIn

router = page_router()
PLAIN = CampaignIn.model_fields


@page(router, "/campaigns")
def campaigns(request: Request, visit: Visit) -> Response:
    """Return the campaigns and, for admins, the form for a new one."""
    service, caller = visit.service, visit.caller
    view = ExploreView.of(request)
    admin = visit.may("admin")
    everybody = service.exclusions(caller)
    goal = None
    if admin and view.item:
        with suppress(InfluPathError):  # what is no item stands in the field as it was given
            goal = find_item(visit, view.item)
    return render(
        request,
        "campaigns.html.j2",
        campaigns=service.campaigns(caller),
        admin=admin,
        view=view,
        goal=goal,
        filled=bool(view.item or view.items or view.category),
        categories=categories_of(visit) if admin else (),
        excluded=cards_of(visit, everybody.items),
        excluded_categories=everybody.categories,
        plain={name: field.default for name, field in PLAIN.items()},
        most=visit.settings.max_aggressiveness,
    )


@page(router, "/campaigns/{campaign_id}", slow=True)
def campaign(request: Request, visit: Visit) -> Response:
    """Return the dashboard of a campaign."""
    campaign_id = str(request.path_params["campaign_id"])
    report = visit.service.report(visit.caller, campaign_id)
    return render(
        request,
        "campaign.html.j2",
        report=report,
        campaign=report.campaign,
        excluded=cards_of(visit, report.campaign.guardrails.excluded.items),
        admin=visit.may("admin"),
        **trail_of(request, visit, campaign_id=campaign_id),
    )


@page(router, "/campaigns/{campaign_id}/audit.csv", slow=True)
def audit_csv(request: Request, visit: Visit) -> Response:
    """Return the whole audit trail of a campaign as a table to be saved."""
    campaign_id = str(request.path_params["campaign_id"])
    name = visit.service.campaign(visit.caller, campaign_id).id
    head = ("number", "at", "actor", "action", "subject", "model", "words")
    rows = (
        (
            entry.number,
            entry.at.isoformat(),
            entry.actor,
            entry.action,
            entry.subject or "",
            entry.model or "",
            entry.words,
        )
        for entry in entries(visit, campaign_id)
    )
    safe = "".join(sign for sign in name if sign.isalnum() or sign == "-")
    return csv_answer(f"audit-{safe}", head, rows)
