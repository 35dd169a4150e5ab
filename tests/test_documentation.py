"""The examples of the README and of the documentation run as they stand."""

import re
import runpy
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest

import influpath as ip
from influpath.data import Dataset
from influpath.evaluation import with_role
from influpath.planning.base import Planner
from influpath.recommenders.base import Recommender
from influpath.testing.planner_conformance import PlannerConformance
from influpath.testing.recommender_conformance import RecommenderConformance

ROOT = Path(__file__).parents[1]
QUICKSTART = ROOT / "examples" / "quickstart.py"
PLUGIN_FILE = ROOT / "examples" / "plugin.py"
PLUGIN = runpy.run_path(str(PLUGIN_FILE))


def python_blocks(page: str) -> list[str]:
    """Return the Python examples of a page."""
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), flags=re.DOTALL)


def test_the_readme_shows_the_quickstart() -> None:
    assert QUICKSTART.read_text() == python_blocks("README.md")[0]
    assert len(QUICKSTART.read_text().splitlines()) <= 10


def test_the_quickstart_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = partial(ip.load_dataset, users=150, items=100, shortest=22, longest=45)
    monkeypatch.setattr(ip, "load_dataset", small)
    names = runpy.run_path(str(QUICKSTART))
    printed = capsys.readouterr().out
    assert "judge sasrec, 150 pairs" in printed
    assert "accepted_sr@20" in printed
    assert len(with_role(names["pairs"], "dial")) == 15


def test_the_documentation_shows_the_plugin() -> None:
    assert python_blocks("docs/extending.md")[0] == PLUGIN_FILE.read_text()


class TestMarkov(RecommenderConformance):
    recommender: ClassVar[type[Recommender]] = PLUGIN["Markov"]


class TestNudge(PlannerConformance):
    @pytest.fixture
    def planner(self, dataset: Dataset) -> Planner:
        planner: Planner = PLUGIN["NudgePlanner"](PLUGIN["Markov"]().fit(dataset), weight=0.5)
        return planner


@pytest.mark.parametrize("script", ["readme_results.py", "loop_pages.py"])
def test_the_pages_show_the_committed_results(script: str) -> None:
    check = [sys.executable, str(ROOT / "scripts" / script), "--check"]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
