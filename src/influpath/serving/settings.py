"""How the service runs: one frozen model, from options or the environment."""

import os
from pathlib import Path

from pydantic import Field

from influpath.config import FrozenConfig

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})


def usual_workers() -> int:
    """Return how many processes plan: one core is left to whoever answers.

    Several that plan small batches at the same time also do more work than one that plans all that
    waits together.
    """
    return min(2, max(1, (os.cpu_count() or 2) - 1))


class ServerSettings(FrozenConfig):
    """Everything that is set when the service starts.

    Attributes:
        database: SQLAlchemy URL; a file of SQLite, or PostgreSQL.
        bundles: Folder of the bundles: ``<bundles>/<tenant>/<version>``.
        host: Address to bind to.
        port: Its port.
        require_key: Whether a key is needed; False only on a loopback address.
        max_body: Bytes of a request, at most.
        rate: Requests per second and key, on average.
        burst: Requests at once and key.
        max_aggressiveness: Cap, whatever a campaign or what was learned says.
        max_journeys: Campaigns that may lead one user at the same time.
        proposal_days: After so many days without an answer a proposal counts as ignored.
        loaded: Bundles that are held in memory at once.
        workers: Processes that plan; 2, or 1 where there are no more than two cores.
        threads: Threads of each.
        pin: Whether each of them has a core to itself, and all else keeps off those.
        max_waiting: Requests at work at once; more are turned away (503).
        secure_cookie: Whether the page's cookie is sent over HTTPS only.
    """

    database: str = "sqlite:///influpath.db"
    bundles: Path = Path("bundles")
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, lt=65536)
    require_key: bool = True
    max_body: int = Field(default=1 << 20, ge=1024, le=1 << 28)
    rate: float = Field(default=500.0, gt=0)
    burst: int = Field(default=1000, ge=1)
    max_aggressiveness: float = Field(default=2.0, ge=0, le=10)
    max_journeys: int = Field(default=1, ge=1, le=100)
    proposal_days: float = Field(default=7.0, gt=0, le=365)
    loaded: int = Field(default=3, ge=1, le=100)
    workers: int = Field(default_factory=usual_workers, ge=1, le=64)
    threads: int = Field(default=1, ge=1, le=64)
    pin: bool = False
    max_waiting: int = Field(default=2_000, ge=1)
    secure_cookie: bool = False


def is_loopback(host: str) -> bool:
    """Return whether a Host header, or an address to bind to, names this machine itself."""
    if host.lower() in LOOPBACK:
        return True
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    return name.lower() in LOOPBACK
