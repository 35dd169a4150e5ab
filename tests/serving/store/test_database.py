"""Tables, migrations, keys and the audit log, on both databases."""

from datetime import UTC, datetime, timedelta

import pytest
from alembic import command
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from influpath.errors import ConfigError
from influpath.serving.campaigns.service import Service
from influpath.serving.errors import ConflictError, NotFoundError, NotReadyError
from influpath.serving.store import keys
from influpath.serving.store.database import Database, parse
from influpath.serving.store.migrating import is_current, migrate, settings
from serving.conftest import ADMIN

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def test_migrated_tables_are_those_that_the_code_speaks_of(empty_url: str) -> None:
    with Database(empty_url) as database:
        assert not is_current(database)
        migrate(empty_url)
        migrate(empty_url)
        assert is_current(database)
        with database.writing() as connection:
            config = settings()
            config.attributes["connection"] = connection
            command.check(config)
            # From every version that there was, and back to none.
            command.downgrade(config, "0001")
        migrate(empty_url)
        assert is_current(database)
        with database.writing() as connection:
            config.attributes["connection"] = connection
            command.downgrade(config, "base")
        migrate(empty_url)


def test_a_later_version_is_not_touched(database_url: str) -> None:
    with Database(database_url) as database, database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match="later version"):
        migrate(database_url)


@pytest.mark.parametrize("url", ["nonsense", "mysql://u@h/d", "sqlite://", "sqlite:///:memory:"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        parse(url)


def test_no_password_is_told() -> None:
    database = Database("postgresql://me:secret@127.0.0.1:1/x")
    with pytest.raises(NotReadyError) as told, database.reading():
        pass
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'nobody'",
        "DELETE FROM audit",
        "TRUNCATE audit",
        "INSERT OR REPLACE INTO audit SELECT * FROM audit LIMIT 1",
    ],
)
def test_the_audit_log_only_grows(service: Service, statement: str) -> None:
    before = service.audit(ADMIN)
    with service.store.engine.connect() as connection, pytest.raises(DBAPIError):
        connection.execute(text(statement))
    assert service.audit(ADMIN) == before
    assert before.entries


def test_a_key_holds_until_it_expires_or_is_revoked(store: Database) -> None:
    key, secret = keys.create(store, "one", "web", "service", NOW, NOW + timedelta(days=1))
    assert keys.authenticate(store, secret, NOW) == key
    assert keys.authenticate(store, secret, NOW + timedelta(days=1)) is None
    other, admin = keys.create(store, "two", "web", "admin", NOW)
    assert keys.any_admin(store, NOW)
    assert keys.listed(store, "one") == (key,)
    with pytest.raises(ConflictError):
        keys.create(store, "two", "web", "viewer", NOW)
    keys.revoke(store, other.key_id, NOW)
    assert keys.authenticate(store, admin, NOW) is None
    assert not keys.any_admin(store, NOW)
    with pytest.raises(NotFoundError):
        keys.revoke(store, "0" * 12, NOW)


def test_a_secret_is_not_kept_and_half_of_it_opens_nothing(store: Database) -> None:
    key, secret = keys.create(store, "one", "web", "service", NOW)
    _, other = keys.create(store, "one", "page", "service", NOW)
    swapped = f"ip_{key.key_id}_{other.split('_', 2)[2]}"
    for wrong in (secret[:-1], secret + "a", swapped, "", "ip__", secret.upper()):
        assert keys.authenticate(store, wrong, NOW) is None
    with store.reading() as connection:
        kept = str(connection.execute(text("SELECT * FROM keys")).all())
    assert secret.split("_", 2)[2] not in kept


@pytest.mark.parametrize(
    ("tenant", "name", "role"), [("../x", "n", "admin"), ("x", " ", "admin"), ("x", "n", "root")]
)
def test_odd_keys_are_refused(store: Database, tenant: str, name: str, role: str) -> None:
    with pytest.raises(ConfigError):
        keys.create(store, tenant, name, role, NOW)  # type: ignore[arg-type]
