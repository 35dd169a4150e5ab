"""``influpath serve`` as a process, and the keys that let people in."""

import json
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner, Result

from influpath.cli.main import app
from influpath.errors import ConfigError
from influpath.irn.model import IRN
from influpath.recommenders.bert4rec import BERT4Rec
from influpath.recommenders.sasrec import SASRec
from influpath.serving.api.server import bound, check_address
from influpath.serving.settings import ServerSettings

from ..engine.tiny_bundle import tiny_bundle

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Return what runs a command on a database of its own."""

    def call(*arguments: str) -> Result:
        url = f"sqlite:///{tmp_path / 'keys.db'}"
        return CliRunner().invoke(app, arguments, env={"INFLUPATH_DATABASE": url})

    yield call
    # They write to a stream that the runner has closed.
    logging.getLogger("influpath").handlers.clear()


class TestKeys:
    def test_made_listed_revoked(self, run: Run) -> None:
        made = run("keys", "create", "--role", "service", "--name", "shop", "--expires-in", "30")
        assert made.exit_code == 0, made.output
        key = made.stdout.strip()
        assert re.fullmatch(r"ip_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", key)
        _, key_id, secret = key.split("_", 2)
        listed = run("keys", "list").stdout
        assert secret not in listed
        assert all(part in listed for part in (key_id, "default", "service", "shop", "holds"))
        assert run("keys", "list", "--tenant", "other").stdout == ""
        assert "revoked" in run("keys", "revoke", key_id).stdout
        assert "revoked" in run("keys", "list").stdout

    @pytest.mark.parametrize(
        "arguments",
        [
            ("create", "--role", "king"),
            ("create", "--role", "admin", "--tenant", "../etc"),
            ("create", "--role", "admin", "--expires-in", "0"),
            ("revoke", "nobody"),
        ],
    )
    def test_what_is_wrong_is_one_sentence(self, run: Run, arguments: tuple[str, ...]) -> None:
        result = run("keys", *arguments)
        assert result.exit_code == 2
        assert result.stderr.startswith("influpath: ")
        assert result.stderr.count("\n") == 1


class TestAddress:
    @pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.1", "::", "example.org"])
    def test_without_keys_nobody_from_elsewhere_gets_in(self, run: Run, host: str) -> None:
        with pytest.raises(ConfigError, match="admin"):
            check_address(ServerSettings(host=host, require_key=False))
        result = run("serve", "--no-key", "--host", host)
        assert result.exit_code == 2
        assert "--no-key" in result.stderr

    def test_an_address_in_use_is_said_before_anything_else(self) -> None:
        with bound("127.0.0.1", 0) as listener:
            listener.listen()
            port = listener.getsockname()[1]
            with pytest.raises(ConfigError, match=f"{port}: .* in use"), bound("127.0.0.1", port):
                pass

    def test_migrating_alone(self, run: Run, tmp_path: Path) -> None:
        assert run("serve", "--migrate-only").stdout == "the database is up to date.\n"
        assert (tmp_path / "keys.db").exists()


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Yield a process of the service and its address; end it by SIGTERM."""
    command = (sys.executable, "-c", "from influpath.cli.main import main; main()", "serve")
    with (
        (folder / "log").open("a") as log,
        subprocess.Popen(
            (*command, "--port", "0", "--workers", "1", *options),
            cwd=folder,
            env={**os.environ, "INFLUPATH_BUNDLES": str(folder / "bundles")},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if found := re.search(r"http://\S+", line):
                    yield process, found[0]
                    break
            else:
                raise AssertionError((folder / "log").read_text())
        finally:
            process.kill()


def test_the_service_starts_answers_and_ends_gracefully(
    tmp_path: Path, irn: IRN, sasrec: SASRec, bert4rec: BERT4Rec
) -> None:
    tiny_bundle(irn, sasrec, bert4rec).save(tmp_path / "bundles" / "default" / "first")
    answers = []
    for _ in range(2):
        with serving(tmp_path) as (process, address), httpx.Client(base_url=address) as client:
            assert client.get("/healthz").status_code == 200
            assert client.get("/readyz").status_code == 200
            [model] = client.get("/v1/models").json()
            assert (model["version"], model["active"]) == ("first", True)
            user = client.get("/v1/users?q=").json()["users"][0]
            answers.append(client.post("/v1/next", json={"user_id": user}).json())
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
    # The second start found what the first one had stored.
    assert answers[0] == answers[1]
    assert answers[0]["item"] is not None
    lines = [
        json.loads(line) for line in (tmp_path / "log").read_text().splitlines() if line[0] == "{"
    ]
    assert [line["route"] for line in lines[:2]] == ["/healthz", "/readyz"]
    assert "Traceback" not in (tmp_path / "log").read_text()
