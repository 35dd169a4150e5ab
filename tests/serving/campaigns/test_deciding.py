"""Who leads a user, where models differ in what they know."""

import pytest

from influpath.planning.objectives import Objective
from influpath.serving.campaigns.service import Service
from influpath.serving.schemas import ModelIn
from influpath.serving.settings import ServerSettings
from influpath.serving.store.database import Database
from serving.campaigns.acting import answer, ask, create, send
from serving.conftest import ADMIN, VIEWER, Clock
from serving.fakes import FakeCatalogue, FakeEngine


@pytest.mark.parametrize("objective", [Objective.item(12), Objective.of_items([11, 12])])
def test_what_the_active_model_does_not_know_waits_for_one_that_does(
    store: Database, engine: FakeEngine, clock: Clock, objective: Objective
) -> None:
    def catalogue(version: str) -> FakeCatalogue:
        return FakeCatalogue(items=10 if version.endswith("v2") else 12)

    service = Service(store, engine, ServerSettings(), clock, catalogue)
    service.register_model(ADMIN, ModelIn(version="v1"))
    unknown = create(service, priority=5, objective=objective)
    known = create(service, priority=0, objective=Objective.item(9))
    service.register_model(ADMIN, ModelIn(version="v2"))
    service.activate_model(ADMIN, "v2")
    first = ask(service)
    assert first.campaign_id == known.id
    assert [journey.status for journey in service.user(VIEWER, 1).journeys] == ["open", "open"]
    assert service.roll_back(ADMIN).version == "v1"
    # Another is led there; who is on the way already stays on it.
    assert ask(service, 2).campaign_id == unknown.id
    send(service, answer(first))
    assert ask(service).campaign_id == known.id
