"""A client that calls an application in this process, without a network."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from fastapi import FastAPI


class InProcess(httpx.BaseTransport):
    """Sends requests to an application; one loop serves all of them."""

    def __init__(self, app: FastAPI) -> None:
        self.transport = httpx.ASGITransport(app)
        self.runner = asyncio.Runner()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self.runner.run(self._answer(request))

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        # What an ASGI transport reads must be asynchronous.
        content = request.read()
        request = httpx.Request(
            request.method,
            request.url,
            headers=request.headers,
            content=content,
            extensions=request.extensions,
        )
        response = await self.transport.handle_async_request(request)
        stream = response.stream
        assert isinstance(stream, httpx.AsyncByteStream)
        body = b"".join([part async for part in stream])
        return httpx.Response(response.status_code, headers=response.headers, content=body)

    def close(self) -> None:
        self.runner.close()


@contextmanager
def client_of(app: FastAPI, key: str | None = None, **headers: str) -> Iterator[httpx.Client]:
    """Yield a client that sends a key with every request."""
    given: dict[bytes, bytes] = {
        name.encode(): value.encode("latin-1") for name, value in headers.items()
    }
    if key is not None:
        given[b"authorization"] = b"Bearer " + key.encode("latin-1")
    with httpx.Client(
        transport=InProcess(app), base_url="http://localhost", headers=given
    ) as client:
        yield client


def detail(response: httpx.Response, status: int) -> str:
    """Return what an error says, after checking that it is one, and one sentence."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    body: Any = response.json()
    assert set(body) == {"detail"}
    said = body["detail"]
    assert isinstance(said, str)
    assert said.endswith(".")
    assert "\n" not in said
    assert "Traceback" not in said
    return said
