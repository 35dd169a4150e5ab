"""Help, version and start-up."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from influpath.cli.main import app

COMMANDS = (
    *("demo", "run", "train", "plan", "evaluate", "verify", "doctor", "data stats"),
    *("recommenders", "planners", "next-item", "audience", "feasibility", "bench", "publish"),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    result = CliRunner().invoke(app, [*command.split(), "--help"])
    assert result.exit_code == 0
    assert "Example" in result.stdout
    assert f"influpath {command}" in " ".join(result.stdout.partition("Example")[2].split())


def test_the_first_help_names_every_command() -> None:
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    assert all(command.split()[0] in result.stdout for command in COMMANDS)


def test_version() -> None:
    from influpath import __version__

    assert CliRunner().invoke(app, ["--version"]).stdout == f"influpath {__version__}\n"


@pytest.mark.parametrize("options", [["--help"], ["plan", "--help"]])
def test_the_module_is_the_command(options: list[str]) -> None:
    module = [sys.executable, "-X", "importtime", "-m", "influpath", *options]
    done = subprocess.run(module, capture_output=True, text=True, check=True)
    script = [sys.executable, "-c", "from influpath.cli.main import main; main()", *options]
    assert done.stdout == subprocess.run(script, capture_output=True, text=True).stdout
    assert f"Usage: {' '.join(['influpath', *options[:-1]])} " in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "influpath.cli.main" in imported
    assert not imported & {"torch", "polars", "scipy"}


def test_help_does_not_wait_for_heavy_imports() -> None:
    code = (
        "import sys, influpath.cli.main; "
        "sys.exit([name for name in ('torch', 'polars', 'scipy') if name in sys.modules] or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
