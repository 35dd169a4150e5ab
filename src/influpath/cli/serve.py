"""``influpath serve``: the service and its page."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from influpath.cli.options import RunsDir

if TYPE_CHECKING:
    from influpath.serving.settings import ServerSettings

EXAMPLES = (
    "influpath serve",
    "influpath serve --database postgresql://user@host/name --bundles /srv/bundles --host 0.0.0.0",
    "influpath serve --migrate-only",
)

# The tenant of everybody where no key is needed.
DEFAULT = "default"

Database = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        envvar="INFLUPATH_DATABASE",
        show_envvar=False,
        help="Of the database: sqlite:///file.db or postgresql://user:password@host/name. "
        "(default sqlite:///influpath.db)",
        show_default=False,
    ),
]


def setting(name: str, help_text: str, **settings: Any) -> Any:
    """Return an option that the environment may give, too; its default is the settings' own."""
    return typer.Option(
        f"--{name}",
        envvar=f"INFLUPATH_{name.upper().replace('-', '_')}",
        help=help_text,
        show_default=False,
        show_envvar=False,
        **settings,
    )


def serve(
    context: typer.Context,
    database: Database = None,
    bundles: Annotated[
        Path | None,
        setting("bundles", "Folder of the models. (default bundles)", metavar="FOLDER"),
    ] = None,
    host: Annotated[str | None, setting("host", "Address to bind to. (default 127.0.0.1)")] = None,
    port: Annotated[
        int | None, setting("port", "Its port; 0 takes a free one. (default 8000)")
    ] = None,
    require_key: Annotated[
        bool | None,
        typer.Option(
            "--key/--no-key",
            envvar="INFLUPATH_REQUIRE_KEY",
            show_envvar=False,
            show_default=False,
            help="Whether a key is needed. (default on every address but this machine's own)",
        ),
    ] = None,
    workers: Annotated[
        int | None, setting("workers", "Processes that plan. (default 2; 1 on two cores)")
    ] = None,
    threads: Annotated[int | None, setting("threads", "Threads of each. (default 1)")] = None,
    pin: Annotated[
        bool | None,
        typer.Option(
            "--pin",
            envvar="INFLUPATH_PIN",
            show_envvar=False,
            show_default=False,
            help="Give each planning process a core to itself; for a machine of its own.",
        ),
    ] = None,
    loaded: Annotated[
        int | None, setting("loaded", "Models that each holds in memory. (default 3)")
    ] = None,
    rate: Annotated[
        float | None, setting("rate", "Requests per second and key. (default 500)")
    ] = None,
    burst: Annotated[
        int | None, setting("burst", "Requests at once and key. (default 1000)")
    ] = None,
    max_body: Annotated[
        int | None, setting("max-body", "Bytes of a request. (default 1048576)")
    ] = None,
    max_waiting: Annotated[
        int | None, setting("max-waiting", "Requests at work at once. (default 2000)")
    ] = None,
    max_aggressiveness: Annotated[
        float | None, setting("max-aggressiveness", "Cap for all campaigns. (default 2)")
    ] = None,
    max_journeys: Annotated[
        int | None,
        setting("max-journeys", "Campaigns that lead one user at a time. (default 1)"),
    ] = None,
    proposal_days: Annotated[
        float | None,
        setting("proposal-days", "Days until no answer means ignored. (default 7)"),
    ] = None,
    secure_cookie: Annotated[
        bool | None,
        typer.Option(
            "--secure-cookie",
            envvar="INFLUPATH_SECURE_COOKIE",
            show_envvar=False,
            show_default=False,
            help="Send the page's cookie over HTTPS only.",
        ),
    ] = None,
    runs_dir: RunsDir = Path("runs"),
    access_log: Annotated[
        bool,
        typer.Option(
            help="Write a line of JSON for each request to standard error.",
            envvar="INFLUPATH_ACCESS_LOG",
            show_envvar=False,
        ),
    ] = True,
    migrate_only: Annotated[
        bool, typer.Option("--migrate-only", help="Bring the database up to date, and end.")
    ] = False,
) -> None:
    """Run influence campaigns over HTTP, with a page to look at them.

    Without any model it trains the demo first, about three minutes, and keeps it. Every option can
    be given as a variable, too: INFLUPATH_DATABASE, INFLUPATH_PORT, ... Ctrl-C or SIGTERM ends it
    when the requests at work are answered.
    """
    given = {key: value for key, value in context.params.items() if value is not None}
    for name in ("runs_dir", "access_log", "migrate_only"):
        given.pop(name, None)
    settings = read_settings(given)
    if migrate_only:
        from influpath.serving.store.migrating import migrate

        migrate(settings.database)
        typer.echo("the database is up to date.")
        return
    from influpath.cli import publish
    from influpath.serving.api import server
    from influpath.serving.engine.workers import EngineWorkers

    def publish_demo() -> None:
        say(f"no model in {settings.bundles}: making the demo, about three minutes, once.")
        publish.publish(
            context, publish.DEMO, settings.bundles, DEFAULT, publish.DEMO, runs_dir=runs_dir
        )

    with server.access_log() if access_log else nullcontext():
        server.serve(settings, EngineWorkers, publish_demo, say)


def say(line: str) -> None:
    """Show the operator a line."""
    typer.echo(f"influpath: {line}")


def read_settings(given: dict[str, Any]) -> "ServerSettings":
    """Return the settings; a key is needed by default where others can reach the service.

    Raises:
        ConfigError: A value is wrong, or the extra is not installed.
    """
    try:
        import sqlalchemy  # noqa: F401
    except ModuleNotFoundError:
        from influpath.errors import ConfigError

        raise ConfigError(
            "the service needs more packages; install them with: pip install 'influpath[serve]'."
        ) from None
    from influpath.serving.settings import ServerSettings, is_loopback

    settings = ServerSettings.parse(given, "influpath serve")
    if "require_key" in given:
        return settings
    return settings.model_copy(update={"require_key": not is_loopback(settings.host)})
