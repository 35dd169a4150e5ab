"""What a client may use up."""

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException

from influpath.serving.api import limits
from influpath.serving.api.limits import RateLimit, bounded

from .client import client_of, detail
from .conftest import MakeApp
from .examples_service import KEY_OF, ExamplesService

KEY = KEY_OF["admin"]
JSON = {"content-type": "application/json"}


@given(
    st.floats(0.1, 1000),
    st.integers(1, 50),
    st.lists(st.floats(0, 5), min_size=1, max_size=60),
)
def test_never_more_than_burst_and_rate_allow(rate: float, burst: int, pauses: list[float]) -> None:
    now = 0.0
    bucket = RateLimit(rate, burst, clock=lambda: now)
    granted: list[float] = []
    for pause in pauses:
        now += pause
        wait = bucket.take("k")
        if wait == 0:
            granted.append(now)
        else:
            now += wait + 1e-6
            assert bucket.wait("k") == 0
    # In every stretch of time: as many as are saved up, and as come back meanwhile.
    for first in range(len(granted)):
        for last in range(first, len(granted)):
            stretch = granted[last] - granted[first]
            assert last - first + 1 <= burst + stretch * rate + 1e-3


def test_clients_do_not_share_and_few_are_remembered() -> None:
    bucket = RateLimit(1, 1, clients=2, clock=lambda: 0.0)
    assert [bucket.take(client) for client in "aabb"] == [0, 1, 0, 1]
    bucket.take("c")
    assert len(bucket._buckets) == 2


def test_too_many_requests_wait(make_app: MakeApp) -> None:
    with client_of(make_app(rate=0.5, burst=2), KEY) as client:
        assert [client.get("/v1/models").status_code for _ in range(2)] == [200, 200]
        response = client.get("/v1/models")
        assert "2 s" in detail(response, 429)
        assert response.headers["retry-after"] == "2"
        viewer = {"authorization": f"Bearer {KEY_OF['viewer']}"}
        assert client.get("/v1/models", headers=viewer).status_code == 200


class TestBody:
    def test_declared_too_large(self, make_app: MakeApp, examples: ExamplesService) -> None:
        with client_of(make_app(max_body=2048), KEY) as client:
            response = client.post("/v1/next", content=b"x" * 2049, headers=JSON)
            assert "2048" in detail(response, 413)
            fits = b'{"user_id": 1}' + b" " * 2034
            assert client.post("/v1/next", content=fits, headers=JSON).status_code == 200

    def test_undeclared_too_large(self, make_app: MakeApp) -> None:
        async def ask() -> httpx.Response:
            async def parts() -> Any:
                for _ in range(100):
                    yield b" " * 100

            transport = httpx.ASGITransport(make_app(max_body=2048))
            async with httpx.AsyncClient(
                transport=transport, base_url="http://localhost"
            ) as client:
                headers = {**JSON, "authorization": f"Bearer {KEY}"}
                return await client.post("/v1/next", content=parts(), headers=headers)

        assert "2048" in detail(asyncio.run(ask()), 413)

    def test_a_length_that_is_none(self) -> None:
        for value in (b"-1", b"1e9", b"9" * 5000, b""):
            with pytest.raises(HTTPException, match="larger"):
                bounded({"headers": [(b"content-length", value)]}, _never, 10)

    def test_that_never_comes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(limits, "SECONDS_TO_SEND", 0.01)
        receive = bounded({"headers": []}, _never, 10)
        with pytest.raises(HTTPException, match="in time"):
            asyncio.run(receive())  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"{",
            b"[" * 100_000,
            b'{"a":' * 100_000,
            b'{"user_id": NaN}',
            b'{"user_id": "\\ud800"}',
            b'{"user_id": "\xff\xfe"}',
            b'{"user_id": "a\\u0000b"}',
            b'{"user_id": ' + b"9" * 10_000 + b"}",
            b'{"user_id": 9223372036854775808}',
            b'{"user_id": -1}',
            b'{"user_id": 1.5}',
            b'{"user_id": true}',
            b'{"user_id": null}',
            b'{"user_id": ""}',
            b'{"user_id": 1, "more": 2}',
            b"[]",
            b"null",
            b'"text"',
        ],
    )
    def test_that_is_wrong_is_said_in_a_sentence(self, app: FastAPI, content: bytes) -> None:
        with client_of(app, KEY) as client:
            said = detail(client.post("/v1/next", content=content, headers=JSON), 422)
            assert len(said) < 300

    def test_that_is_not_declared_as_json(self, app: FastAPI) -> None:
        with client_of(app, KEY) as client:
            detail(client.post("/v1/next", content=b'{"user_id": 1}'), 415)
            text = {"content-type": "text/plain"}
            detail(client.post("/v1/next", content=b'{"user_id": 1}', headers=text), 415)
            with_charset = {"content-type": "application/json; charset=utf-8"}
            response = client.post("/v1/next", content=b'{"user_id": 1}', headers=with_charset)
            assert response.status_code == 200


def test_more_requests_than_can_be_served_are_turned_away(
    make_app: MakeApp, examples: ExamplesService
) -> None:
    examples.seconds = 0.1

    async def ask() -> list[int]:
        transport = httpx.ASGITransport(make_app(max_waiting=3))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            headers = {"authorization": f"Bearer {KEY}"}
            answers = await asyncio.gather(
                *(client.get("/v1/models", headers=headers) for _ in range(5))
            )
        return sorted(answer.status_code for answer in answers)

    assert asyncio.run(ask()) == [200, 200, 200, 503, 503]


async def _never() -> Any:
    await asyncio.sleep(60)
