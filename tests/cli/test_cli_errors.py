"""Whatever is wrong, a user reads one sentence and never a traceback."""

import logging
from pathlib import Path

import pytest

from .tiny_run import Outcome


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "missing.toml"), "missing.toml: no such configuration file."),
        (("train", "missing.toml"), "missing.toml: no such configuration file."),
        (("verify", "missing.json"), "missing.json: no such file."),
        (("data", "stats", "netflix"), "'netflix' is neither a known dataset"),
        (("data", "stats", "missing.csv"), "missing.csv: no such file."),
        (("data", "stats", "simulated", "--preset", "best"), "there is no preset 'best'"),
        (("data", "stats", "simulated", "--data-option", "planets=3"), "planets"),
        (("data", "stats", "ml-1m", "--data-dir", "nowhere"), "nowhere"),
        (("plan", "--model", "missing", "--data", "simulated"), "missing: is not a model folder"),
    ],
)
def test_one_sentence(
    arguments: tuple[str, ...], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = Outcome("--quiet", *arguments)
    assert outcome.status == 2
    assert outcome.output == ""
    assert outcome.errors.startswith("influpath: ")
    assert words in outcome.errors
    assert len(outcome.errors.splitlines()) == 1


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("seed = 7", "sede = 7", "sede"),
        ('source = "simulated"', "source = 5", "data.source"),
        ("seed = 13", "seed = 11", "shares no seed|share no seed"),
        ("layers = 1", "layers = 0", "layers"),
        ("[dials]", "[dials", "cannot be read as TOML"),
    ],
)
def test_a_wrong_key_of_a_run_file_is_named(
    config: Path, tmp_path: Path, old: str, new: str, words: str
) -> None:
    changed = tmp_path / "changed.toml"
    changed.write_text(config.read_text().replace(old, new, 1))
    outcome = Outcome("run", changed, "--runs-dir", tmp_path)
    assert outcome.status == 2
    assert str(changed) in outcome.errors
    assert any(choice in outcome.errors for choice in words.split("|"))


def test_a_damaged_model_is_refused(model: Path, world: list[str], tmp_path: Path) -> None:
    for name in ("model.json", "weights.safetensors"):
        content = (model / name).read_bytes()
        (tmp_path / name).write_bytes(content)
    (tmp_path / "weights.safetensors").write_bytes(content[:-7] + b"changed")
    outcome = Outcome("plan", "--model", tmp_path, *world, "--user", "u00001", "--objective", "i1")
    assert outcome.status == 2
    assert "the model is damaged" in outcome.errors


def test_a_folder_that_cannot_be_written(config: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    outcome = Outcome("train", config, "--runs-dir", tmp_path / "file")
    assert outcome.status == 2
    assert "file" in outcome.errors


def test_what_is_said_after_a_command_reaches_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    # It ran with a standard error of its own, which is closed by now.
    assert Outcome("planners").status == 0
    logging.getLogger("influpath").info("said later")
    assert capsys.readouterr().err.endswith("said later\n")
