"""Who calls: a key in a header or cookie, or anybody on this machine where no key is required."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from anyio import CapacityLimiter, to_thread
from fastapi import Depends
from starlette.exceptions import HTTPException
from starlette.requests import Request

from influpath.serving.api.limits import RateLimit, too_many
from influpath.serving.campaigns.caller import Caller
from influpath.serving.settings import ServerSettings, is_loopback

COOKIE = "influpath_key"
PAGE_HEADER = "x-influpath"
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
# A revoked or expired key works at most this much longer.
SECONDS_REMEMBERED = 5.0
KEYS_REMEMBERED = 10_000
# Threads that ask the database whose keys are; so many wrong keys keep nobody else waiting.
LOOKUPS = 2
# Requests with a wrong key that one address may make per second, and at once.
WRONG_KEYS = (10.0, 100)
REFUSED = (
    "A valid key is needed: send it as 'Authorization: Bearer KEY'; "
    "`influpath keys create` makes one."
)
ANYBODY = Caller(tenant="default", key_name="local", role="admin")


class Authentication:
    """Finds out who calls, and how often.

    Args:
        settings: Whether a key is required, and how often each may call.
        find: Returns whose key it is, or None; asks the database.
        clock: Seconds, growing.
    """

    def __init__(
        self,
        settings: ServerSettings,
        find: Callable[[str], Caller | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.require_key = settings.require_key
        self.find = find
        self.clock = clock
        self.rate = RateLimit(settings.rate, settings.burst, clock=clock)
        self.wrong = RateLimit(*WRONG_KEYS, clock=clock)
        self._threads = CapacityLimiter(LOOKUPS)
        # By digest, so that a dump of the memory shows no key of somebody who is gone.
        self._known: OrderedDict[bytes, Known] = OrderedDict()

    async def __call__(self, request: Request) -> Caller:
        """Return who calls, and count the call.

        Raises:
            HTTPException: Nobody who may (401), not from here (403), or too often (429).
        """
        return await self.caller_with(request, key_of(request) if self.require_key else "")

    async def caller_with(self, request: Request, key: str) -> Caller:
        """Return whose key it is, whatever the request carries; else as ``__call__``."""
        if self.require_key:
            client = hashlib.sha256(key.encode("utf-8", "replace")).digest()
            caller = await self._whose(key, client, request)
        else:
            check_local(request)
            caller, client = ANYBODY, b""
        if wait := self.rate.take(client):
            raise too_many(wait)
        request.state.caller = caller
        return caller

    async def _whose(self, key: str, digest: bytes, request: Request) -> Caller:
        """Return whose key it is, as the database said a moment ago.

        Raises:
            HTTPException: Nobody's (401), and too many such from that address (429).
        """
        known = self._known.get(digest)
        if known is not None and self.clock() < known.until:
            return known.caller
        address = request.client.host if request.client else ""
        if known is None and (wait := self.wrong.wait(address)):
            raise too_many(wait)
        until = self.clock() + SECONDS_REMEMBERED
        caller = await self._found(key)
        if caller is None:
            self._known.pop(digest, None)
            self.wrong.take(address)
            raise HTTPException(401, REFUSED, {"WWW-Authenticate": "Bearer"})
        self._known[digest] = Known(caller, until)
        if len(self._known) > KEYS_REMEMBERED:
            self._known.popitem(last=False)
        return caller

    async def _found(self, key: str) -> Caller | None:
        if not key:
            return None
        return await to_thread.run_sync(self.find, key, limiter=self._threads)


@dataclass(frozen=True)
class Known:
    """Whose key it was, and until when that is believed."""

    caller: Caller
    until: float


def key_of(request: Request) -> str:
    """Return the key that a request carries; "" for none.

    Raises:
        HTTPException: A write by cookie lacks the header that no other site's page can send (403).
    """
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return given.strip()
    cookie = request.cookies.get(COOKIE, "")
    if cookie and request.method in WRITES:
        demand_page(request)
    return cookie


def demand_page(request: Request) -> None:
    """Check that a write comes from the service's own page.

    Raises:
        HTTPException: It does not say so (403).
    """
    if request.headers.get(PAGE_HEADER) != "page":
        raise HTTPException(403, "A write by cookie needs the header 'X-Influpath: page'.")


def check_local(request: Request) -> None:
    """Check that a request without a key was meant for this machine and comes from no other site.

    A page of another site can make a browser ask a server on this machine, under a name that it
    lets point here ("DNS rebinding"); but then Host or Origin are not ours.

    Raises:
        HTTPException: It was not, or it does (403).
    """
    host = request.headers.get("host", "")
    if not is_loopback(host):
        raise HTTPException(
            403, "Without keys the service answers to localhost, 127.0.0.1 and [::1] only."
        )
    origin = request.headers.get("origin")
    if origin is not None and request.method in WRITES and origin.partition("://")[2] != host:
        raise HTTPException(403, "Without keys the service takes no writes from other sites.")


async def caller_of(request: Request) -> Caller:
    """Return who calls a route that was guarded (see ``routes/guarded.py``)."""
    caller = request.state.caller
    assert isinstance(caller, Caller)
    return caller


Who = Annotated[Caller, Depends(caller_of)]
