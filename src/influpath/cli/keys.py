"""``influpath keys``: who may call the service."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from influpath.cli.options import add_command
from influpath.cli.serve import Database, read_settings

if TYPE_CHECKING:
    from influpath.serving.store.database import Database as Store

app = typer.Typer(help="Make, list and revoke the keys of the service.", no_args_is_help=True)

Tenant = Annotated[str, typer.Option(help="Whose campaigns and users it opens.")]


def create(
    role: Annotated[str, typer.Option(help="admin, service or viewer.")],
    tenant: Tenant = "default",
    name: Annotated[
        str | None, typer.Option(help="For people and the audit log; the role by default.")
    ] = None,
    expires_in: Annotated[
        float | None, typer.Option(metavar="DAYS", min=0, help="Never by default.")
    ] = None,
    database: Database = None,
) -> None:
    """Make a key and print it: now, and never again.

    A viewer reads and plans, a service also asks for next items and gives feedback, an admin does
    everything.
    """
    from typing import cast

    from influpath.serving.schemas import Role
    from influpath.serving.store import keys

    now = datetime.now(UTC)
    until = None if expires_in is None else now + timedelta(days=expires_in)
    with opened(database) as store:
        _, text = keys.create(store, tenant, name or role, cast(Role, role), now, until)
    typer.echo(text)
    typer.echo("Keep it: only its hash is stored.", err=True)


def list_keys(
    tenant: Annotated[
        str | None, typer.Option(help="Only of this tenant.", show_default=False)
    ] = None,
    database: Database = None,
) -> None:
    """List the keys, without their secrets."""
    from influpath.serving.store import keys

    now = datetime.now(UTC)
    with opened(database) as store:
        for key in keys.listed(store, tenant):
            state = "revoked" if key.revoked_at else "holds" if keys.holds(key, now) else "expired"
            until = f"until {key.expires_at:%Y-%m-%d %H:%M} UTC" if key.expires_at else "for ever"
            typer.echo(
                f"{key.key_id}  {key.tenant}  {key.role}  {key.name}  ...{key.ends_in}  "
                f"{state}  {until}"
            )


def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `influpath keys list` says.")],
    database: Database = None,
) -> None:
    """Take a key back; a running service refuses it within five seconds."""
    from influpath.serving.store import keys

    with opened(database) as store:
        key = keys.revoke(store, key_id, datetime.now(UTC))
    typer.echo(f"revoked {key.key_id} ({key.name}).")


def opened(url: str | None) -> "Store":
    """Return the database, brought up to date."""
    from influpath.serving.store.database import Database as Store
    from influpath.serving.store.migrating import migrate

    settings = read_settings({} if url is None else {"database": url})
    migrate(settings.database)
    return Store(settings.database)


add_command(app, "create", "influpath keys create --tenant default --role service --name shop")(
    create
)
add_command(app, "list", "influpath keys list --tenant default")(list_keys)
add_command(app, "revoke", "influpath keys revoke 4f1d2a90b7c3")(revoke)
