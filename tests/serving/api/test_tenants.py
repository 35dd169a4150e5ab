"""Through no route there is does a tenant see or change what another holds."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from fastapi.routing import APIRoute

from influpath.serving.page.routes import PARTS
from influpath.serving.store.database import Database

from ..campaigns.acting import rows_of
from .acting import CAMPAIGN, OBJECTIVE, Enter, asked, follow
from .fuzzing import Real, put_real

MARK = "Acme"
USER = f"{MARK} user"
# What the stranger makes up, by the same fields that name something of the other tenant's.
MADE_UP = {
    "campaign_id": "c_nothing",
    "user_id": "nobody",
    "goal_id": "g_nothing",
    "proposal_id": "p_nothing",
    "event_id": "nothing",
    "version": "nothing",
}
# What both know, so that requests are valid.
BOTH: Real = {"item_id": [4], "objective": [OBJECTIVE], "items": [[7]], "categories": [["Drama"]]}


def hold(enter: Enter) -> dict[str, str]:
    """Let a tenant have some of everything; return what names it."""
    admin = enter("admin", tenant=MARK)
    for version in (f"{MARK}-1", f"{MARK}-2"):
        asked(admin.post("/v1/models", json={"version": version}), 201)
    asked(admin.put("/v1/exclusions", json={"items": [6]}))
    campaign = asked(admin.post("/v1/campaigns", json={**CAMPAIGN, "name": f"{MARK} spring"}), 201)
    follow(admin, USER, steps=2)
    goal = asked(admin.post(f"/v1/users/{USER}/goals", json={"objective": OBJECTIVE}), 201)
    event = {"event_id": f"{MARK} event", "user_id": USER, "kind": "organic", "item_id": 4}
    asked(admin.post("/v1/feedback", json={"events": [event]}))
    shown = asked(admin.post("/v1/next", json={"user_id": USER}))
    return {
        "campaign_id": campaign["id"],
        "user_id": USER,
        "goal_id": goal["id"],
        "proposal_id": shown["proposal_id"],
        "event_id": event["event_id"],
        "version": f"{MARK}-1",
    }


def calls(schema: dict[str, Any], names: dict[str, str]) -> Iterator[Any]:
    """Yield the arguments of a request to every operation of the document and every page.

    Args:
        schema: The OpenAPI document.
        names: What stands in addresses, queries and bodies, by field.
    """
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            query = {
                each["name"]: names[each["name"]]
                for each in operation.get("parameters", ())
                if each["in"] == "query" and each["name"] in names
            }
            content = operation.get("requestBody", {}).get("content", {})
            example = content.get("application/json", {}).get("example")
            body = put_real(example, BOTH | {name: [value] for name, value in names.items()}, 0)
            # As it is, and with what narrows it down to one thing of another's.
            for asked_for in [{}, *({name: value} for name, value in query.items())]:
                yield method.upper(), path.format(**names), asked_for, body
    for page in (route for part in PARTS for route in part.router.routes):
        assert isinstance(page, APIRoute)
        yield "GET", page.path.format(**names), {}, None


def test_nothing_of_a_tenant_is_seen_or_changed_through_any_route(
    enter: Enter, store: Database
) -> None:
    names = hold(enter)
    owner, stranger = enter("viewer", tenant=MARK), enter("admin", tenant="other")
    asked(stranger.post("/v1/models", json={"version": "v1"}), 201)
    before = rows_of(store, MARK)
    # Ids that it was not told, and whatever carries the tenant's name.
    hidden = {MARK, *re.findall(r"\b[cgjpu]_\w{10,}", repr(before))} - set(names.values())
    schema = asked(stranger.get("/openapi.json"))
    succeeded = set()
    for both in zip(calls(schema, names), calls(schema, MADE_UP), strict=True):
        statuses = []
        for method, path, query, body in both:
            response = stranger.request(
                method, path, params=query, json=body, headers={"X-Influpath": "page"}
            )
            statuses.append(response.status_code)
            text = response.text
            # What the caller itself had said is no secret.
            for name in names.values():
                text = text.replace(name, "").replace(quote(name), "")
            assert not [secret for secret in hidden if secret in text], path
            if response.is_success:
                succeeded.add((method, path))
        # What is another's is as if it were not there.
        assert statuses[0] == statuses[1], both
    assert rows_of(store, MARK) == before
    assert {("POST", "/v1/next"), ("PUT", "/v1/exclusions"), ("GET", "/campaigns")} <= succeeded
    assert len(asked(owner.get("/v1/campaigns"))) == 1
