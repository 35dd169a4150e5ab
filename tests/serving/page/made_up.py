"""A service with made-up films for the page's tests: deterministic, all in memory."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from influpath.errors import ConfigError, UnknownIdError
from influpath.planning.objectives import Objective
from influpath.serving import schemas
from influpath.serving.campaigns.caller import Caller
from influpath.serving.campaigns.service import Service
from influpath.serving.errors import ConflictError, NotFoundError

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
CATEGORIES = ("Adventure", "Comedy", "Drama", "Mystery", "Romance", "Western")
FIRST = (
    *("Quiet", "Blue", "Last", "Seventh", "Paper"),
    *("Northern", "Hidden", "Golden", "Broken", "Distant"),
)
SECOND = ("Harbour", "Orchard", "Signal", "Winter", "Letter", "Garden")


def categories_of(number: int) -> tuple[str, ...]:
    """Return one or two categories of a film."""
    both = (CATEGORIES[number % 6], CATEGORIES[(number * 5 + 2) % 6])
    return both if both[0] != both[1] else both[:1]


FILMS = tuple(
    schemas.ItemCard(
        id=1 + number,
        title=f"{FIRST[number % 10]} {SECOND[number // 10]} ({1950 + number})",
        categories=categories_of(number),
    )
    for number in range(60)
)
BY_ID = {str(film.id): film for film in FILMS}
USERS = (*(f"u{number}" for number in range(1, 41)), "né/o ü")
PLANNERS = ("irn", "rec2inf", "vanilla")


def chance(*seed: object) -> float:
    """Return a number from 0 to 1 that is always the same for the same seed."""
    text = "|".join(map(str, seed))
    value = 2166136261
    for byte in text.encode():
        value = (value ^ byte) * 16777619 % 2**32
    return value / 2**32


class MadeUpService(Service):
    """What ``Service`` is to the page, without a database and an engine."""

    def __init__(self) -> None:
        self.campaigns_: list[schemas.Campaign] = []
        self.people: dict[str, schemas.User] = {}
        self.active = ["2026-11-24"]
        self.log: list[schemas.AuditEntry] = []
        self.nobody = schemas.Exclusions()

    def ready(self) -> None:
        """Is ready."""

    # Catalogue

    def search_items(self, caller: Caller, q: str, limit: int = 20) -> schemas.Page:
        wanted = q.strip().casefold()
        found = [film for film in FILMS if str(film.id) == wanted]
        found += [film for film in FILMS if wanted in film.title.casefold() and film not in found]
        return schemas.Page(items=tuple(found[:limit]), total=len(found))

    def search_users(self, caller: Caller, q: str, limit: int = 20) -> schemas.Page:
        found = sorted(
            (user for user in USERS if user.startswith(q.strip())), key=lambda user: user != q
        )
        return schemas.Page(users=tuple(found[:limit]), total=len(found))

    def categories(self, caller: Caller) -> tuple[str, ...]:
        return CATEGORIES

    # Paths

    def plan(self, caller: Caller, given: schemas.PlanIn) -> schemas.Plan:
        if given.user_id is not None and str(given.user_id) not in USERS:
            raise UnknownIdError(f"user id {given.user_id!r} is not in the data.")
        if given.planner is not None and given.planner not in PLANNERS:
            raise ConfigError(f"planner {given.planner!r} is not in the model; it has irn.")
        history = given.history or tuple(1 + int(60 * chance(given.user_id, k)) for k in range(5))
        planner = given.planner or PLANNERS[0]
        target = self.path_target(given.objective, {str(own) for own in history})
        used = {str(own) for own in history}
        if str(target.id) in used:
            return self.no_path(history, planner, given)
        before, number = [], 1
        for answered in given.answered:
            before.append(
                self.path_step(number, str(answered.item_id), target, given, answered.answer)
            )
            used.add(str(answered.item_id))
            number += answered.answer == "accepted"
        length = min(given.horizon, 6)
        pull = 0.2 * given.aggressiveness

        def place(film: schemas.ItemCard) -> float:
            near = film.categories[0] == target.categories[0]
            return chance(planner, history[0], film.id) - pull * near

        free = [film for film in FILMS if str(film.id) not in used and film.id != target.id]
        order = sorted(free, key=place)
        steps = []
        while number < length:
            film = order[number - 1 + 7 * sum(each.answer == "rejected" for each in given.answered)]
            steps.append(self.path_step(number, str(film.id), target, given, None))
            number += 1
        reached = planner != "vanilla" and str(target.id) not in used
        if reached:
            steps.append(self.path_step(number, str(target.id), target, given, None))
        figures = self.path_figures(planner, given.aggressiveness, reached, number)
        frontier = tuple(self.path_figures(planner, each / 4, reached, number) for each in range(9))
        return schemas.Plan(
            history=tuple(BY_ID[str(own)] for own in history[-5:]),
            target=target,
            steps=tuple(steps),
            figures=figures,
            end_probability=0.02,
            feasibility=0.034,
            reachable=True,
            note=None,
            words=(f"About 1 in 30 users like this one arrive at {target.title}.",),
            planner=planner,
            judge="sasrec",
            model=self.active[-1],
            frontier=frontier if given.frontier else (),
            before=tuple(before),
        )

    def no_path(
        self, history: tuple[schemas.Id, ...], planner: str, given: schemas.PlanIn
    ) -> schemas.Plan:
        note = "the user has had every item of the objective"
        return schemas.Plan(
            history=tuple(BY_ID[str(own)] for own in history),
            target=None,
            steps=(),
            figures=schemas.PlanFigures(
                aggressiveness=given.aggressiveness,
                increase_of_interest=None,
                log_perplexity=None,
                worst_step=None,
                reached=False,
                accepted=False,
                length=0,
            ),
            end_probability=None,
            feasibility=None,
            reachable=False,
            note=note,
            words=(f"Nothing is shown: {note}.",),
            planner=planner,
            judge="sasrec",
            model=self.active[-1],
        )

    def path_target(self, objective: Objective, had: set[str]) -> schemas.ItemCard:
        if objective.kind == "category":
            return next(
                film
                for film in FILMS
                if objective.name in film.categories and str(film.id) not in had
            )
        ids = objective.ids or (objective.id,)
        if str(ids[0]) not in BY_ID:
            raise UnknownIdError(f"item id {ids[0]!r} is not in the data.")
        return BY_ID[str(ids[0])]

    def path_step(
        self, number: int, own: str, target: schemas.ItemCard, given: schemas.PlanIn, answer: Any
    ) -> schemas.PlanStep:
        film = BY_ID[own]
        pull = 0.0 if given.planner == "vanilla" else max(given.aggressiveness, 0.1)
        return schemas.PlanStep(
            number=number,
            item=film,
            is_objective=film.id == target.id,
            acceptance=0.02 + 0.15 * chance(own, given.planner),
            rank=1 + int(40 * chance(own)),
            objective_probability=1e-4 * math.exp(0.8 * number * pull),
            reason=f"{film.categories[0]} like the objective; likely after what came before",
            answer=answer,
        )

    def path_figures(
        self, planner: str, push: float, reached: bool, length: int
    ) -> schemas.PlanFigures:
        strength = {"irn": 1.0, "rec2inf": 0.7, "vanilla": 0.05}[planner]
        return schemas.PlanFigures(
            aggressiveness=push,
            increase_of_interest=strength * 4 * (1 - math.exp(-push)),
            log_perplexity=3.7 + 0.8 * push**1.5 * (1.4 - strength),
            worst_step=5.5 + push,
            reached=reached,
            accepted=reached and push >= 0.5,
            length=length,
        )

    # Campaigns

    def campaigns(
        self, caller: Caller, status: schemas.CampaignStatus | None = None
    ) -> tuple[schemas.Campaign, ...]:
        return tuple(reversed(self.campaigns_))

    def campaign(self, caller: Caller, campaign_id: str) -> schemas.Campaign:
        for campaign in self.campaigns_:
            if campaign.id == campaign_id:
                return campaign
        raise NotFoundError(f"There is no campaign {campaign_id!r}.")

    def create_campaign(self, caller: Caller, given: schemas.CampaignIn) -> schemas.Campaign:
        caller.must_be("admin")
        if given.name == "Refused":
            raise ConfigError("every item of the objective is excluded; choose another objective.")
        ids = given.objective.ids or (given.objective.id,)
        words = f"category {given.objective.name}"
        if given.objective.name is None:
            words = " or ".join(BY_ID[str(own)].title for own in ids)
        campaign = schemas.Campaign(
            **given.model_dump(),
            id=f"c-{len(self.campaigns_) + 1}",
            status="running",
            objective_words=words,
            created_at=NOW,
        )
        self.campaigns_.append(campaign)
        said = f"{caller.key_name} created the campaign “{given.name}”."
        self.write_down(caller.key_name, "campaign.created", said, campaign=campaign.id)
        return campaign

    def change_campaign(
        self, caller: Caller, campaign_id: str, change: schemas.CampaignChange
    ) -> schemas.Campaign:
        caller.must_be("admin")
        old = self.campaign(caller, campaign_id)
        if old.status == "ended":
            raise ConflictError(f"campaign {old.name!r} has ended.")
        new = old.model_copy(update=change.model_dump(exclude_none=True))
        self.campaigns_[self.campaigns_.index(old)] = new
        said = f"{caller.key_name} set “{new.name}” to {new.status}."
        self.write_down(caller.key_name, f"campaign.{new.status}", said, campaign=new.id)
        return new

    def report(self, caller: Caller, campaign_id: str) -> schemas.CampaignReport:
        campaign = self.campaign(caller, campaign_id)

        def at(value: float, low: float, high: float, n: int) -> schemas.Estimate:
            return schemas.Estimate(value=value, low=low, high=high, n=n)

        counts = ((900, 100), (860, 0), (700, 0), (410, 21), (64, 2))
        stages = ("enrolled", "led", "answered", "took something on the way", "arrived")
        return schemas.CampaignReport(
            campaign=campaign,
            funnel=tuple(
                schemas.FunnelStage(stage=stage, treated=treated, control=control)
                for stage, (treated, control) in zip(stages, counts, strict=True)
            ),
            uplift=schemas.Uplift(
                treated=at(0.071, 0.052, 0.093, 900),
                control=at(0.02, 0.001, 0.08, 100),
                difference=at(0.051, -0.01, 0.083, 1000),
                level=0.95,
                pending=130,
                decided=False,
                words="1 in 14 led users arrive, against 1 in 50 of the hold-out: not decided yet.",
            ),
            users_needed=schemas.UsersNeeded(
                users=2400,
                baseline=0.02,
                least_uplift=0.05,
                power=0.8,
                enrolled=1000,
                words="2,400 users decide about an uplift of 5 points; 1,000 are enrolled.",
            ),
            shift=schemas.Shift(
                treated=at(0.091, 0.08, 0.1, 900),
                control=at(0.062, 0.05, 0.07, 100),
                induced=at(0.029, 0.01, 0.05, 1000),
                words="Tastes of led users moved a little more than those of the hold-out.",
            ),
            answers={"accepted": 2100, "rejected": 900, "ignored": 410, "open": 120},
            days=tuple(
                schemas.Day(
                    day=NOW - timedelta(days=14 - day),
                    shown=200 + 9 * day,
                    accepted=100 + 7 * day,
                    rejected=70,
                    arrived=day,
                )
                for day in range(14)
            ),
            words=(
                "1 in 14 led users arrive, against 1 in 50 of the hold-out.",
                "It is not decided yet: about 1,400 more users are needed.",
            ),
        )

    # Users

    def user(self, caller: Caller, user_id: schemas.Id) -> schemas.User:
        known = self.people.get(str(user_id))
        if known is not None:
            return known
        if str(user_id) not in USERS:
            raise NotFoundError(f"There is no user {user_id!r}.")
        return schemas.User(
            user_id=user_id,
            opted_out=False,
            excluded=schemas.Exclusions(items=(7,), categories=("Western",)),
            goals=(
                schemas.Goal(
                    objective=Objective.item(12),
                    horizon=10,
                    id="g-1",
                    objective_words=FILMS[11].title,
                    status="open",
                    created_at=NOW,
                ),
            ),
            journeys=(
                schemas.Journey(
                    id="j-1",
                    campaign_id="c-1",
                    goal_id=None,
                    arm="treated",
                    status="open",
                    objective_words=FILMS[3].title,
                    shown=4,
                    horizon=20,
                    feasibility=0.04,
                    model="2026-11-24",
                    started_at=NOW,
                ),
            ),
            recent=FILMS[:4],
        )

    def change_user(
        self, caller: Caller, user_id: schemas.Id, action: str, **update: Any
    ) -> schemas.User:
        caller.must_be("service")
        new = self.user(caller, user_id).model_copy(update=update)
        self.people[str(user_id)] = new
        said = action.partition(".")[2].replace("_", " ")
        self.write_down("user", action, f"The user: {said}.", subject="s-5f")
        return new

    def opt_out(self, caller: Caller, user_id: schemas.Id, given: schemas.OptOutIn) -> schemas.User:
        action = "user.opted_out" if given.opted_out else "user.opted_in"
        return self.change_user(caller, user_id, action, opted_out=given.opted_out)

    def exclude(
        self, caller: Caller, user_id: schemas.Id, given: schemas.Exclusions
    ) -> schemas.User:
        return self.change_user(caller, user_id, "user.exclusions_set", excluded=given)

    def add_goal(self, caller: Caller, user_id: schemas.Id, given: schemas.GoalIn) -> schemas.Goal:
        words = given.objective.name or BY_ID[str(given.objective.id)].title
        goal = schemas.Goal(
            **given.model_dump(),
            id=f"g-{2 + len(self.log)}",
            objective_words=words,
            status="open",
            created_at=NOW,
        )
        self.change_user(
            caller, user_id, "user.goal_set", goals=(*self.user(caller, user_id).goals, goal)
        )
        return goal

    def give_up_goal(self, caller: Caller, user_id: schemas.Id, goal_id: str) -> schemas.Goal:
        goals = tuple(
            goal.model_copy(update={"status": "given_up"}) if goal.id == goal_id else goal
            for goal in self.user(caller, user_id).goals
        )
        self.change_user(caller, user_id, "user.goal_given_up", goals=goals)
        return next(goal for goal in goals if goal.id == goal_id)

    def delete_user(self, caller: Caller, user_id: schemas.Id) -> schemas.Deleted:
        self.change_user(caller, user_id, "user.deleted", goals=(), journeys=(), recent=())
        return schemas.Deleted(user_id=user_id, events=3, proposals=4, journeys=1)

    # Audit and models

    def write_down(
        self,
        actor: str,
        action: str,
        words: str,
        subject: str | None = None,
        campaign: str | None = None,
    ) -> None:
        self.log.append(
            schemas.AuditEntry(
                number=len(self.log) + 1,
                at=NOW,
                actor=actor,
                action=action,
                subject=subject,
                campaign_id=campaign,
                model=self.active[-1],
                details={},
                words=words,
            )
        )

    def audit(
        self,
        caller: Caller,
        after: int | None = None,
        limit: int = 100,
        user_id: schemas.Id | None = None,
        campaign_id: str | None = None,
    ) -> schemas.AuditPage:
        def wanted(entry: schemas.AuditEntry) -> bool:
            ours = campaign_id is None or entry.campaign_id == campaign_id
            return entry.number > (after or 0) and ours and (user_id is None or bool(entry.subject))

        found = tuple(filter(wanted, self.log))[:limit]
        return schemas.AuditPage(entries=found, last=found[-1].number if found else None)

    def exclusions(self, caller: Caller) -> schemas.Exclusions:
        return self.nobody

    def set_exclusions(self, caller: Caller, given: schemas.Exclusions) -> schemas.Exclusions:
        caller.must_be("admin")
        self.nobody = given
        return given

    def models(self, caller: Caller) -> tuple[schemas.Model, ...]:
        return tuple(
            schemas.Model(
                version=version,
                active=version == self.active[-1],
                journeys=12,
                fingerprint="ab" * 32,
                dataset="made-up films",
                users=len(USERS),
                items=len(FILMS),
                planners=PLANNERS,
                judge="sasrec",
                longest=20,
                calibrated=True,
                registered_at=NOW,
                activated_at=NOW if version in self.active else None,
            )
            for version in ("2026-11-24", "2026-11-20")
        )

    def activate_model(self, caller: Caller, version: str) -> schemas.Model:
        caller.must_be("admin")
        self.active.append(version)
        return self.models(caller)[0]

    def roll_back(self, caller: Caller) -> schemas.Model:
        caller.must_be("admin")
        if len(self.active) < 2:
            raise ConflictError("no version was active before.")
        self.active.pop()
        return self.models(caller)[0]

    def register_model(self, caller: Caller, given: schemas.ModelIn) -> schemas.Model:
        caller.must_be("admin")
        raise NotFoundError(f"there is no folder {given.version!r} of a bundle.")
