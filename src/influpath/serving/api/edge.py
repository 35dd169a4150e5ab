"""The outermost layer: what holds for every request, whatever route it takes, or none.

A request has an id, is counted, timed and logged (without what its address says: that names users),
never gets a traceback, and every answer carries the headers that keep browsers from mischief.
"""

import json
import logging
import re
import secrets
import time
from datetime import UTC, datetime
from urllib.parse import unquote

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from influpath.serving.api.limits import bounded
from influpath.serving.api.metrics import Metrics
from influpath.serving.api.problems import WORDS, problem

logger = logging.getLogger("influpath.serving")
access = logging.getLogger("influpath.access")

SECURITY = (
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
        b"form-action 'self'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
# Ids of users may hold a slash.  Encoded in an address it separates nothing; decoded it would.
# So it travels through the routes as a code point that Unicode reserves for such purposes.
SLASH = "\ufdd0"
ENCODED_SLASH = re.compile("%2f", re.IGNORECASE)


class Edge:
    """An ASGI application around another.

    Args:
        app: What answers.
        metrics: Where requests are counted.
        max_body: Bytes of a request, at most.
        max_waiting: Requests at work at once; more are turned away, for they would wait too long.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, max_body: int, max_waiting: int) -> None:
        self.app = app
        self.metrics = metrics
        self.max_body = max_body
        self.max_waiting = max_waiting
        self.waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start = time.perf_counter()
        request_id = _request_id(scope)
        status = 0

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"]
                message["headers"] = [*headers, *_missing(headers), (b"x-request-id", request_id)]
            await send(message)

        self.waiting += 1
        try:
            if self.waiting > self.max_waiting:
                raise HTTPException(503, "Too many requests wait; try again.", {"Retry-After": "1"})
            _keep_slashes(scope)
            await self.app(scope, bounded(scope, receive, self.max_body), sent)
        except HTTPException as cause:
            await problem(cause.status_code, cause.detail, cause.headers)(scope, receive, sent)
        except Exception:
            logger.exception("request %s failed", request_id.decode())
            if not status:
                await problem(500, WORDS[500])(scope, receive, sent)
        finally:
            self.waiting -= 1
            self._report(scope, request_id, status, time.perf_counter() - start)

    def _report(self, scope: Scope, request_id: bytes, status: int, seconds: float) -> None:
        """Count and log one request."""
        route = getattr(scope.get("route"), "path", "none")
        # Methods are what the client says; only those that are known are counted by name.
        method = scope["method"] if scope["method"] in self.metrics.METHODS else "other"
        self.metrics.request(route, method, status, seconds)
        if access.isEnabledFor(logging.INFO):
            caller = scope.get("state", {}).get("caller")
            access.info(
                json.dumps(
                    {
                        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
                        "request_id": request_id.decode(),
                        "method": method,
                        "route": route,
                        "status": status,
                        "ms": round(1000 * seconds, 2),
                        "tenant": getattr(caller, "tenant", None),
                        "key": getattr(caller, "key_name", None),
                    }
                )
            )


def _request_id(scope: Scope) -> bytes:
    """Return the id that a proxy gave the request, if it is a harmless one, or a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and REQUEST_ID.fullmatch(value):
            return bytes(value)
    return secrets.token_hex(8).encode()


def _missing(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the security headers that an answer has not set by itself."""
    there = {name for name, _ in headers}
    wanted = [pair for pair in SECURITY if pair[0] not in there]
    if b"cache-control" not in there:
        wanted.append((b"cache-control", b"no-store"))
    return wanted


def _keep_slashes(scope: Scope) -> None:
    """Keep encoded slashes of an address apart from those that separate its parts."""
    raw = scope.get("raw_path") or b""
    if b"%2f" in raw.lower():
        scope["path"] = unquote(ENCODED_SLASH.sub("%EF%B7%90", raw.decode("ascii", "replace")))
