"""A real server with made-up films, and a real browser to look at it."""

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest
import uvicorn
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from influpath.planning.objectives import Objective
from influpath.serving.api.app import create_app
from influpath.serving.api.authentication import COOKIE
from influpath.serving.campaigns.caller import Caller
from influpath.serving.schemas import CampaignChange, CampaignIn, Role
from influpath.serving.settings import ServerSettings

from .made_up import MadeUpService

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ADMIN = Caller("default", "ada", "admin")
# The console says so of every answer that is an error, which some tests are after.
EXPECTED = "Failed to load resource"


def key_of(role: Role) -> str:
    """Return the key of a role."""
    return f"ip_{role}_" + "k" * 43


CALLERS = {
    key_of(role): Caller("default", f"{role}-key", role) for role in ("admin", "service", "viewer")
}


@dataclass
class Site:
    """A running service.

    Attributes:
        url: Without a slash at the end.
        service: What answers; made anew for each test.
    """

    url: str
    service: MadeUpService

    def client(self, role: Role | None = "admin") -> httpx.Client:
        """Return an HTTP client that has the key of a role in its cookie."""
        cookies = {} if role is None else {COOKIE: key_of(role)}
        return httpx.Client(base_url=self.url, cookies=cookies)


@pytest.fixture(scope="session")
def server() -> Iterator[Site]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    service = MadeUpService()
    app = create_app(service, ServerSettings(), CALLERS.get)
    site = Site(f"http://127.0.0.1:{port}", service)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield site
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def site(server: Site) -> Site:
    server.service.__init__()  # type: ignore[misc]
    server.service.create_campaign(
        ADMIN, CampaignIn(name="Harbour nights", objective=Objective.item(3))
    )
    autumn = server.service.create_campaign(
        ADMIN, CampaignIn(name="Autumn", objective=Objective.category("Mystery"))
    )
    server.service.change_campaign(ADMIN, autumn.id, CampaignChange(status="paused"))
    return server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for a file of tests; kept longer, its event loop would be in the way of others."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is on the PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


Visit = Callable[..., Page]


@pytest.fixture
def visit(browser: Browser, site: Site) -> Iterator[Visit]:
    """Return what opens a page; no test may ask another host or fill the console with errors."""
    wrong: list[str] = []
    contexts = []

    def heard(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and EXPECTED not in message.text:
            wrong.append(message.text)

    def asked(request: Request) -> None:
        # Pictures that are saved are blobs of the page itself.
        if not request.url.startswith((f"{site.url}/", f"blob:{site.url}/")):
            wrong.append(f"asked {request.url}")

    def open_page(
        path: str,
        role: Role | None = "admin",
        size: tuple[int, int] = (1280, 900),
        dark: bool = False,
        scripts: bool = True,
    ) -> Page:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
            java_script_enabled=scripts,
            accept_downloads=True,
        )
        contexts.append(context)
        if role is not None:
            context.add_cookies([{"name": COOKIE, "value": key_of(role), "url": site.url}])
        context.on("request", asked)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", heard)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(site.url + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not wrong
