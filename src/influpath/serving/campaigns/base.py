"""What all parts of the service share: the store, the engine, catalogues, and the time."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row

from influpath.errors import ConfigError, ModelFileError
from influpath.planning.objectives import Objective
from influpath.serving.campaigns.caller import Caller
from influpath.serving.campaigns.catalogues import Catalogues, CatalogueView, LoadedCatalogues
from influpath.serving.engine.asks import Engine
from influpath.serving.errors import NotFoundError, NotReadyError
from influpath.serving.settings import ServerSettings
from influpath.serving.store import audit, campaigns, models
from influpath.serving.store.campaigns import Kept
from influpath.serving.store.database import Database

# Objectives whose members are remembered.
REMEMBERED = 1_000


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


class Base:
    """What all parts of the service share.

    Args:
        store: The database, migrated.
        engine: Plans and judges.
        settings: Caps, and the folder of bundles.
        clock: Tells the time (aware).
        catalogues: Gives the catalogue of a bundle; by default it is read from its folder.
    """

    def __init__(
        self,
        store: Database,
        engine: Engine,
        settings: ServerSettings,
        clock: Callable[[], datetime] = utc_now,
        catalogues: Catalogues | None = None,
    ) -> None:
        self.store = store
        self.engine = engine
        self.settings = settings
        self.clock = clock
        self.catalogues = catalogues or LoadedCatalogues(settings.bundles, settings.loaded)
        # By tenant: the revision that they were read at, and the campaigns.
        self._known_campaigns: dict[str, tuple[int, tuple[Kept, ...]]] = {}
        self._known_members: dict[tuple[str, Objective], frozenset[str]] = {}

    def _campaigns(self, connection: Connection, tenant: str, revision: int) -> tuple[Kept, ...]:
        """Return a tenant's campaigns; they are read anew where the revision is another."""
        known = self._known_campaigns.get(tenant)
        if known is None or known[0] != revision:
            known = (revision, campaigns.listed(connection, tenant))
            self._known_campaigns[tenant] = known
        return known[1]

    def _campaign(self, connection: Connection, tenant: str, campaign_id: str) -> Kept:
        """Return a campaign.

        Raises:
            NotFoundError: The tenant has none of that name.
        """
        kept = campaigns.find(connection, tenant, campaign_id)
        if kept is None:
            raise NotFoundError(f"there is no campaign {campaign_id!r}; GET /v1/campaigns has all.")
        return kept

    def _active(self, connection: Connection, tenant: str) -> str:
        """Return the active version.

        Raises:
            NotReadyError: There is none.
        """
        return demanded(models.active(connection, tenant), tenant)

    def _catalogue(self, tenant: str, version: str) -> CatalogueView:
        """Return the catalogue of a version.

        Raises:
            ModelFileError: Its bundle is missing or damaged.
        """
        return self.catalogues(bundle(tenant, version))

    def _active_catalogue(self, tenant: str) -> tuple[str, CatalogueView]:
        """Return the active version and its catalogue.

        Raises:
            NotReadyError: There is none.
        """
        with self.store.reading() as connection:
            version = self._active(connection, tenant)
        return version, self._catalogue(tenant, version)

    def _any_catalogue(self, tenant: str) -> CatalogueView | None:
        """Return the active version's catalogue; None where nothing is active or it is gone."""
        try:
            return self._active_catalogue(tenant)[1]
        except (NotReadyError, ModelFileError):
            return None

    def _note(self, connection: Connection, caller: Caller, action: str, **about: Any) -> None:
        """Write into the audit log what somebody did.

        Args:
            connection: Of the transaction that does it.
            caller: Who does it.
            action: What.
            about: As ``store.audit.entry`` takes it: what it concerns, and details.
        """
        entry = audit.entry(self.clock(), caller.key_name, action, **about)
        audit.add(connection, caller.tenant, [entry])

    def _note_of_user(
        self, connection: Connection, caller: Caller, row: Row[Any], action: str, **details: Any
    ) -> None:
        """Write into the audit log what a user asked for, and by which key."""
        entry = audit.entry(
            self.clock(), "user", action, subject=row.subject, key=caller.key_name, **details
        )
        audit.add(connection, caller.tenant, [entry])

    def _check_horizon(self, tenant: str, version: str, horizon: int) -> None:
        """Check that a version can plan that far.

        Raises:
            ConfigError: It cannot.
        """
        with self.store.reading() as connection:
            rows = models.listed(connection, tenant, version)
        longest = rows[0].card["longest"] if rows else horizon
        if horizon > longest:
            raise ConfigError(
                f"horizon: model {version!r} plans at most {longest} items; {horizon} were asked "
                "for."
            )

    def _members(self, tenant: str, version: str, objective: Objective) -> frozenset[str]:
        """Return the items that fulfil an objective, as text.

        Raises:
            ModelFileError: The bundle is missing or damaged.
            UnknownIdError: The category is not there.
        """
        if objective.name is None:
            ids = objective.ids if objective.ids is not None else (objective.id,)
            return frozenset(map(str, ids))
        key = (bundle(tenant, version), objective)
        members = self._known_members.get(key)
        if members is None:
            members = self._catalogue(tenant, version).members(objective)
            if len(self._known_members) >= REMEMBERED:
                self._known_members.clear()
            self._known_members[key] = members
        return members


def bundle(tenant: str, version: str) -> str:
    """Return a version's folder below that of all bundles."""
    return f"{tenant}/{version}"


def demanded(version: str | None, tenant: str) -> str:
    """Return the active version.

    Raises:
        NotReadyError: There is none.
    """
    if version is None:
        raise NotReadyError(
            f"tenant {tenant!r} has no active model; publish one and register it (POST /v1/models)."
        )
    return version
