"""What platforms call all day: the next item and feedback; and paths and audiences to look at."""

from starlette.requests import Request
from starlette.responses import Response

from influpath.serving import schemas
from influpath.serving.api.parts import answer, parts_of
from influpath.serving.api.routes.guarded import declare, guarded_router
from influpath.serving.campaigns.caller import Caller
from influpath.serving.campaigns.service import Service

router = guarded_router("decisions")


@declare(router, "POST", "/next", "service", schemas.Next, 409)
async def next_item(request: Request, body: schemas.NextIn) -> Response:
    """Ask what to show a user next.

    The same until feedback on it arrives.  A goal that the user set comes first, then the campaign
    with the highest priority, then the plain recommender, which users who opted out always get.
    """
    metrics = parts_of(request).metrics

    def counted(service: Service, caller: Caller) -> schemas.Next:
        result = service.next(caller, body)
        metrics.proposed(result)
        return result

    return await answer(request, counted)


@declare(router, "POST", "/feedback", "service", schemas.Feedback, 404, 409)
async def give_feedback(request: Request, body: schemas.FeedbackIn) -> Response:
    """Say what users did, oldest first.

    All of it is recorded, or nothing; the same event_id twice is recorded once, so whoever got no
    answer sends it again.  What is answered with 200 is on disk.
    """
    metrics = parts_of(request).metrics

    def counted(service: Service, caller: Caller) -> schemas.Feedback:
        result = service.feedback(caller, body)
        metrics.recorded(body, result)
        return result

    return await answer(request, counted)


@declare(router, "POST", "/plan", "viewer", schemas.Plan, 404)
async def plan_path(request: Request, body: schemas.PlanIn) -> Response:
    """Look at a whole path for a user or a history.

    Nothing is recorded.  With `answered` it goes on from what was shown so far.
    """
    return await answer(request, lambda service, who: service.plan(who, body), slow=True)


@declare(router, "POST", "/audience", "viewer", schemas.AudienceOut, 404)
async def find_audience(request: Request, body: schemas.AudienceIn) -> Response:
    """Find who can be led to an objective, the most feasible first."""
    return await answer(request, lambda service, who: service.audience(who, body), slow=True)
