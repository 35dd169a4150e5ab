"""Who gets in, through which door, and until when."""

import json
from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from influpath.serving.api import authentication
from influpath.serving.api.app import create_app
from influpath.serving.api.examples import EXAMPLES
from influpath.serving.settings import ServerSettings, is_loopback

from .client import client_of, detail
from .conftest import MakeApp
from .examples_service import KEY_OF, KEYS, ExamplesService

KEY = KEY_OF["admin"]


def test_a_revoked_key_is_refused_within_five_seconds(examples: ExamplesService) -> None:
    now = 100.0
    keys = dict(KEYS)
    app = create_app(examples, ServerSettings(), keys.get)
    app.state.parts.authentication.clock = lambda: now
    with client_of(app, KEY) as client:
        assert client.get("/v1/models").status_code == 200
        del keys[KEY]
        now = 104.9
        assert client.get("/v1/models").status_code == 200
        now = 105.0
        detail(client.get("/v1/models"), 401)


def test_the_database_is_not_asked_for_every_request(examples: ExamplesService) -> None:
    asked = []

    def find(key: str) -> Any:
        asked.append(key)
        return KEYS.get(key)

    app = create_app(examples, ServerSettings(), find)
    with client_of(app, KEY) as client:
        for _ in range(20):
            client.get("/v1/models")
    assert asked == [KEY]


def test_whoever_tries_keys_is_slowed_down_and_nobody_else(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = app.state.parts.authentication
    now = 0.0
    monkeypatch.setattr(guard.wrong, "clock", lambda: now)
    with client_of(app, KEY) as right, client_of(app) as wrong:
        assert right.get("/v1/models").status_code == 200
        statuses = [
            wrong.get("/v1/models", headers={"authorization": f"Bearer ip_{n}"}).status_code
            for n in range(authentication.WRONG_KEYS[1] + 5)
        ]
        assert statuses == [401] * authentication.WRONG_KEYS[1] + [429] * 5
        assert right.get("/v1/models").status_code == 200
        now = 1.0
        detail(wrong.get("/v1/models"), 401)


class TestCookie:
    def test_the_page_signs_in_and_out(self, make_app: MakeApp) -> None:
        with client_of(make_app(secure_cookie=True)) as client:
            response = client.post("/login", json={"key": KEY}, headers={"x-influpath": "page"})
            assert response.json() == {"tenant": "default", "name": "the admin", "role": "admin"}
            cookie = response.headers["set-cookie"]
            assert {"HttpOnly", "SameSite=strict", "Secure", "Path=/"} <= set(cookie.split("; "))
            out = client.post("/logout", headers={"x-influpath": "page"})
            assert out.status_code == 204
            assert 'influpath_key=""' in out.headers["set-cookie"]
            assert "Max-Age=0" in out.headers["set-cookie"]

    def test_reads_need_the_cookie_alone_and_writes_the_header_too(self, app: FastAPI) -> None:
        with client_of(app) as client:
            client.post("/login", json={"key": KEY}, headers={"x-influpath": "page"})
            assert client.get("/v1/models").status_code == 200
            body = EXAMPLES["NextIn"]
            assert "X-Influpath" in detail(client.post("/v1/next", json=body), 403)
            page = {"x-influpath": "page"}
            assert client.post("/v1/next", json=body, headers=page).status_code == 200

    def test_a_wrong_key_gets_no_cookie_and_is_not_repeated(self, app: FastAPI) -> None:
        with client_of(app) as client:
            wrong = "ip_viewer_" + "z" * 43
            response = client.post("/login", json={"key": wrong}, headers={"x-influpath": "page"})
            assert wrong not in detail(response, 401)
            assert "set-cookie" not in response.headers
            response = client.post(
                "/login", json={"key": ["secret"]}, headers={"x-influpath": "page"}
            )
            assert "secret" not in detail(response, 422)

    def test_another_site_can_sign_nobody_in_or_out(self, app: FastAPI) -> None:
        with client_of(app) as client:
            detail(client.post("/login", json={"key": KEY}), 403)
            detail(client.post("/logout"), 403)

    def test_a_key_in_the_header_goes_before_the_cookie(self, app: FastAPI) -> None:
        with client_of(app) as client:
            client.post("/login", json={"key": KEY}, headers={"x-influpath": "page"})
            viewer = {"authorization": f"Bearer {KEY_OF['viewer']}"}
            detail(client.post("/v1/models/roll-back", headers=viewer), 403)


class TestWithoutKeys:
    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST:1"])
    def test_this_machine_is_let_in(self, make_app: MakeApp, host: str) -> None:
        with client_of(make_app(require_key=False), host=host) as client:
            assert client.get("/v1/models").status_code == 200
            same = {"origin": f"http://{host}"}
            assert client.post("/v1/models/roll-back", headers=same).status_code == 200

    @pytest.mark.parametrize(
        "host",
        ["evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.nip.io", ""],
    )
    def test_a_name_that_somebody_else_points_here_is_not(
        self, make_app: MakeApp, host: str
    ) -> None:
        with client_of(make_app(require_key=False), host=host) as client:
            detail(client.get("/v1/models"), 403)
            detail(client.get("/metrics"), 403)

    @pytest.mark.parametrize(
        "origin",
        ["http://evil.example", "null", "http://localhost:9999", "", "http://[", "http://"],
    )
    def test_pages_of_other_sites_write_nothing(self, make_app: MakeApp, origin: str) -> None:
        with client_of(make_app(require_key=False), host="localhost:8000") as client:
            response = client.post("/v1/models/roll-back", headers={"origin": origin})
            detail(response, 403)


@given(st.text(alphabet="abcl.:[]1270oshtCAL", max_size=12))
def test_only_this_machines_own_names_are_loopback(host: str) -> None:
    name = host
    if host.startswith("[::1]"):
        name = "[::1]"
    elif host.count(":") == 1:
        name = host.partition(":")[0]
    if is_loopback(host):
        assert name.lower() in ("localhost", "127.0.0.1", "[::1]", "::1")


def test_nothing_of_a_key_is_logged(
    app: FastAPI, examples: ExamplesService, caplog: pytest.LogCaptureFixture
) -> None:
    examples.error = RuntimeError("broken")
    with client_of(app, KEY) as client:
        client.get("/v1/models")
        client.post("/login", json={"key": KEY}, headers={"x-influpath": "page"})
    assert "broken" in caplog.text
    assert KEY not in caplog.text
    assert KEY[-20:] not in json.dumps([record.getMessage() for record in caplog.records])
