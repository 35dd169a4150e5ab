"""The page and the report are made from the result files alone."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from influpath.cli.main import app
from influpath.errors import ResultError
from influpath.experiments.reproduction.config import read_config
from influpath.experiments.reproduction.made import folders_in, made_in
from influpath.experiments.reproduction.page import page_text, write_page, write_report
from influpath.experiments.reproduction.page_times import times
from influpath.experiments.reproduction.recipes import RECIPES, chosen
from influpath.experiments.reproduction.stages import Stages
from influpath.files import read_json, write_json

from .conftest import TINY

ROOT = Path(__file__).parents[3]


def test_the_page_has_every_result_and_its_figure(stages: Stages, tmp_path: Path) -> None:
    path = write_page(stages.results, tmp_path / "page.md")
    text = path.read_text()
    for recipe in stages.recipes:
        assert f"## {recipe.title}" in text
    links = re.findall(r"\]\(([^)]+\.svg)\)", text)
    assert len(links) >= 4
    assert all((tmp_path / link).is_file() for link in links)
    assert "nan" not in re.findall(r"[\w.]+", text.lower())


def test_the_report_needs_nothing_else(stages: Stages) -> None:
    page = write_report(stages.folder).read_text()
    assert page.count("<section") == len(stages.recipes) + 3
    assert page.count("data:image/svg+xml;base64,") >= 4
    assert "<table>" in page
    # No table or heading was left as Markdown.
    assert "|---" not in page
    assert not re.findall(r'(?:src|href)="https?:', page)


def test_a_damaged_result_is_one_clear_error(tmp_path: Path) -> None:
    folder = tmp_path / "simulated" / "clean"
    folder.mkdir(parents=True)
    (folder / "table-1.json").write_text("[]")
    with pytest.raises(ResultError, match=r"table-1\.json"):
        page_text(tmp_path, tmp_path)


def test_what_an_earlier_version_made_is_left_out(
    stages: Stages, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its words may need what it does not have."""
    folder = tmp_path / "simulated" / "clean"
    folder.mkdir(parents=True)
    for name in ("table-1", "figure-7"):
        document = read_json(stages.folder / f"{name}.json", ResultError)
        write_json(folder / f"{name}.json", {**document, "version": 1})
    text = page_text(tmp_path, tmp_path)
    assert "## Table I:" in text
    assert "## Figure 7:" not in text
    assert "figure-7.json: was made by an earlier version and is left out" in caplog.text


def test_the_time_of_every_training_is_counted_once(stages: Stages) -> None:
    text = page_text(stages.results, stages.results)
    rows = [
        [float(cell) for cell in line.split("|")[3:5]]
        for line in text.splitlines()
        if "| **the core** |" in line or "| **the studies** |" in line
    ]
    trained = {
        name: took
        for recipe in stages.recipes
        for name, took in read_json(stages.path(recipe), ResultError)["seconds"].items()
        if name != "compute"
    }
    assert len([name for name in trained if name.startswith("train model irn")]) == 4
    assert sum(cells[1] for cells in rows) == pytest.approx(sum(trained.values()) / 60, abs=0.11)


def test_the_time_of_the_core_is_said_apart_from_the_studies(stages: Stages) -> None:
    (core,) = [made_in(folder) for folder in folders_in(stages.results)]
    assert {one.recipe.group for one in core} == {"core"}
    assert "**the studies**" not in times([core])
    study = replace(core[-1], recipe=chosen(["table-6"])[0])
    text = times([[*core, study]])
    planning = sum(one.document["seconds"]["compute"] for one in core)
    assert f"| **the core** | {planning / 60:.1f} |" in text
    own = study.document["seconds"]["compute"]
    # Its trainings were counted with the core's.
    assert f"| **the studies** | {own / 60:.1f} | 0.0 |" in text
    assert "machine |" not in text


def test_results_of_several_machines_say_which(stages: Stages) -> None:
    (made,) = [made_in(folder) for folder in folders_in(stages.results)]
    hardware = {**made[0].document["hardware"], "processor": "Another"}
    moved = replace(made[0], document={**made[0].document, "hardware": hardware})
    text = times([[moved, *made[1:]]])
    rows = text.splitlines()
    assert rows[0].endswith("| machine |")
    assert [row.split("|")[-2].strip() for row in rows[2:4]] == ["1", "2"]
    assert "Machines: 1: Another, " in text


def test_links_into_the_documentation_are_there_or_left_out(stages: Stages, tmp_path: Path) -> None:
    assert "reproducing.md" not in page_text(stages.results, tmp_path)
    docs = ROOT / "docs"
    links = re.findall(r"\]\((\w+\.md)#?([\w-]*)\)", page_text(stages.results, docs))
    assert len(links) == 4
    for file, anchor in links:
        headings = re.findall(r"^#+ (.+)$", (docs / file).read_text(), re.MULTILINE)
        assert not anchor or anchor in [head.lower().replace(" ", "-") for head in headings]


def test_the_committed_page_is_that_of_the_committed_results() -> None:
    page = ROOT / "docs" / "reproduction.md"
    assert page.read_text(encoding="utf-8") == page_text(ROOT / "results", page.parent)


def test_the_command_lists_and_makes_recipes(tmp_path: Path) -> None:
    listed = CliRunner().invoke(app, ["reproduce", "lastfm", "--list"])
    assert listed.exit_code == 0
    *lines, core = listed.stdout.splitlines()
    assert [line.split()[0] for line in lines] == [r.name for r in RECIPES]
    assert (
        core
        == f"All without --only, the core: {read_config('lastfm').minutes_of('core')} together."
    )
    folders = ["--results-dir", str(tmp_path / "results"), "--runs-dir", str(tmp_path / "runs")]
    made = CliRunner().invoke(app, ["reproduce", str(TINY), "--only", "table-1", *folders])
    assert made.exit_code == 0, made.stderr
    assert (tmp_path / "results" / "reproduction.md").is_file()
    assert (tmp_path / "results" / "simulated" / "clean" / "report.html").is_file()
    wrong = CliRunner().invoke(app, ["reproduce", str(TINY), "--only", "table-9", *folders])
    assert wrong.exit_code != 0
    assert "table-9" in wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_studies_are_made_only_when_asked_for() -> None:
    core = {recipe.name for recipe in chosen([])}
    assert {"table-6", "figure-7-retrained", "ablation-leak"}.isdisjoint(core)
    assert [recipe.name for recipe in chosen(["table-6"])] == ["table-6"]
    assert len(chosen([], everything=True)) == len(RECIPES)


def test_what_a_dataset_has_no_settings_for_is_left_out_unless_asked_for_by_name() -> None:
    config = read_config("ml-1m")
    without = config.model_copy(
        update={"variants": {k: v for k, v in config.variants.items() if k != "leak"}}
    )
    for only, everything in (([], True), (["ablations"], False)):
        assert "ablation-leak" in {r.name for r in chosen(only, everything, config)}
        left = {r.name for r in chosen(only, everything, without)}
        assert "ablation-leak" not in left
        assert "ablation-floor" in left
    assert [r.name for r in chosen(["ablation-leak"], config=without)] == ["ablation-leak"]
