"""Whatever one tenant holds, another never sees it and cannot change it, by any method there is."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from influpath.errors import InfluPathError, ModelFileError
from influpath.planning.objectives import Objective
from influpath.serving.campaigns.service import Caller, Service
from influpath.serving.engine.asks import (
    AudienceAnswer,
    AudienceAsk,
    BundleCard,
    PathAnswer,
    PathAsk,
    RateAsk,
    Rating,
    StepAnswer,
    StepAsk,
)
from influpath.serving.engine.begin_asks import BeginAnswer, BeginAsk
from influpath.serving.schemas import (
    Audience,
    AudienceIn,
    CampaignChange,
    Exclusions,
    FeedbackIn,
    GoalIn,
    ModelIn,
    OptOutIn,
    PlanIn,
)
from influpath.serving.settings import ServerSettings
from influpath.serving.store.database import Database
from serving.campaigns.acting import answer, ask, create, organic, rows_of, send
from serving.conftest import Clock
from serving.fakes import FakeCatalogue, FakeEngine

# Begins all names that the one tenant gives.
MARK = "Acme "
VERSIONS = {"one": (f"{MARK.strip()}-1", f"{MARK.strip()}-2"), "other": ("v1", "v2")}


class Worlds:
    """An engine of two tenants, each with a world of its own; bundles of others do not exist."""

    def __init__(self, one: str, other: str) -> None:
        self.engines = {one: FakeEngine(), other: FakeEngine()}
        self.engines[one].known = FakeCatalogue(prefix=MARK)
        self.versions = {
            f"{tenant}/{version}"
            for tenant, own in ((one, "one"), (other, "other"))
            for version in VERSIONS[own]
        }

    def of(self, version: str) -> FakeEngine:
        if version not in self.versions:
            raise ModelFileError(f"{version}: is not a bundle.")
        return self.engines[version.partition("/")[0]]

    def catalogue(self, version: str) -> FakeCatalogue:
        return self.of(version).known

    def step(self, ask: StepAsk) -> StepAnswer:
        return self.of(ask.version).step(ask)

    def rate(self, asks: tuple[RateAsk, ...]) -> tuple[Rating, ...]:
        return self.of(asks[0].version).rate(asks)

    def begin(self, ask: BeginAsk) -> BeginAnswer:
        return self.of(ask.candidates[0].ask.version).begin(ask)

    def path(self, ask: PathAsk) -> PathAnswer:
        return self.of(ask.version).path(ask)

    def audience(self, ask: AudienceAsk) -> AudienceAnswer:
        return self.of(ask.version).audience(ask)

    def card(self, version: str) -> BundleCard:
        return self.of(version).card(version)

    def close(self) -> None:
        """Nothing to stop."""


@dataclass(frozen=True)
class Guess:
    """What the other tenant has come to know, or made up; everything else it must not learn."""

    user: str
    campaign: str
    goal: str
    proposal: str
    event: str
    version: str
    item: int = 9


STRANGE = Guess("nobody", "c_nothing", "g_nothing", "p_nothing", "e-nothing", "v-nothing")
FILM_3 = Objective.item(3)


def answered(service: Service, caller: Caller, guess: Guess) -> Any:
    event = organic(guess.item, guess.user, guess.event)
    told = event.model_copy(update={"kind": "accepted", "proposal_id": guess.proposal})
    return service.feedback(caller, FeedbackIn(events=(told,)))


# Every method, as a tenant might call it that knows ids of another.
CASES: dict[str, tuple[Callable[[Service, Caller, Guess], Any], ...]] = {
    "ready": (lambda service, _, __: service.ready(),),
    "next": (lambda service, caller, guess: ask(service, guess.user, caller),),
    "feedback": (
        answered,
        lambda service, caller, guess: send(
            service, organic(guess.item, guess.user, guess.event), caller
        ),
    ),
    "user": (lambda service, caller, guess: service.user(caller, guess.user),),
    "opt_out": (
        lambda service, caller, guess: service.opt_out(
            caller, guess.user, OptOutIn(opted_out=True)
        ),
    ),
    "exclude": (
        lambda service, caller, guess: service.exclude(
            caller, guess.user, Exclusions(items=(guess.item,))
        ),
    ),
    "add_goal": (
        lambda service, caller, guess: service.add_goal(
            caller, guess.user, GoalIn(objective=FILM_3)
        ),
    ),
    "give_up_goal": (
        lambda service, caller, guess: service.give_up_goal(caller, guess.user, guess.goal),
    ),
    "delete_user": (lambda service, caller, guess: service.delete_user(caller, guess.user),),
    "campaigns": (lambda service, caller, _: service.campaigns(caller),),
    "campaign": (lambda service, caller, guess: service.campaign(caller, guess.campaign),),
    "create_campaign": (
        lambda service, caller, guess: create(
            service, caller, audience=Audience(kind="users", users=(guess.user, 1))
        ),
    ),
    "change_campaign": (
        lambda service, caller, guess: service.change_campaign(
            caller, guess.campaign, CampaignChange(status="ended")
        ),
    ),
    "report": (lambda service, caller, guess: service.report(caller, guess.campaign),),
    "exclusions": (lambda service, caller, _: service.exclusions(caller),),
    "set_exclusions": (
        lambda service, caller, _: service.set_exclusions(caller, Exclusions(items=(2,))),
    ),
    "models": (lambda service, caller, _: service.models(caller),),
    "register_model": (
        lambda service, caller, guess: service.register_model(
            caller, ModelIn(version=guess.version)
        ),
    ),
    "activate_model": (
        lambda service, caller, guess: service.activate_model(caller, guess.version),
    ),
    "roll_back": (lambda service, caller, _: service.roll_back(caller),),
    "plan": (
        lambda service, caller, guess: service.plan(
            caller, PlanIn(user_id=guess.user, objective=FILM_3)
        ),
        lambda service, caller, guess: service.plan(
            caller, PlanIn(history=(guess.item,), objective=FILM_3)
        ),
    ),
    "audience": (
        lambda service, caller, _: service.audience(caller, AudienceIn(objective=FILM_3)),
    ),
    "search_items": (
        lambda service, caller, _: service.search_items(caller, "film"),
        lambda service, caller, _: service.search_items(caller, MARK),
    ),
    "search_users": (
        lambda service, caller, guess: service.search_users(caller, guess.user),
        lambda service, caller, _: service.search_users(caller, ""),
    ),
    "categories": (lambda service, caller, _: service.categories(caller),),
    "audit": (
        lambda service, caller, _: service.audit(caller),
        lambda service, caller, guess: service.audit(caller, user_id=guess.user),
        lambda service, caller, guess: service.audit(caller, campaign_id=guess.campaign),
    ),
}


def public(service: type[Service]) -> set[str]:
    return {
        name
        for name, _ in inspect.getmembers(service, inspect.isfunction)
        if not name.startswith("_")
    }


def test_every_method_has_its_case() -> None:
    assert set(CASES) == public(Service)


def hold(service: Service, own: Caller, deeds: list[tuple[int, str]]) -> Guess:
    """Let a tenant have some of everything, and more by chance; return what others may know."""
    for version in VERSIONS["one"]:
        service.register_model(own, ModelIn(version=version))
    users = [f"{MARK}user {number}" for number in range(4)]
    service.set_exclusions(own, Exclusions(items=(12,)))
    first = create(service, own, name=f"{MARK}spring")
    create(
        service, own, name=f"{MARK}few", audience=Audience(kind="users", users=users), priority=1
    )
    goal = service.add_goal(own, users[0], GoalIn(objective=FILM_3))
    shown = ask(service, users[0], own)
    send(service, organic(4, users[0], f"{MARK}event"), own)
    for place, (number, deed) in enumerate(deeds):
        user = users[number]
        if deed == "ask":
            ask(service, user, own)
        elif deed == "answer":
            send(service, answer(ask(service, user, own), name=f"{MARK}answer {place}"), own)
        elif deed == "reject":
            told = answer(ask(service, user, own), "rejected", f"{MARK}no {place}")
            send(service, told, own)
        elif deed == "opt out":
            service.opt_out(own, user, OptOutIn(opted_out=True))
        elif deed == "forget" and number:
            service.delete_user(own, user)
        elif deed == "pause":
            service.change_campaign(own, first.id, CampaignChange(status="paused"))
    ask(service, users[1], own)
    return Guess(users[0], first.id, goal.id, shown.proposal_id, f"{MARK}event", VERSIONS["one"][0])


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = (*value.keys(), *value.values())
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from texts(each)


def secrets_of(kept: dict[str, list[tuple[Any, ...]]], tenant: str, guess: Guess) -> set[str]:
    """Return every name and title that a tenant has, but for what others may know."""
    found = {
        text
        for text in texts(kept)
        if MARK.strip() in text or text[:2] in ("c_", "g_", "j_", "p_", "u_")
    }
    own = FakeCatalogue(prefix=MARK)
    found |= {tenant, *own.categories, *(card.title for card in own.cards.values())}
    return found - set(texts(list(vars(guess).values())))


def told(call: Callable[[], Any]) -> str:
    """Return all that a call tells its caller."""
    try:
        return repr(call())
    except InfluPathError as error:
        return f"{type(error).__name__}: {error}"


def plain(text: str, guess: Guess) -> str:
    """Return what was told, without what the caller itself had said."""
    for name, value in sorted(vars(guess).items(), key=lambda pair: -len(str(pair[1]))):
        if name != "item":
            text = text.replace(str(value), f"<{name}>")
    return text


DEEDS = st.tuples(
    st.integers(0, 3), st.sampled_from(["ask", "answer", "reject", "opt out", "forget", "pause"])
)


@settings(
    max_examples=4,
    deadline=None,
    # A failure names the method; to look for a smaller one takes minutes.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(deeds=st.lists(DEEDS, max_size=8), order=st.permutations(sorted(CASES)))
def test_nothing_of_a_tenant_is_seen_or_changed_by_another(
    store: Database, deeds: list[tuple[int, str]], order: list[str]
) -> None:
    one, other = (f"t{uuid4().hex[:12]}" for _ in range(2))
    worlds = Worlds(one, other)
    service = Service(store, worlds, ServerSettings(), Clock(), worlds.catalogue)
    # The same name of a key opens nothing.
    owner, stranger = Caller(one, f"{MARK}key", "admin"), Caller(other, "key", "admin")
    guess = hold(service, owner, deeds)
    for version in VERSIONS["other"]:
        service.register_model(stranger, ModelIn(version=version))
    before = rows_of(store, one)
    hidden = secrets_of(before, one, guess)
    for name in order:
        for case in CASES[name]:
            # Two strangers to the same thing: what is another's is as if it were not there.
            real = told(lambda case=case: case(service, stranger, guess))  # type: ignore[misc]
            made_up = told(lambda case=case: case(service, stranger, STRANGE))  # type: ignore[misc]
            assert not [secret for secret in hidden if secret in real], name
            if "Error: " in real or "Error: " in made_up:
                assert plain(real, guess) == plain(made_up, STRANGE), name
    assert rows_of(store, one) == before
    with pytest.raises(InfluPathError):
        service.campaign(stranger, guess.campaign)
    assert service.campaign(owner, guess.campaign)
