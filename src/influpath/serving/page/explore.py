"""The Explore page: paths, the frontier, and the path as a file."""

from dataclasses import dataclass

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from influpath.errors import ConfigError, InfluPathError
from influpath.serving.api.problems import status_of
from influpath.serving.page.access import Visit, is_part, page, page_router
from influpath.serving.page.rendering import csv_answer, render
from influpath.serving.page.resolving import find_items, objective_of
from influpath.serving.page.view import ExploreView
from influpath.serving.schemas import Plan, PlanStep

router = page_router()


@dataclass(frozen=True)
class Column:
    """One planner's path.

    Attributes:
        plan: What the service answered.
        view: What the page shows.
    """

    plan: Plan
    view: ExploreView

    @property
    def steps(self) -> tuple[PlanStep, ...]:
        """The path from its beginning: what was answered, and what is still to be shown."""
        return self.plan.before + self.plan.steps

    def reply(self, step: PlanStep, reply: str) -> str:
        """Return the query string after an answer to a step; those before it are accepted."""
        before = [str(each.item.id) for each in self.plan.steps if each.number < step.number]
        accepted = reply == "accepted"
        return self.view.reply(before, str(step.item.id), "accepted" if accepted else "rejected")


@dataclass(frozen=True)
class Shown:
    """The answer to a view.

    Attributes:
        columns: A path for each planner.
        objective: Where to, in words.
        problem: Why there are none, in one sentence.
        status: HTTP status of the problem.
    """

    columns: tuple[Column, ...] = ()
    objective: str = ""
    problem: str | None = None
    status: int = 200


def answer(visit: Visit, view: ExploreView) -> Shown:
    """Return what a view shows; errors are part of it, so that the form stays on the page."""
    if not view.asked:
        return Shown()
    try:
        objective, words = objective_of(visit, view)
        pasted = view.history if view.who == "history" else ""
        history = [card.id for card in find_items(visit, pasted)]
        columns = tuple(
            Column(visit.service.plan(visit.caller, view.ask(planner, history, objective)), view)
            for planner in view.planners
        )
    except InfluPathError as cause:
        return Shown(problem=str(cause), status=status_of(cause))
    return Shown(columns, words)


@page(router, "/", slow=True)
def explore(request: Request, visit: Visit) -> Response:
    """Return the whole page."""
    view = ExploreView.of(request)
    shown = answer(visit, view)
    service, caller = visit.service, visit.caller
    active = next((model for model in service.models(caller) if model.active), None)
    return render(
        request,
        "explore.html.j2",
        shown.status,
        view=view,
        shown=shown,
        model=active,
        categories=service.categories(caller) if active else (),
        example=example(visit) if active and not view.asked else None,
        most=visit.settings.max_aggressiveness,
    )


@page(router, "/paths", slow=True)
def paths(request: Request, visit: Visit) -> Response:
    """Return the part of the page that has the paths."""
    view = ExploreView.of(request)
    if not is_part(request):
        return RedirectResponse(f"{request.scope.get('root_path', '')}/?{view.query()}", 303)
    shown = answer(visit, view)
    return render(request, "paths.html.j2", shown.status, view=view, shown=shown)


@page(router, "/frontier", slow=True)
def frontier(request: Request, visit: Visit) -> Response:
    """Return the part of the page that has the frontier."""
    view = ExploreView.of(request).model_copy(update={"frontier": True})
    if not is_part(request):
        return RedirectResponse(f"{request.scope.get('root_path', '')}/?{view.query()}", 303)
    shown = answer(visit, view)
    return render(request, "frontier.html.j2", shown.status, view=view, shown=shown)


@page(router, "/path.csv", slow=True)
def path_csv(request: Request, visit: Visit) -> Response:
    """Return the paths as a table to be saved."""
    view = ExploreView.of(request)
    shown = answer(visit, view)
    if shown.problem or not shown.columns:
        raise ConfigError(shown.problem or "Name a history and an objective first.")
    head = (
        "planner",
        "model",
        "judge",
        "aggressiveness",
        "step",
        "item_id",
        "title",
        "categories",
        "answer",
        "is_objective",
        "acceptance",
        "rank",
        "objective_probability",
        "reason",
    )
    rows = (
        (
            column.plan.planner,
            column.plan.model,
            column.plan.judge,
            column.plan.figures.aggressiveness,
            step.number,
            step.item.id,
            step.item.title,
            "|".join(step.item.categories),
            step.answer or "",
            step.is_objective,
            step.acceptance,
            step.rank,
            step.objective_probability,
            step.reason,
        )
        for column in shown.columns
        for step in column.steps
    )
    return csv_answer("path", head, rows)


def example(visit: Visit) -> str | None:
    """Return the query string of a path to begin with; None where there are no users."""
    users = visit.service.search_users(visit.caller, "", 1).users
    categories = visit.service.categories(visit.caller)
    if not users or not categories:
        return None
    return ExploreView(user=str(users[0]), kind="category", category=categories[0]).query()
