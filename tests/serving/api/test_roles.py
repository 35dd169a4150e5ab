"""Every operation under every role, with a wrong key and with none."""

from typing import Any

import pytest
from fastapi import FastAPI

from influpath.serving.api.examples import EXAMPLES

from .client import client_of, detail
from .examples_service import KEY_OF

# The contract, written down apart from the code: method, path, body, least role.
OPERATIONS: list[tuple[str, str, str | None, str]] = [
    ("GET", "/v1/campaigns", None, "viewer"),
    ("POST", "/v1/campaigns", "CampaignIn", "admin"),
    ("GET", "/v1/campaigns/c-1", None, "viewer"),
    ("PATCH", "/v1/campaigns/c-1", "CampaignChange", "admin"),
    ("GET", "/v1/campaigns/c-1/report", None, "viewer"),
    ("POST", "/v1/next", "NextIn", "service"),
    ("POST", "/v1/feedback", "FeedbackIn", "service"),
    ("POST", "/v1/plan", "PlanIn", "viewer"),
    ("POST", "/v1/audience", "AudienceIn", "viewer"),
    ("GET", "/v1/models", None, "viewer"),
    ("POST", "/v1/models", "ModelIn", "admin"),
    ("POST", "/v1/models/v1/activate", None, "admin"),
    ("POST", "/v1/models/roll-back", None, "admin"),
    ("GET", "/v1/users/17", None, "viewer"),
    ("DELETE", "/v1/users/17", None, "service"),
    ("PUT", "/v1/users/17/opt-out", "OptOutIn", "service"),
    ("PUT", "/v1/users/17/exclusions", "Exclusions", "service"),
    ("POST", "/v1/users/17/goals", "GoalIn", "service"),
    ("DELETE", "/v1/users/17/goals/g-1", None, "service"),
    ("GET", "/v1/users/17/audit", None, "viewer"),
    ("GET", "/v1/users/17/audit?format=text", None, "viewer"),
    ("GET", "/v1/audit", None, "viewer"),
    ("GET", "/v1/exclusions", None, "viewer"),
    ("PUT", "/v1/exclusions", "Exclusions", "admin"),
    ("GET", "/v1/items?q=fargo", None, "viewer"),
    ("GET", "/v1/users?q=1", None, "viewer"),
    ("GET", "/v1/categories", None, "viewer"),
    ("GET", "/metrics", None, "viewer"),
]
ROLES = ("viewer", "service", "admin")
OPEN = {"/healthz", "/readyz", "/login", "/logout"}


def ask(app: FastAPI, operation: tuple[str, str, str | None, str], key: str | None) -> Any:
    """Send an operation's example."""
    method, path, body, _ = operation
    with client_of(app, key) as client:
        return client.request(method, path, json=EXAMPLES[body] if body else None)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: f"{each[0]} {each[1]}")
def test_each_role_does_what_it_may_and_nothing_else(
    app: FastAPI, operation: tuple[str, str, str | None, str]
) -> None:
    for role in ROLES:
        response = ask(app, operation, KEY_OF[role])  # type: ignore[index]
        if ROLES.index(role) >= ROLES.index(operation[3]):
            assert response.status_code in (200, 201), response.text
        else:
            assert operation[3] in detail(response, 403)
    for key in (None, "", "ip_admin_" + "x" * 43, "nonsense", "ip_", "\xff" * 50):
        assert "key" in detail(ask(app, operation, key), 401)


def test_no_operation_is_missing_from_the_matrix(app: FastAPI) -> None:
    with client_of(app) as client:
        schema = client.get("/openapi.json").json()
    declared = {
        (method.upper(), path)
        for path, methods in schema["paths"].items()
        for method in methods
        if path not in OPEN
    }
    from_matrix = set()
    for method, path, _, _ in OPERATIONS:
        for value, name in (("c-1", "campaign_id"), ("17", "user_id"), ("g-1", "goal_id")):
            path = path.replace(f"/{value}", f"/{{{name}}}")
        path = path.replace("/v1/models/v1/", "/v1/models/{version}/").partition("?")[0]
        from_matrix.add((method, path))
    assert declared == from_matrix


def test_a_wrong_role_is_told_before_anything_of_the_body_is_read(app: FastAPI) -> None:
    with client_of(app, KEY_OF["viewer"]) as client:
        detail(client.post("/v1/next", content=b"{"), 403)
    with client_of(app, "nonsense") as client:
        detail(client.post("/v1/next", content=b"{"), 401)
