"""A whole run on a tiny simulated world, shared by the tests of the command line."""

from pathlib import Path

import pytest

from .tiny_run import CONFIG, WORLD, Outcome


@pytest.fixture(scope="session")
def world() -> list[str]:
    """The options that name the data of the run."""
    options = [f"--data-option={key}={value}" for key, value in WORLD.items()]
    return ["--data", "simulated", *options]


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run file."""
    path = tmp_path_factory.mktemp("config") / "tiny.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, config: Path) -> Path:
    """The folder of the run after `influpath train`."""
    runs = tmp_path_factory.mktemp("runs")
    outcome = Outcome("train", config, "--runs-dir", runs)
    assert outcome.status == 0, outcome.errors
    assert "evaluator" in outcome.output
    return runs / "tiny"


@pytest.fixture(scope="session")
def finished(trained: Path, config: Path) -> Path:
    """The folder of the run after `influpath run`, which was interrupted once before."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("influpath.experiments.result.sweep_dials", interrupt)
        outcome = Outcome("run", config, "--runs-dir", trained.parent)
    assert outcome.status == 130
    assert outcome.errors.endswith(
        "influpath: interrupted; run the same command again to go on where it stopped.\n"
    )
    before = times(trained)
    assert any(path.parent.name == "paths" for path in before)
    outcome = Outcome("run", config, "--runs-dir", trained.parent)
    assert outcome.status == 0, outcome.errors
    after = times(trained)
    assert {path: after[path] for path in before} == before, "a stage was done twice"
    (trained / "printed.txt").write_text(outcome.output)
    return trained


def interrupt(run: object) -> None:
    """Act as if Ctrl-C had been pressed."""
    raise KeyboardInterrupt


def times(run: Path) -> dict[Path, int]:
    """Return when each product of a run's stages was written."""
    kinds = ("*/paths/*.parquet", "*/models/*/model.json", "*/dials-*.json")
    products = [path for kind in kinds for path in run.parent.glob(kind)]
    return {path: path.stat().st_mtime_ns for path in products}


@pytest.fixture
def model(finished: Path) -> Path:
    """The folder of the trained IRN."""
    return next((finished / "models").glob("model-irn-*"))


@pytest.fixture
def pairs(finished: Path) -> Path:
    """The file of pairs."""
    return finished / "main" / "pairs.csv"
