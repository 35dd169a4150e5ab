"""What a client may use up: bytes, requests a second, and time to send a request."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope

# A client that takes longer to send a request is not waited for.
SECONDS_TO_SEND = 30.0


class RateLimit:
    """A token bucket for each of many clients.

    Args:
        rate: Tokens that come back per second.
        burst: Tokens at most, and at first.
        clients: How many are remembered; beyond that the one not seen longest starts afresh.
        clock: Seconds, growing.
    """

    def __init__(
        self,
        rate: float,
        burst: int,
        clients: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.rate = rate
        self.burst = burst
        self.clients = clients
        self.clock = clock
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, client: Hashable) -> float:
        """Take one token.

        Returns:
            0 where there was one, else after how many seconds there will be.
        """
        tokens = self._tokens(client)
        wait = self._until_one(tokens)
        self._buckets.pop(client, None)
        self._buckets[client] = (tokens if wait else tokens - 1, self.clock())
        if len(self._buckets) > self.clients:
            self._buckets.popitem(last=False)
        return wait

    def wait(self, client: Hashable) -> float:
        """Return after how many seconds there will be a token; take none."""
        return self._until_one(self._tokens(client))

    def _tokens(self, client: Hashable) -> float:
        tokens, then = self._buckets.get(client, (float(self.burst), 0.0))
        return min(float(self.burst), tokens + (self.clock() - then) * self.rate)

    def _until_one(self, tokens: float) -> float:
        return max(0.0, (1 - tokens) / self.rate)


def too_many(wait: float) -> HTTPException:
    """Return the error for a client that asks too often."""
    seconds = max(1, round(wait + 0.5))
    return HTTPException(
        429,
        f"Too many requests with this key; wait {seconds} s, as Retry-After says.",
        {"Retry-After": str(seconds)},
    )


def bounded(scope: Scope, receive: Receive, most: int) -> Receive:
    """Return ``receive`` for a request whose body may have at most ``most`` bytes.

    Raises:
        HTTPException: Already here, where the request declares more (413); from ``receive``, when
            more has come (413) or nothing comes (408).
    """
    too_large = HTTPException(413, f"The body is larger than {most} bytes; send it in parts.")
    for name, value in scope["headers"]:
        if name == b"content-length" and (not value.isdigit() or int(value[:16]) > most):
            raise too_large
    so_far = 0
    complete = False

    async def counted() -> Message:
        nonlocal so_far, complete
        if complete:
            # What comes now is only that the client has gone, whenever it does.
            return await receive()
        try:
            async with asyncio.timeout(SECONDS_TO_SEND):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, "The body did not arrive in time; send it again.") from None
        so_far += len(message.get("body", b""))
        if so_far > most:
            raise too_large
        complete = not message.get("more_body", False)
        return message

    return counted
