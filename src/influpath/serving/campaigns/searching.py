"""What is looked at and not recorded: paths, audiences, items and users."""

from dataclasses import replace
from typing import Any

from influpath.serving.campaigns.base import Base, bundle
from influpath.serving.campaigns.caller import Caller
from influpath.serving.campaigns.catalogues import (
    CatalogueView,
    card,
    checked,
    own_user,
    together,
)
from influpath.serving.campaigns.situation import limits, rejected, taken
from influpath.serving.campaigns.terms import check_objective
from influpath.serving.effects.words import count, one_in
from influpath.serving.engine.asks import (
    AudienceAsk,
    Moment,
    PathAnswer,
    PathAsk,
    PathFigures,
    PathStep,
    Person,
)
from influpath.serving.errors import NotFoundError
from influpath.serving.schemas import (
    AudienceIn,
    AudienceMember,
    AudienceOut,
    Exclusions,
    Page,
    Plan,
    PlanFigures,
    PlanIn,
    PlanStep,
)
from influpath.serving.store import events, models, tenants, users

# Items of a history that are shown beside a path.
LAST = 20
# Values of aggressiveness of a frontier, as far as campaigns may go.
FRONTIER = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
# No page and no call asks for more.
MOST = 1_000


class Searching(Base):
    """What is looked at and not recorded."""

    def plan(self, caller: Caller, given: PlanIn) -> Plan:
        """Return a whole path; nothing is recorded (viewer).

        Raises:
            UnknownIdError: The model knows no such item, category or planner.
            NotFoundError: There is no such user.
            ConfigError: The model cannot plan that far, or all of the objective is excluded.
        """
        caller.must_be("viewer")
        version, catalogue = self._active_catalogue(caller.tenant)
        self._check_horizon(caller.tenant, version, given.horizon)
        own, never, everyone = Exclusions(), set[str](), Exclusions()
        with self.store.reading() as connection:
            everyone = tenants.excluded(connection, caller.tenant)
            rows = models.listed(connection, caller.tenant, version)
        if given.user_id is not None:
            whose, own, never = self._person(caller.tenant, str(given.user_id), catalogue)
        else:
            whose = Person(None, since=tuple(str(item) for item in given.history or ()))
            for item in whose.since:
                catalogue.card(item)
        exclusions = together(everyone, own, checked(catalogue, given.excluded))
        check_objective(catalogue, given.objective, exclusions)
        answer = self.engine.path(
            PathAsk(
                version=bundle(caller.tenant, version),
                person=whose,
                objective=given.objective,
                planner=given.planner or rows[0].card["planners"][0],
                horizon=given.horizon,
                aggressiveness=given.aggressiveness,
                moments=tuple(Moment(str(each.item_id), each.answer) for each in given.answered),
                limits=limits(exclusions, never, given.floor, catalogue),
                frontier=self._frontier() if given.frontier else (),
            )
        )
        if answer.planner != rows[0].card["planners"][0]:
            # It says how often the campaigns' planner arrives, and nothing of others.
            answer = replace(answer, rating=replace(answer.rating, feasibility=None))
        known = catalogue.history(whose.user, LAST) if whose.user and whose.known else ()
        history = (*known, *whose.since)[-LAST:]
        return as_plan(answer, history, version, catalogue)

    def audience(self, caller: Caller, given: AudienceIn) -> AudienceOut:
        """Return who can be led to an objective; not who opted out or was deleted (viewer).

        Raises:
            UnknownIdError: The model knows no such item or category.
        """
        caller.must_be("viewer")
        version, catalogue = self._active_catalogue(caller.tenant)
        with self.store.reading() as connection:
            alone = users.left_alone(connection, caller.tenant)
        answer = self.engine.audience(
            AudienceAsk(
                bundle(caller.tenant, version),
                given.objective,
                given.min_feasibility,
                given.top + alone,
            )
        )
        names = [member.user for member in answer.members]
        with self.store.reading() as connection:
            hidden = users.opted_out(connection, caller.tenant, names)
            hidden |= set(users.tombstones(connection, caller.tenant, names))
        members = [member for member in answer.members if member.user not in hidden][: given.top]
        reachable = answer.reachable - len(hidden)
        return AudienceOut(
            members=tuple(
                AudienceMember(
                    user_id=own_user(catalogue, member.user),
                    target=None if member.target is None else card(catalogue, member.target),
                    feasibility=member.feasibility,
                )
                for member in members
            ),
            reachable=reachable,
            total=answer.total,
            words=audience_words(reachable, answer.total, catalogue.words(given.objective)),
        )

    def search_items(self, caller: Caller, q: str, limit: int = 20) -> Page:
        """Return items whose title or id is like ``q`` (viewer)."""
        caller.must_be("viewer")
        _, catalogue = self._active_catalogue(caller.tenant)
        found, total = catalogue.search_items(q, min(max(limit, 0), MOST))
        return Page(items=tuple(found), total=total)

    def search_users(self, caller: Caller, q: str, limit: int = 20) -> Page:
        """Return users of the active model's data whose id is like ``q`` (viewer)."""
        caller.must_be("viewer")
        _, catalogue = self._active_catalogue(caller.tenant)
        most = min(max(limit, 0), MOST)
        with self.store.reading() as connection:
            # Some of those found may be gone, so more are looked at than are wanted.
            spare = min(users.left_alone(connection, caller.tenant), MOST)
            found, total = catalogue.search_users(q, most + spare)
            gone = users.tombstones(connection, caller.tenant, [str(user) for user in found])
        left = tuple(user for user in found if str(user) not in gone)
        return Page(users=left[:most], total=total - len(gone))

    def categories(self, caller: Caller) -> tuple[str, ...]:
        """Return the categories of the active model's catalogue (viewer)."""
        caller.must_be("viewer")
        return self._active_catalogue(caller.tenant)[1].categories

    def _frontier(self) -> tuple[float, ...]:
        return tuple(push for push in FRONTIER if push <= self.settings.max_aggressiveness)

    def _person(
        self, tenant: str, name: str, catalogue: CatalogueView
    ) -> tuple[Person, Exclusions, set[str]]:
        """Return a user's history, own exclusions, and what was rejected."""
        with self.store.reading() as connection:
            row = users.find(connection, tenant, name)
            if row is not None:
                happened = events.of_user(connection, row.id)
                since = tuple(item for item in taken(happened) if item in catalogue.items)
                own = Exclusions.model_validate(row.excluded)
                return Person(name, row.known, since), own, rejected(happened)
            gone = users.tombstones(connection, tenant, [name])
        if name not in catalogue.users or name in gone:
            raise NotFoundError(f"there is no user {name!r}.")
        return Person(name), Exclusions(), set()


def audience_words(reachable: int, total: int, objective: str) -> str:
    """Say how many can be led there."""
    if not total:
        return f"There are no users to lead to {objective}."
    share = f" ({one_in(reachable / total)})" if 0 < reachable < total else ""
    return f"{reachable:,} of {count(total, 'user')}{share} can be led to {objective}."


def as_step(step: PathStep, catalogue: CatalogueView) -> PlanStep:
    """Return a step of a path."""
    values: dict[str, Any] = {**vars(step), "item": card(catalogue, step.item)}
    return PlanStep(**values)


def as_figures(figures: PathFigures) -> PlanFigures:
    """Return the figures of a path."""
    return PlanFigures(**vars(figures))


def as_plan(
    answer: PathAnswer, history: tuple[str, ...], version: str, catalogue: CatalogueView
) -> Plan:
    """Return a path to look at."""
    rating = answer.rating
    return Plan(
        history=tuple(card(catalogue, item) for item in history),
        target=None if answer.target is None else card(catalogue, answer.target),
        steps=tuple(as_step(step, catalogue) for step in answer.steps),
        figures=as_figures(answer.figures),
        end_probability=answer.end_probability,
        feasibility=rating.feasibility,
        reachable=rating.reachable,
        note=rating.note,
        words=plan_words(answer, catalogue),
        planner=answer.planner,
        judge=answer.judge,
        model=version,
        frontier=tuple(map(as_figures, answer.frontier)),
        before=tuple(as_step(step, catalogue) for step in answer.before),
    )


def plan_words(answer: PathAnswer, catalogue: CatalogueView) -> tuple[str, ...]:
    """Say what a path comes to."""
    said = []
    rating, figures = answer.rating, answer.figures
    if rating.feasibility is not None:
        odds = one_in(rating.feasibility)
        said.append(f"Of users like this one about {odds} accept the objective on such a path.")
    if not answer.steps:
        said.append(f"Nothing is shown: {rating.note or 'the objective cannot be reached'}.")
        return tuple(said)
    if answer.target is not None:
        title = card(catalogue, answer.target).title
        ends = "ends at" if figures.reached else "does not reach"
        said.append(f"The path of {count(figures.length, 'item')} {ends} {title}.")
    weakest = min(answer.steps, key=lambda step: step.acceptance)
    said.append(
        f"The hardest step is {card(catalogue, weakest.item).title}: {one_in(weakest.acceptance)} "
        "would pick it unasked."
    )
    if answer.end_probability is not None:
        when = "Shown last, the objective" if figures.reached else "After the path the objective"
        said.append(f"{when} is what {one_in(answer.end_probability)} would pick next.")
    return tuple(said)
