"""What the routes of an application share, and how they call the service."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import anyio
from anyio import CapacityLimiter, to_thread
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from influpath.serving.api.authentication import Authentication
from influpath.serving.api.metrics import Metrics
from influpath.serving.campaigns.caller import Caller
from influpath.serving.campaigns.service import Service
from influpath.serving.settings import ServerSettings
from influpath.serving.store.database import POOL

Result = TypeVar("Result")

# The service works in threads, for it waits for the database and the engine; as many as there are
# connections.  What may take seconds has few of its own, so that it never keeps ``next`` and
# ``feedback`` waiting.
THREADS = POOL
SLOW_THREADS = 2
SECONDS = 30.0
SLOW_SECONDS = 120.0


@dataclass
class Parts:
    """What the routes of one application share; at ``app.state.parts``."""

    service: Service
    settings: ServerSettings
    metrics: Metrics
    authentication: Authentication
    quick: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(THREADS))
    slow: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(SLOW_THREADS))


def parts_of(request: Request) -> Parts:
    """Return the parts of the application that answers a request."""
    parts = request.app.state.parts
    assert isinstance(parts, Parts)
    return parts


async def in_thread(parts: Parts, work: Callable[[], Result], slow: bool = False) -> Result:
    """Run something that waits, in a thread.

    Raises:
        HTTPException: It takes too long (503).  It may still be done; all writes can be repeated.
    """
    seconds, limiter = (SLOW_SECONDS, parts.slow) if slow else (SECONDS, parts.quick)
    try:
        with anyio.fail_after(seconds):
            return await to_thread.run_sync(work, abandon_on_cancel=True, limiter=limiter)
    except TimeoutError:
        raise HTTPException(
            503, f"There was no answer within {seconds:g} s; try again.", {"Retry-After": "1"}
        ) from None


async def answer(
    request: Request, ask: Callable[[Service, Caller], object], slow: bool = False
) -> Response:
    """Answer a guarded request with what the service says.

    Args:
        request: From whom.
        ask: Asks the service, for the caller; runs in a thread.
        slow: Whether it may take seconds.
    """
    parts = parts_of(request)

    def work() -> bytes:
        # The models that come back were validated when they were made.
        return to_json(ask(parts.service, request.state.caller))

    content = await in_thread(parts, work, slow)
    status = getattr(request.scope["route"], "status_code", None) or 200
    return Response(content, status, media_type="application/json")
