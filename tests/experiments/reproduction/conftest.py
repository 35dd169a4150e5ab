"""The core of the reproduction on a tiny simulated world, made once for all tests."""

from pathlib import Path

import pytest

from influpath.experiments.reproduction.config import ReproductionConfig, read_config
from influpath.experiments.reproduction.recipes import chosen
from influpath.experiments.reproduction.stages import Stages

TINY = Path(__file__).parent / "tiny.toml"


@pytest.fixture(scope="session")
def tiny_config() -> ReproductionConfig:
    """Settings of seconds."""
    return read_config(str(TINY))


@pytest.fixture(scope="session")
def stages(tmp_path_factory: pytest.TempPathFactory, tiny_config: ReproductionConfig) -> Stages:
    """All recipes of the core, made."""
    folder = tmp_path_factory.mktemp("reproduction")
    made = Stages(tiny_config, chosen([]), folder / "results", root=folder / "runs")
    made.make()
    return made
