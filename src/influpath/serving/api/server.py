"""The service as a process: address, database, models, engine, and a graceful end."""

import logging
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime

import uvicorn
from fastapi import FastAPI

from influpath.errors import ConfigError
from influpath.serving.api.app import create_app
from influpath.serving.api.edge import access
from influpath.serving.api.first_models import register_first, tenants_with_bundles
from influpath.serving.api.metrics import Metrics, TimedEngine
from influpath.serving.campaigns.base import utc_now
from influpath.serving.campaigns.caller import Caller
from influpath.serving.campaigns.service import Service
from influpath.serving.engine.asks import Engine
from influpath.serving.garbage import freeze
from influpath.serving.settings import ServerSettings, is_loopback
from influpath.serving.store import keys
from influpath.serving.store.database import Database
from influpath.serving.store.migrating import migrate

# Requests that are being answered when the end is asked for have so many seconds.
SECONDS_TO_END = 30


def serve(
    settings: ServerSettings,
    make_engine: Callable[[ServerSettings], Engine],
    publish_demo: Callable[[], None],
    say: Callable[[str], None],
) -> None:
    """Run the service until it is told to end (SIGTERM or SIGINT).

    Args:
        settings: How.
        make_engine: Returns what plans; closed at the end.
        publish_demo: Makes the first bundle where there is none at all.
        say: Shows a line to the operator.

    Raises:
        ConfigError: It cannot run so.
    """
    check_address(settings)
    # The address first: whoever starts a second service hears so before a model is trained.
    with bound(settings.host, settings.port) as listener:
        migrate(settings.database)
        if not tenants_with_bundles(settings.bundles):
            publish_demo()
        with (
            Database(settings.database) as database,
            closing(make_engine(settings)) as engine,
        ):
            metrics = Metrics()
            service = Service(database, TimedEngine(engine, metrics), settings)
            register_first(service, settings.bundles, say)
            if settings.require_key and not keys.any_admin(database, utc_now()):
                say("no key of an admin holds; make one with: influpath keys create --role admin")
            app = create_app(service, settings, finder(database), metrics)
            run(app, listener, lambda: say(f"http://{address_of(listener)}"))
            say("ended; all that was acknowledged is stored.")


def finder(
    database: Database, clock: Callable[[], datetime] = utc_now
) -> Callable[[str], Caller | None]:
    """Return what finds out whose key it is."""

    def find(text: str) -> Caller | None:
        key = keys.authenticate(database, text, clock())
        return None if key is None else Caller(key.tenant, key.name, key.role)

    return find


def run(app: FastAPI, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Answer requests until SIGTERM or SIGINT; then finish those at work and return."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        # Nobody in front is believed about who the client is.
        proxy_headers=False,
        ws="none",
        # Longer than proxies keep idle connections, so that theirs end first.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=SECONDS_TO_END,
    )
    freeze()
    # uvicorn raises the signal that ended it again, once all is done; then it means nothing more.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    Server(config, ready).run([listener])


class Server(uvicorn.Server):
    """uvicorn's server, which says when it is ready."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        self._ready()


def check_address(settings: ServerSettings) -> None:
    """Check that nobody from elsewhere gets in without a key.

    Raises:
        ConfigError: Somebody could.
    """
    if not settings.require_key and not is_loopback(settings.host):
        raise ConfigError(
            f"--no-key with --host {settings.host}: everybody who reaches this address would be an "
            "admin; leave out --no-key, or use --host 127.0.0.1."
        )


@contextmanager
def bound(host: str, port: int) -> Iterator[socket.socket]:
    """Yield a socket that is bound to an address, and listens once the server does.

    Raises:
        ConfigError: The address cannot be had.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
        family, kind, protocol, _, place = found[0]
        # asyncio switches off Nagle's algorithm, which holds answers back for 40 ms, only on
        # sockets that say that they are TCP; those that are accepted inherit it.
        listener = socket.socket(family, kind, protocol)
    except OSError as cause:
        raise ConfigError(f"--host {host}: {cause.strerror or cause}.") from None
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(place)
        except OSError as cause:
            raise ConfigError(
                f"{host}:{port}: {cause.strerror}; choose another address with --host and --port."
            ) from None
        yield listener


def address_of(listener: socket.socket) -> str:
    """Return where a socket listens, as an address has it."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@contextmanager
def access_log() -> Iterator[None]:
    """Write a line of JSON for each request to standard error, and nothing else on that line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    before = access.handlers[:], access.propagate, access.level
    access.handlers[:], access.propagate = [handler], False
    access.setLevel(logging.INFO)
    try:
        yield
    finally:
        access.handlers[:], access.propagate = before[0], before[1]
        access.setLevel(before[2])
