"""What holds for every answer: headers, ids, sentences, counts, a line in the log."""

import json
from urllib.parse import quote

import pytest
from fastapi import FastAPI

from influpath.errors import ConfigError, DataError, ModelFileError, UnknownIdError
from influpath.serving.errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    NotReadyError,
)

from .client import client_of, detail
from .conftest import MakeApp
from .examples_service import KEY_OF, ExamplesService

KEY = KEY_OF["admin"]
PLACES = ("/healthz", "/v1/models", "/nowhere", "/v1/campaigns?status=x", "/docs", "/openapi.json")


@pytest.mark.parametrize("place", PLACES)
def test_every_answer_carries_the_headers(app: FastAPI, place: str) -> None:
    with client_of(app, KEY) as client:
        headers = client.get(place).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert len(headers["x-request-id"]) == 16


def test_a_proxys_request_id_is_kept_if_it_is_harmless(app: FastAPI) -> None:
    with client_of(app) as client:
        sent = client.get("/healthz", headers={"x-request-id": "trace-1.a_B"})
        assert sent.headers["x-request-id"] == "trace-1.a_B"
        for bad in ("a b", "x" * 65, 'a"b', ""):
            sent = client.get("/healthz", headers={"x-request-id": bad})
            assert len(sent.headers["x-request-id"]) == 16


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFoundError("no such campaign."), 404),
        (ConflictError("it has ended."), 409),
        (ForbiddenError("not with this key."), 403),
        (NotReadyError("no model is active."), 503),
        (ModelFileError("the bundle is damaged."), 503),
        (ConfigError("horizon: at most 20."), 422),
        (DataError("no such thing."), 422),
        (UnknownIdError("item '5' is unknown \ud800."), 422),
    ],
)
def test_errors_of_the_service_are_sentences(
    app: FastAPI, examples: ExamplesService, error: Exception, status: int
) -> None:
    examples.error = error
    with client_of(app, KEY) as client:
        assert detail(client.get("/v1/models"), status) == str(error).replace("\ud800", "?")


def test_a_fault_is_logged_under_its_id_and_shown_to_nobody(
    app: FastAPI, examples: ExamplesService, caplog: pytest.LogCaptureFixture
) -> None:
    examples.error = RuntimeError("the secret is 42")
    with client_of(app, KEY) as client:
        response = client.get("/v1/users/17")
    assert "42" not in detail(response, 500)
    fault = next(record for record in caplog.records if record.levelname == "ERROR")
    assert response.headers["x-request-id"] in fault.getMessage()
    assert fault.exc_info is not None
    assert str(fault.exc_info[1]) == "the secret is 42"


def test_the_log_has_a_line_for_each_request_that_names_no_user(
    app: FastAPI, caplog: pytest.LogCaptureFixture
) -> None:
    with client_of(app, KEY) as client:
        client.get("/v1/users/anna-karenina?format=text")
        client.post("/v1/next", json={"user_id": "anna-karenina"})
        client.get("/anna-karenina")
        client.get("/v1/users?q=anna-karenina")
    lines = [
        json.loads(each.getMessage()) for each in caplog.records if each.name == "influpath.access"
    ]
    assert [(line["method"], line["route"], line["status"]) for line in lines] == [
        ("GET", "/v1/users/{user_id}", 200),
        ("POST", "/v1/next", 200),
        ("GET", "none", 404),
        ("GET", "/v1/users", 200),
    ]
    assert lines[0]["tenant"] == "default"
    assert lines[0]["key"] == "the admin"
    assert "anna" not in caplog.text


@pytest.mark.parametrize("user_id", ["a/b", "a%2Fb", "ü né", "?&=#", "ﷺ", "a\\b", "+ +"])
def test_any_id_of_a_user_fits_an_address(
    app: FastAPI, examples: ExamplesService, user_id: str
) -> None:
    with client_of(app, KEY) as client:
        response = client.get(f"/v1/users/{quote(user_id, safe='')}/audit")
    assert response.status_code == 200
    assert examples.asked[-1][3] == user_id


@pytest.mark.parametrize("place", ["/v1/users/a%00b", "/v1/items?q=a%00", "/v1/audit?after=-1"])
def test_what_no_database_takes_is_refused(app: FastAPI, place: str) -> None:
    with client_of(app, KEY) as client:
        detail(client.get(place), 422)


def test_wrong_addresses_and_methods_are_sentences(app: FastAPI) -> None:
    with client_of(app, KEY) as client:
        assert "openapi.json" in detail(client.get("/v1/nowhere"), 404)
        response = client.delete("/v1/next")
        assert "openapi.json" in detail(response, 405)
        assert response.headers["allow"] == "POST"


def test_metrics_count_by_route(make_app: MakeApp) -> None:
    with client_of(make_app(), KEY) as client:
        client.get("/v1/users/17")
        client.get("/v1/users/18")
        client.post("/v1/next", json={"user_id": 1})
        event = {"event_id": "e", "user_id": 1, "kind": "organic", "item_id": 2}
        client.post("/v1/feedback", json={"events": [event]})
        client.request("BREW", "/healthz")
        lines = client.get("/metrics").text.splitlines()
    for expected in (
        'influpath_requests_total{method="GET",route="/v1/users/{user_id}",status="200"} 2.0',
        'influpath_requests_total{method="other",route="/healthz",status="405"} 1.0',
        'influpath_proposals_total{source="campaign"} 1.0',
        'influpath_events_total{kind="organic",status="recorded"} 1.0',
        'influpath_open_journeys{version="2026-11-24"} 12.0',
        'influpath_request_seconds_count{method="POST",route="/v1/next"} 1.0',
    ):
        assert expected in lines
    assert any(line.startswith("influpath_model_info{") and line.endswith(" 1.0") for line in lines)


def test_readiness_is_the_services(app: FastAPI, examples: ExamplesService) -> None:
    with client_of(app) as client:
        assert client.get("/readyz").json() == {"status": "ok"}
        examples.error = NotReadyError("no model is active.")
        assert detail(client.get("/readyz"), 503) == "no model is active."
        assert client.get("/healthz").status_code == 200
