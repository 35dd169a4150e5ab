"""Versions of the model: registered, activated, rolled back."""

from typing import Any

from sqlalchemy import Connection, Row
from sqlalchemy.exc import IntegrityError

from influpath.serving.campaigns.base import Base, bundle
from influpath.serving.campaigns.caller import Caller
from influpath.serving.errors import ConflictError, NotFoundError, NotReadyError
from influpath.serving.schemas import Model, ModelIn
from influpath.serving.store import models, tenants
from influpath.serving.store.migrating import is_current


class Versions(Base):
    """Versions of the model."""

    def ready(self) -> None:
        """Check that ``next`` could be answered.

        Raises:
            NotReadyError: The database does not answer or is not migrated, or no model is active.
        """
        if not is_current(self.store):
            raise NotReadyError(
                "the database's tables are of another version; run: influpath serve --migrate-only."
            )
        with self.store.reading() as connection:
            if not models.anything_active(connection):
                raise NotReadyError(
                    "no model is active; publish one and register it (POST /v1/models)."
                )

    def models(self, caller: Caller) -> tuple[Model, ...]:
        """Return the versions of the model, the newest first (viewer)."""
        caller.must_be("viewer")
        with self.store.reading() as connection:
            active = models.active(connection, caller.tenant)
            return tuple(as_model(row, active) for row in models.listed(connection, caller.tenant))

    def register_model(self, caller: Caller, given: ModelIn) -> Model:
        """Check and register a version; the first one becomes active (admin).

        The same one again changes nothing.

        Raises:
            ModelFileError: Its bundle is missing or damaged.
            ConflictError: Another bundle was registered under that name.
        """
        caller.must_be("admin")
        now = self.clock()
        # Outside the transaction: checking a bundle takes a while.
        card = self.engine.card(bundle(caller.tenant, given.version))
        try:
            with self.store.writing() as connection:
                tenants.touch(connection, caller.tenant)
                known = models.listed(connection, caller.tenant, given.version)
                if known and known[0].card["fingerprint"] != card.fingerprint:
                    raise ConflictError(
                        f"model {given.version!r} was registered with another bundle; publish "
                        "under a new name."
                    )
                if not known:
                    models.register(connection, caller.tenant, given.version, card, now)
                    self._note(
                        connection,
                        caller,
                        "model.registered",
                        model=given.version,
                        fingerprint=card.fingerprint,
                        dataset=card.dataset,
                    )
                if models.active(connection, caller.tenant) is None:
                    models.activate(connection, caller.tenant, given.version, now)
                    self._note(connection, caller, "model.activated", model=given.version)
                return self._model(connection, caller.tenant, given.version)
        except IntegrityError:
            raise ConflictError(
                f"model {given.version!r} is being registered by somebody else; try again."
            ) from None

    def activate_model(self, caller: Caller, version: str) -> Model:
        """Make a version the one of new journeys (admin).

        Raises:
            NotFoundError: It is not registered.
            ModelFileError: Its bundle is missing or damaged.
        """
        caller.must_be("admin")
        with self.store.reading() as connection:
            self._model(connection, caller.tenant, version)
        self._warm(caller.tenant, version)
        with self.store.writing() as connection:
            if models.active(connection, caller.tenant) != version:
                models.activate(connection, caller.tenant, version, self.clock())
                self._note(connection, caller, "model.activated", model=version)
            return self._model(connection, caller.tenant, version)

    def roll_back(self, caller: Caller) -> Model:
        """Make the version active again that was before, and return it (admin).

        Raises:
            ConflictError: There was none before, or another became active meanwhile.
            ModelFileError: Its bundle is missing or damaged.
        """
        caller.must_be("admin")
        with self.store.reading() as connection:
            before = models.previous(connection, caller.tenant)
        if before is None:
            raise ConflictError("no model was active before this one; nothing to go back to.")
        self._warm(caller.tenant, before)
        with self.store.writing() as connection:
            done = models.roll_back(connection, caller.tenant)
            if done is None or done[1] != before:
                raise ConflictError(
                    "another model became active meanwhile; look at GET /v1/models and try again."
                )
            self._note(connection, caller, "model.rolled_back", model=done[1], was=done[0])
            return self._model(connection, caller.tenant, done[1])

    def _warm(self, tenant: str, version: str) -> None:
        """Load and check a version before anybody depends on it, or has to wait for it."""
        self.engine.card(bundle(tenant, version))
        self._catalogue(tenant, version)

    def _model(self, connection: Connection, tenant: str, version: str) -> Model:
        rows = models.listed(connection, tenant, version)
        if not rows:
            raise NotFoundError(f"there is no model {version!r}; GET /v1/models has all.")
        return as_model(rows[0], models.active(connection, tenant))


def as_model(row: Row[Any], active: str | None) -> Model:
    """Return a version."""
    return Model(
        **{**row.card, "version": row.version},
        active=row.version == active,
        journeys=row.journeys,
        registered_at=row.registered_at,
        activated_at=row.activated_at,
    )
