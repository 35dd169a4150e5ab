"""The pages before the real service on real databases, its engine alone made up."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from influpath.serving.api.app import create_app
from influpath.serving.campaigns.service import Service
from influpath.serving.settings import ServerSettings
from influpath.serving.store.database import Database

from ..api.client import client_of
from ..fakes import FakeEngine

PAGE = {"X-Influpath": "page"}


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    app = create_app(service, ServerSettings(require_key=False), lambda _: None)
    with client_of(app) as client:
        yield client


def text_of(answer: httpx.Response) -> str:
    """Return the words of a page, on one line."""
    assert answer.status_code == 200, answer.text
    return " ".join(re.sub("<[^>]*>", " ", answer.text).split())


def test_a_campaign_from_its_creation_to_its_dashboard(client: httpx.Client) -> None:
    given = {"name": "Westerns", "objective": {"kind": "item", "id": 12}, "holdout": 0.3}
    made = client.post("/v1/campaigns", json=given, headers=PAGE).json()
    for user in range(1, 9):
        for step in range(3):
            shown = client.post("/v1/next", json={"user_id": user}).json()
            event = {
                "event_id": f"{user}-{step}",
                "user_id": user,
                "kind": "accepted",
                "proposal_id": shown["proposal_id"],
            }
            assert client.post("/v1/feedback", json={"events": [event]}).status_code == 200
    listed = text_of(client.get("/campaigns"))
    assert "Westerns running" in listed
    assert "To Film 12." in listed
    answer = client.get(f"/campaigns/{made['id']}")
    report = client.get(f"/v1/campaigns/{made['id']}/report").json()
    said = text_of(answer)
    for sentence in (*report["words"], report["uplift"]["words"], report["shift"]["words"]):
        assert sentence in said.replace("&#39;", "'")
    for stage in report["funnel"]:
        assert stage["stage"] in said
    assert answer.text.count("data-day=") == len(report["days"]) == 1
    rows = client.get(f"/campaigns/{made['id']}/audit.csv").text.splitlines()
    assert len(rows) > 8
    assert rows[0] == "number,at,actor,action,subject,model,words"


@pytest.mark.parametrize(
    "terms",
    [
        {"holdout": 0},
        # No number of users shows either.
        {"least_uplift": 0.99},
        {"audience": {"kind": "users", "users": ["somebody", 2]}},
        {"ends_at": "2031-01-01T00:00:00Z", "starts_at": "2030-12-01T00:00:00+01:00"},
        {"guardrails": {"floor": 0, "adapts": False, "excluded": {"items": [1]}}},
    ],
)
def test_every_campaign_has_a_dashboard(client: httpx.Client, terms: dict[str, Any]) -> None:
    given = {"name": "c", "objective": {"kind": "item", "id": 12}, **terms}
    campaign = client.post("/v1/campaigns", json=given, headers=PAGE).json()["id"]
    for _ in range(2):
        said = text_of(client.get(f"/campaigns/{campaign}"))
        for sentence in client.get(f"/v1/campaigns/{campaign}/report").json()["words"]:
            assert sentence in said.replace("&#39;", "'")
        assert client.post("/v1/next", json={"user_id": 2}).status_code == 200
    client.patch(f"/v1/campaigns/{campaign}", json={"status": "ended"}, headers=PAGE)
    assert "c ended" in text_of(client.get(f"/campaigns/{campaign}"))


def test_users_are_found_in_the_data_and_beyond_and_not_once_they_are_gone(
    client: httpx.Client,
) -> None:
    client.post("/v1/next", json={"user_id": "newcomer/1"})
    found = client.get("/users?q=newcomer/1&go=1", follow_redirects=False)
    assert found.headers["location"] == "/users/newcomer%2F1"
    assert client.get(found.headers["location"]).status_code == 200
    assert client.get("/users?q=nobody&go=1").status_code == 200
    client.delete("/v1/users/1", headers=PAGE)
    page = client.get("/v1/users?limit=3").json()
    assert page == {"items": [], "users": [2, 3, 4], "total": 7}
    assert client.get("/users?q=1&go=1", follow_redirects=False).status_code == 200


def test_a_path_of_the_service_is_shown_with_its_frontier(client: httpx.Client) -> None:
    said = text_of(client.get("/?user=3&kind=category&category=Drama&frontier=on"))
    assert "User 3 to any item of the category Drama" in said
    assert "So far: Film 3" in said
    # The cap of what campaigns may do is that of the page, too.
    assert client.get("/?user=3&item=5&frontier=on").text.count("<tr data-aggressiveness") == 6
    history = text_of(client.get("/?who=history&history=film 2%0A7&item=Film 5"))
    assert "A pasted history to Film 5" in history
    assert "Film 2 → Film 7" in history


def test_a_user_is_seen_changed_and_forgotten(client: httpx.Client) -> None:
    client.put("/v1/users/4/opt-out", json={"opted_out": True}, headers=PAGE)
    client.put("/v1/users/4/exclusions", json={"items": [9], "categories": ["Western"]})
    goal = {"objective": {"kind": "item", "id": 10}}
    client.post("/v1/users/4/goals", json=goal, headers=PAGE)
    answer = client.get("/users/4")
    said = text_of(answer)
    assert "Opted out: no campaign leads this user." in said
    assert "Film 10 open" in said
    assert "Film 9" in answer.text
    assert 'value="Western" checked' in answer.text
    assert answer.text.count('class="when-cell"') == 3
    assert "User 4" in text_of(client.get("/users/4?after=1"))
    client.delete("/v1/users/4", headers=PAGE)
    assert "Film 10" not in client.get("/users/4").text


def test_versions_are_listed(client: httpx.Client) -> None:
    said = text_of(client.get("/models"))
    assert "v1 active" in said
    assert "8 users, 12 items" in said


def test_before_the_first_model_pages_say_what_to_do(store: Database, engine: FakeEngine) -> None:
    empty = Service(store, engine, ServerSettings(), catalogues=engine.catalogue)
    app = create_app(empty, ServerSettings(require_key=False), lambda _: None)
    with client_of(app) as client:
        assert "No model is active yet" in text_of(client.get("/"))
        assert "There are no campaigns yet." in text_of(client.get("/campaigns"))
        assert "No version is registered yet." in text_of(client.get("/models"))
        assert client.get("/users").status_code == 503


def test_what_nobody_is_shown_is_set_for_the_tenant(client: httpx.Client) -> None:
    assert "Nothing is excluded." in text_of(client.get("/campaigns"))
    client.put("/v1/exclusions", json={"items": [9], "categories": ["Drama"]})
    answer = client.get("/campaigns")
    assert 'value="Drama" checked' in answer.text
    assert ">Film 9" in answer.text
