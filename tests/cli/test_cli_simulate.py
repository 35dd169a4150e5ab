"""The closed loop and the study of judges on a tiny simulated world."""

import json
from pathlib import Path
from typing import Any

import pytest

from .tiny_run import CONFIG, Outcome

LOOP = """
[simulate]
drivers = ["truth", "judge"]
planners = ["irn", "rec2inf/sasrec", "vanilla/sasrec", "direct"]
adaptive = ["irn", "rec2inf/sasrec"]
last_offer = ["irn", "vanilla/sasrec"]
users = 30

[simulate.loop]
rounds = 4

[simulate.grids.irn]
guidance = [1.0, 3.0]
floor = [20]

[simulate.judges]
users = 20

[simulate.judges.points]
irn = { guidance = [1.0, 4.0] }
"rec2inf/sasrec" = { k = [2, 10] }
"vanilla/sasrec" = {}
direct = {}
"""
ROWS = [
    *("irn", "irn, adaptive", "irn, open loop", "irn, objective last"),
    *("rec2inf/sasrec", "rec2inf/sasrec, adaptive"),
    *("vanilla/sasrec", "vanilla/sasrec, objective last", "direct"),
]


@pytest.fixture(scope="session")
def loop_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("loop") / "loop.toml"
    path.write_text(CONFIG + LOOP)
    return path


@pytest.fixture(scope="session")
def simulated(trained: Path, loop_file: Path) -> Path:
    """The folder of the run after `influpath simulate`, with what was printed."""
    outcome = Outcome("simulate", loop_file, "--runs-dir", trained.parent)
    assert outcome.status == 0, outcome.errors
    (trained / "simulated.txt").write_text(outcome.output)
    return trained


def test_the_result(simulated: Path) -> None:
    document: dict[str, Any] = json.loads((simulated / "simulate.json").read_text())
    assert list(document["drivers"]) == ["truth", "judge"]
    for found in document["drivers"].values():
        assert list(found["planners"]) == ROWS
        assert found["pairs"] == 30
        for name, row in found["planners"].items():
            low, high = row["arrived"]["ci95"]
            assert 0 <= low <= row["arrived"]["mean"] <= high <= 1
            assert row["left"]["n"] == 30
            ends = found["curves"][name]["arrived"]
            assert len(ends) == 4
            assert ends[-1]["mean"] == pytest.approx(row["arrived"]["mean"])
        assert found["planners"]["vanilla/sasrec"]["induced_shift"]["mean"] == 0
        difference = found["differences"]["irn - vanilla/sasrec"]["arrived"]["mean"]
        means = {name: row["arrived"]["mean"] for name, row in found["planners"].items()}
        assert difference == pytest.approx(means["irn"] - means["vanilla/sasrec"])
        last, plain = "vanilla/sasrec, objective last", "vanilla/sasrec"
        assert means[last] >= means[plain]
    choice = document["choices"]["irn"]
    assert len(choice["candidates"]) == 2
    assert document["dials"]["irn"] == choice["chosen"] == document["dials"]["irn, open loop"]
    assert document["choices"].keys() == {"irn", "irn, adaptive"}
    assert (simulated / "simulate.svg").read_text().count("<svg") == 1
    assert (simulated / "simulate.png").stat().st_size > 10_000


def test_what_is_printed(simulated: Path) -> None:
    printed = (simulated / "simulated.txt").read_text()
    for words in ("true users", "users driven by judge", "objective last", "re-planning: "):
        assert words in printed
    assert printed.endswith(f"figure: {simulated / 'simulate.svg'}\n")


def test_nothing_is_done_twice(simulated: Path, loop_file: Path) -> None:
    def times() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in (simulated / "visits").iterdir()}

    before = times()
    first = json.loads((simulated / "simulate.json").read_text())
    lost = next(path for path in before if path.name.startswith("direct"))
    lost.unlink()
    outcome = Outcome("simulate", loop_file, "--runs-dir", simulated.parent)
    assert outcome.status == 0, outcome.errors
    after = times()
    assert {path for path in after if after[path] != before[path]} == {lost}
    again = json.loads((simulated / "simulate.json").read_text())
    assert again["drivers"] == first["drivers"]
    # Another number of users is another simulation, which goes elsewhere.
    elsewhere = simulated / "elsewhere"
    outcome = Outcome(
        *("simulate", loop_file, "--runs-dir", simulated.parent, "--users", 4),
        *("--results-dir", elsewhere),
    )
    assert outcome.status == 0, outcome.errors
    small = json.loads((elsewhere / "simulate.json").read_text())
    assert small["drivers"]["truth"]["pairs"] == 4
    assert small["choices"] == first["choices"]


def test_judges(simulated: Path, loop_file: Path) -> None:
    outcome = Outcome("judges", loop_file, "--runs-dir", simulated.parent)
    assert outcome.status == 0, outcome.errors
    assert "accepted SR@20" in outcome.output
    document: dict[str, Any] = json.loads((simulated / "judges.json").read_text())
    assert len(document["points"]) == 6
    judges = {document["headline"], "sasrec", "bert4rec", "truth"}
    for target in ("arrived", "left", "acceptance"):
        found = document["correlations"][target]
        assert found.keys() == judges | {"loop/judge"}
        for rows in found.values():
            for row in rows.values():
                value = row["rho"]["value"]
                assert value is None or -1 - 1e-9 <= value <= 1 + 1e-9
    assert (simulated / "judges.svg").is_file()


@pytest.mark.parametrize(
    ("command", "content", "words"),
    [
        ("simulate", 'base = "nothing"', "base: must be one of"),
        ("simulate", CONFIG + '[simulate]\nadaptive = ["ipg/pop"]', "ipg/pop is none of the"),
        ("simulate", CONFIG + '[simulate]\nplain = "mst"', "plain: mst is none of the planners"),
        (
            "simulate",
            CONFIG.replace('source = "simulated"', 'source = "lastfm"').replace(
                "options = { users", "# options = { users"
            )
            + '[simulate]\ndrivers = ["truth"]',
            "not of lastfm",
        ),
        ("judges", CONFIG, "0 planner(s) named there"),
    ],
)
def test_refusals(tmp_path: Path, command: str, content: str, words: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(content)
    outcome = Outcome(command, path, "--runs-dir", tmp_path)
    assert outcome.status == 2
    assert words in outcome.errors
    assert outcome.errors.count("\n") == 1


def test_no_such_settings(tmp_path: Path) -> None:
    outcome = Outcome("simulate", "netflix", "--runs-dir", tmp_path)
    assert outcome.status == 2
    assert "there are settings for " in outcome.errors


def test_shipped_settings_are_whole() -> None:
    from influpath.experiments.closed_loop.config import read_config, shipped

    assert {"lastfm", "ml-1m", "simulated"} <= set(shipped())
    for name in shipped():
        config = read_config(name)
        assert config.simulate.result == f"results/{name}/simulate.json"
        assert config.data.source == name
