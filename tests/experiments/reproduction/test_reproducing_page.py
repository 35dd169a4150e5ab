"""docs/reproducing.md says what is true."""

import re
import tomllib
from pathlib import Path

from typer.testing import CliRunner

from influpath.cli.main import app
from influpath.experiments.config import RunConfig
from influpath.experiments.reproduction.config import CORE, Figure7Config, ReproductionConfig
from influpath.experiments.reproduction.recipes import RECIPES

PAGE = (Path(__file__).parents[3] / "docs" / "reproducing.md").read_text()


def test_the_example_is_a_configuration() -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)
    config = ReproductionConfig.parse(tomllib.loads(block), "docs/reproducing.md")
    assert config.under("paper").dials.margin == 1.5
    for variant in config.variants:
        assert config.settings_of(variant) != config.settings_of(None)


def test_every_field_is_in_the_page() -> None:
    fields = set(ReproductionConfig.model_fields) - set(RunConfig.model_fields)
    for name in (*fields, *Figure7Config.model_fields):
        assert re.search(rf"\b{name}\b", PAGE), name


def test_every_study_and_option_is_in_the_page() -> None:
    for recipe in RECIPES:
        assert recipe.group == CORE or f"`{recipe.name}`" in PAGE, recipe.name
    told = CliRunner().invoke(app, ["reproduce", "--help"], env={"COLUMNS": "200"}).output
    options = {name for name in re.findall(r"--[a-z]+(?:-[a-z]+)*", told) if name != "--help"}
    assert len(options) > 8
    for name in options:
        assert name in PAGE, name
