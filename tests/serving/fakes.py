"""A world of twelve films and an engine that needs no model; deterministic, and fast."""

import threading
from dataclasses import dataclass, field

from influpath.errors import ModelFileError, UnknownIdError
from influpath.planning.base import REST
from influpath.planning.objectives import Objective
from influpath.serving.engine.asks import (
    AudienceAnswer,
    AudienceAsk,
    BundleCard,
    Limits,
    Member,
    Moment,
    PathAnswer,
    PathAsk,
    PathFigures,
    PathStep,
    Person,
    RateAsk,
    Rating,
    StepAnswer,
    StepAsk,
)
from influpath.serving.engine.begin_asks import BeginAnswer, BeginAsk
from influpath.serving.schemas import Id, ItemCard

GENRES = ("Comedy", "Drama", "Western")
LONGEST = 20


class FakeIds:
    """Ids as text."""

    def __init__(self, ids: tuple[Id, ...]) -> None:
        self.by_text = {str(each): each for each in ids}

    def __contains__(self, text: object) -> bool:
        return text in self.by_text

    def own(self, text: str) -> Id:
        return self.by_text[text]


class FakeCatalogue:
    """Items 1 to 12 in three genres; users 1 to 8, of whom u has had item u.

    Args:
        items: How many.
        users: How many.
        prefix: Begins every title and genre.
    """

    def __init__(self, items: int = 12, users: int = 8, prefix: str = "") -> None:
        self.categories = tuple(f"{prefix}{genre}" for genre in GENRES)
        self.cards = {
            str(number): ItemCard(
                id=number,
                title=f"{prefix}Film {number}",
                categories=(self.categories[number % 3],),
            )
            for number in range(1, items + 1)
        }
        self.items = FakeIds(tuple(range(1, items + 1)))
        self.users = FakeIds(tuple(range(1, users + 1)))

    def card(self, item: str) -> ItemCard:
        if item not in self.cards:
            raise UnknownIdError(f"item id {item!r} is not in the data.")
        return self.cards[item]

    def history(self, user: str, last: int | None = None) -> tuple[str, ...]:
        return (user,) if user in self.users else ()

    def members(self, objective: Objective) -> frozenset[str]:
        if objective.name is not None:
            name = self.category(objective.name)
            return frozenset(item for item, card in self.cards.items() if name in card.categories)
        ids = objective.ids if objective.ids is not None else (objective.id,)
        return frozenset(str(self.card(str(each)).id) for each in ids)

    def words(self, objective: Objective) -> str:
        members = sorted(self.members(objective), key=int)
        if objective.name is not None:
            return f"category {objective.name}"
        return " or ".join(self.cards[item].title for item in members)

    def category(self, name: str) -> str:
        found = {each.casefold(): each for each in self.categories}.get(name.strip().casefold())
        if found is None:
            raise UnknownIdError(f"category {name!r} is not in the data.")
        return found

    def search_items(self, text: str, limit: int) -> tuple[list[ItemCard], int]:
        found = [card for card in self.cards.values() if text.casefold() in card.title.casefold()]
        return found[:limit], len(found)

    def search_users(self, text: str, limit: int) -> tuple[list[Id], int]:
        found = [own for name, own in self.users.by_text.items() if name.startswith(text)]
        return found[:limit], len(found)


@dataclass
class FakeEngine:
    """Shows the objective once two items were accepted, or the last slot has come.

    Attributes:
        gone: Versions whose bundle is gone.
        feasibility: By text id of user; others have ``usual``.
        usual: Feasibility of everybody else.
        asked: Every step that was asked for.
        hook: Called before each step is answered, to let something happen meanwhile.
    """

    gone: set[str] = field(default_factory=set)
    feasibility: dict[str, float] = field(default_factory=dict)
    usual: float = 0.5
    asked: list[StepAsk] = field(default_factory=list)
    hook: object = None

    def __post_init__(self) -> None:
        self.known = FakeCatalogue()
        self._lock = threading.Lock()

    def catalogue(self, version: str) -> FakeCatalogue:
        if version in self.gone:
            raise ModelFileError(f"{version}: no such file.")
        return self.known

    def step(self, ask: StepAsk) -> StepAnswer:
        self.catalogue(ask.version)
        with self._lock:
            self.asked.append(ask)
        if callable(self.hook):
            self.hook(ask)
        barred = self._barred(ask.person, ask.moments, ask.limits)
        if ask.objective is None:
            left = [item for item in self.known.cards if item not in barred]
            if not left:
                return StepAnswer(None, note="no item is left that may be shown")
            return StepAnswer(left[0], acceptance=0.25, rank=1, reason="it is liked")
        members = self.known.members(ask.objective)
        targets = sorted(members - self._for_good(ask), key=int)
        shown = sum(moment.answer != "organic" for moment in ask.moments)
        assert shown < ask.horizon, "nobody may ask for more than the horizon"
        if not targets:
            return StepAnswer(None, note="all of the objective was had")
        accepted = sum(moment.answer in ("accepted", "organic") for moment in ask.moments)
        ready = accepted >= 2 or shown + 1 == ask.horizon
        others = [item for item in self.known.cards if item not in barred | members]
        candidates = [each for each in targets if each not in barred] if ready else []
        left = candidates or others
        if not left:
            return StepAnswer(None, target=targets[0], note="no item is left that may be shown")
        chosen = left[0]
        return StepAnswer(
            chosen,
            target=targets[0],
            is_objective=chosen in members,
            acceptance=0.125,
            rank=2,
            aggressiveness=min(ask.aggressiveness, ask.most),
            reason=f"it leads to Film {targets[0]}",
        )

    def rate(self, asks: tuple[RateAsk, ...]) -> tuple[Rating, ...]:
        return tuple(
            Rating(None, self.feasibility.get(str(ask.person.user), self.usual), reachable=True)
            for ask in asks
        )

    def begin(self, ask: BeginAsk) -> BeginAnswer:
        ratings = self.rate(tuple(each.rating for each in ask.candidates))
        chosen = ask.chosen(ratings)
        if chosen is None:
            return BeginAnswer(ratings)
        try:
            return BeginAnswer(ratings, chosen, self.step(ask.candidates[chosen].ask))
        except UnknownIdError:
            return BeginAnswer(ratings, chosen)

    def path(self, ask: PathAsk) -> PathAnswer:
        self.catalogue(ask.version)
        target = sorted(self.known.members(ask.objective), key=int)[0]
        step = PathStep(1, target, True, 0.25, 3, 0.25, "it is the objective")
        figures = PathFigures(ask.aggressiveness, 0.5, 1.5, 1.5, True, True, 1)
        return PathAnswer(
            target,
            (step,),
            figures,
            0.25,
            Rating(target, 0.5, True),
            ask.planner,
            "fake",
            tuple(PathFigures(each, 0.5, 1.5, 1.5, True, True, 1) for each in ask.frontier),
        )

    def audience(self, ask: AudienceAsk) -> AudienceAnswer:
        users = sorted(self.known.users.by_text)
        members = tuple(Member(user, None, 0.5) for user in users[: ask.top])
        return AudienceAnswer(members, len(users), len(users))

    def card(self, version: str) -> BundleCard:
        known = self.catalogue(version)
        users, items = len(known.users.by_text), len(known.cards)
        return BundleCard(
            version, "0" * 64, "fake", users, items, ("irn", "vanilla"), "fake", LONGEST, True
        )

    def close(self) -> None:
        """Nothing to stop."""

    def _had(self, person: Person) -> set[str]:
        known = self.known.history(person.user) if person.user and person.known else ()
        return set(known) | set(person.since)

    def _for_good(self, ask: StepAsk) -> set[str]:
        seen = {each.item for each in ask.moments if each.answer != "ignored"}
        return self._had(ask.person) | seen | self._excluded(ask.limits)

    def _excluded(self, limits: Limits) -> set[str]:
        return set(limits.excluded_items) | {
            item
            for item, card in self.known.cards.items()
            if set(card.categories) & limits.excluded_categories
        }

    def _barred(self, person: Person, moments: tuple[Moment, ...], limits: Limits) -> set[str]:
        slots = [moment for moment in moments if moment.answer != "organic"]
        resting = {moment.item for moment in slots[-REST:] if moment.answer == "ignored"}
        seen = {moment.item for moment in moments if moment.answer != "ignored"}
        return self._had(person) | seen | resting | self._excluded(limits)
