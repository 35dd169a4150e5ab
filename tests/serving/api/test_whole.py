"""The application over a real service and store: what is promised to platforms, through HTTP."""

import hashlib
import json
from datetime import timedelta
from typing import Any

from fastapi import FastAPI

from influpath.serving.store import keys
from influpath.serving.store.database import Database

from ..conftest import Clock
from .acting import CAMPAIGN, OBJECTIVE, Enter, asked, follow
from .client import detail
from .fuzzing import fuzz, operations


def test_a_campaign_from_its_creation_to_arrival_and_report(enter: Enter) -> None:
    admin, platform, viewer = enter("admin"), enter("service"), enter("viewer")
    campaign = asked(admin.post("/v1/campaigns", json=CAMPAIGN), 201)
    assert asked(viewer.get(f"/v1/campaigns/{campaign['id']}")) == campaign
    assert asked(viewer.get("/v1/campaigns")) == [campaign]
    assert asked(viewer.get("/v1/campaigns?status=ended")) == []
    shown = follow(platform, user=1, steps=3)
    assert {each["campaign_id"] for each in shown} == {campaign["id"]}
    assert [each["step"] for each in shown] == [1, 2, 3]
    assert [each["is_objective"] for each in shown] == [False, False, True]
    assert shown[-1]["item"]["id"] == 12
    assert follow(platform, user=1)[0]["source"] == "plain"
    report = asked(viewer.get(f"/v1/campaigns/{campaign['id']}/report"))
    assert report["answers"]["accepted"] == 3
    audit = viewer.get("/v1/users/1/audit?format=text")
    assert audit.headers["content-type"].startswith("text/plain")
    assert audit.text.count("Film 12") >= 1
    assert len(audit.text.splitlines()) == len(asked(viewer.get("/v1/users/1/audit"))["entries"])


def test_an_opt_out_is_honoured_on_the_very_next_call(enter: Enter) -> None:
    admin, platform = enter("admin"), enter("service")
    asked(admin.post("/v1/campaigns", json=CAMPAIGN), 201)
    assert asked(platform.post("/v1/next", json={"user_id": 2}))["source"] == "campaign"
    user = asked(platform.put("/v1/users/2/opt-out", json={"opted_out": True}))
    assert user["opted_out"]
    assert asked(platform.post("/v1/next", json={"user_id": 2}))["source"] == "plain"


def test_nothing_of_a_tenant_is_seen_by_another(enter: Enter) -> None:
    admin, platform = enter("admin"), enter("service")
    campaign = asked(admin.post("/v1/campaigns", json=CAMPAIGN), 201)
    asked(platform.put("/v1/users/1/exclusions", json={"items": [5]}))
    asked(admin.put("/v1/exclusions", json={"items": [6]}))
    goal = asked(platform.post("/v1/users/1/goals", json={"objective": OBJECTIVE}), 201)
    shown = follow(platform, user=1)[0]

    stranger = enter("admin", tenant="other")
    assert asked(stranger.get("/v1/campaigns")) == []
    assert asked(stranger.get("/v1/models")) == []
    unknown, known = "/v1/campaigns/nobody-has-this", f"/v1/campaigns/{campaign['id']}"
    for place in ("", "/report"):
        said = detail(stranger.get(known + place), 404)
        assert said == detail(stranger.get(unknown + place), 404).replace(
            "nobody-has-this", campaign["id"]
        )
    detail(stranger.patch(known, json={"status": "ended"}), 404)
    detail(stranger.post("/v1/next", json={"user_id": 1}), 503)
    asked(stranger.post("/v1/models", json={"version": "v1"}), 201)
    assert asked(stranger.post("/v1/next", json={"user_id": 1}))["source"] == "plain"
    event = {"event_id": "e", "user_id": 1, "kind": "accepted", "proposal_id": shown["proposal_id"]}
    detail(stranger.post("/v1/feedback", json={"events": [event]}), 404)
    user = asked(stranger.get("/v1/users/1"))
    assert user["excluded"] == {"items": [], "categories": []}
    assert user["goals"] == []
    assert asked(stranger.get("/v1/exclusions"))["items"] == []
    detail(stranger.delete(f"/v1/users/1/goals/{goal['id']}"), 404)
    asked(stranger.delete("/v1/users/1"))
    assert asked(platform.get("/v1/users/1"))["goals"] == [goal]
    said = json.dumps(asked(stranger.get("/v1/audit?limit=1000")))
    assert campaign["id"] not in said
    assert "the admin" not in said
    assert 'version="v1"' in stranger.get("/metrics").text


def test_a_key_that_expires_or_is_revoked_sees_nothing(
    enter: Enter, store: Database, clock: Clock, whole: FastAPI
) -> None:
    seconds = 0.0
    whole.state.parts.authentication.clock = lambda: seconds
    brief = enter("admin", name="brief", expires_at=clock() + timedelta(minutes=1))
    taken = enter("admin", name="taken")
    for client in (brief, taken):
        asked(client.get("/v1/campaigns"))
    keys.revoke(store, next(k.key_id for k in keys.listed(store) if k.name == "taken"), clock())
    clock.forward(minutes=2)
    seconds = 5.0
    refusals = {detail(client.get("/v1/campaigns"), 401) for client in (brief, taken)}
    assert len(refusals) == 1


def test_only_the_hash_of_a_key_is_stored(enter: Enter, store: Database) -> None:
    client = enter("admin")
    secret = client.headers["authorization"].removeprefix("Bearer ").split("_", 2)[2]
    with store.reading() as connection:
        row = connection.exec_driver_sql("SELECT * FROM keys").mappings().one()
    assert secret not in str(dict(row))
    assert row["sha256"] == hashlib.sha256(secret.encode()).hexdigest()


def test_a_swapped_model_never_mixes_versions_within_a_journey(enter: Enter) -> None:
    admin, platform = enter("admin"), enter("service")
    asked(admin.post("/v1/campaigns", json=CAMPAIGN), 201)
    first = follow(platform, user=1)
    assert asked(admin.post("/v1/models", json={"version": "v2"}), 201)["active"] is False
    assert asked(admin.post("/v1/models/v2/activate"))["active"] is True
    first += follow(platform, user=1, steps=2)
    assert [each["model"] for each in first] == ["v1", "v1", "v1"]
    assert {each["model"] for each in follow(platform, user=2, steps=3)} == {"v2"}
    assert asked(admin.post("/v1/models/roll-back"))["version"] == "v1"
    assert follow(platform, user=3)[0]["model"] == "v1"
    detail(admin.post("/v1/models/roll-back"), 409)
    detail(admin.post("/v1/models/v9/activate"), 404)


def test_paging_through_the_audit_log_misses_and_repeats_nothing(enter: Enter) -> None:
    admin, platform = enter("admin"), enter("service")
    asked(admin.post("/v1/campaigns", json=CAMPAIGN), 201)
    for user in (1, 2, 3):
        follow(platform, user, "rejected")
    everything = asked(admin.get("/v1/audit?limit=1000"))["entries"]
    assert len(everything) > 7
    paged: list[Any] = []
    last: int | None = None
    while True:
        page = asked(
            admin.get("/v1/audit", params={"limit": 3} | ({"after": last} if last else {}))
        )
        if not page["entries"]:
            break
        paged += page["entries"]
        last = page["last"]
    assert paged == everything


def test_requests_made_up_from_the_document(whole: FastAPI, enter: Enter, store: Database) -> None:
    examples = 40 if store.is_sqlite else 10
    admin = enter("admin")
    campaign = asked(admin.post("/v1/campaigns", json=CAMPAIGN), 201)
    asked(admin.post("/v1/models", json={"version": "v2"}), 201)
    asked(admin.post("/v1/models/v2/activate"))
    users = [1, 2, 3, 4, 99, "5"]
    goals = [
        asked(admin.post(f"/v1/users/{user}/goals", json={"objective": OBJECTIVE}), 201)["id"]
        for user in users
    ]
    proposals = [follow(admin, user)[0]["proposal_id"] for user in (1, 2)]
    proposals.append(asked(admin.post("/v1/next", json={"user_id": 4}))["proposal_id"])
    real = {
        "user_id": users,
        "campaign_id": [campaign["id"]],
        "goal_id": goals,
        "proposal_id": proposals,
        "item_id": [1, 2, "3", 12],
        "objective": [
            OBJECTIVE,
            {"kind": "category", "name": "Drama"},
            {"kind": "set", "ids": [3, "4"]},
        ],
        "excluded": [{"items": [5], "categories": ["Western"]}, {"items": [99]}],
        "items": [[7], []],
        "categories": [["Drama"], []],
        "history": [[1, 2]],
        "planner": ["irn", "vanilla"],
        "version": ["v1", "v2"],
        "horizon": [5, 20],
    }
    headers = {"Authorization": admin.headers["authorization"], "X-Influpath": "page"}
    successes = {each.label: fuzz(each, headers, examples, real) for each in operations(whole)}
    if store.is_sqlite:
        assert [label for label, count in successes.items() if not count] == ["POST /login"]
