"""The whole job on a tiny world: train, run (interrupted once), verify."""

import json
import shutil
from pathlib import Path

import pytest

from influpath.experiments.run import Run

from .tiny_run import TRACEBACK, Outcome


def test_a_run_prints_table_example_and_where_things_are(finished: Path) -> None:
    printed = (finished / "printed.txt").read_text()
    for words in ("judged by", "irn", "oracle", "log(PPL)", "user u0", "main.json"):
        assert words in printed
    assert printed.endswith(f"report: {finished / 'report.html'}\n")
    assert "<svg" in (finished / "report.html").read_text()
    assert "judge" in (finished / "run.log").read_text()


def test_expensive_planners_are_on_the_subset_and_random_ones_have_a_spread(finished: Path) -> None:
    document = json.loads((finished / "main.json").read_text())
    sizes = {label: row["sr"]["n"] for label, row in document["planners"].items()}
    assert sizes["lookahead/sasrec"] == sizes["oracle"] == 20
    assert {sizes[label] for label in ("irn", "mst", "direct")} == {document["pairs"]}
    assert set(document["subset"]["planners"]) == set(sizes)
    spread = document["spread"]["mst"]
    assert spread["seeds"] == [0, 1, 2]
    assert len(spread["sr"]["by_seed"]) == 3
    # The table shows the first seed.
    assert spread["sr"]["by_seed"][0] == pytest.approx(document["planners"]["mst"]["sr"]["mean"])
    assert set(document["next_item"]) >= {"irn", "lookahead/sasrec"}
    assert "mst" not in document["next_item"]


def test_every_evaluator_judges(finished: Path) -> None:
    document = json.loads((finished / "main.json").read_text())
    assert set(document["judges"]) == {"sasrec", "bert4rec"}
    headline = document["judges"][document["judge"]]
    assert headline["planners"] == document["subset"]["planners"]
    for table in document["judges"].values():
        assert set(table["planners"]) == set(table["calibrated"]) == set(document["planners"])
        irn, calibrated = table["planners"]["irn"], table["calibrated"]["irn"]
        assert irn["ior"] == calibrated["ior"]
        assert irn["log_ppl"] != calibrated["log_ppl"]
        assert table["calibration"]["temperature"] > 0
    across = document["across_judges"]["irn"]["log_ppl"]
    means = [table["planners"]["irn"]["log_ppl"]["mean"] for table in document["judges"].values()]
    assert across["worst"] == max(means)
    assert across["mean"] == pytest.approx(sum(means) / 2)


def test_verify_agrees(finished: Path) -> None:
    outcome = Outcome("verify", finished / "main.json")
    assert outcome.status == 0, outcome.errors
    counts = outcome.output.partition(": ")[2].split()
    assert counts[0] == counts[2]
    assert int(counts[0]) > 200
    # What is not checked is not said to agree.
    assert "Not recomputed, as what they rest on is not kept: dial_choice, frontier, spread." in (
        outcome.output
    )


def test_verify_says_what_a_reproduced_table_is(tmp_path: Path) -> None:
    (tmp_path / "table-3.json").write_text('{"format": "influpath-reproduction-1"}')
    outcome = Outcome("verify", tmp_path / "table-3.json")
    assert outcome.status == 2
    assert "is a table or figure of `influpath reproduce`" in outcome.errors


def test_a_run_without_irn_is_refused_before_anything_is_trained(
    config: Path, tmp_path: Path
) -> None:
    text = config.read_text().replace('"irn", "vanilla/sasrec"', '"vanilla/sasrec"')
    changed = tmp_path / "changed.toml"
    changed.write_text(text)
    outcome = Outcome("--quiet", "run", changed, "--runs-dir", tmp_path / "runs")
    assert outcome.status == 2
    assert "planners must have irn" in outcome.errors
    assert len(outcome.errors.splitlines()) == 1
    assert not list((tmp_path / "runs").glob("*/models/*"))


def copy_of(finished: Path, folder: Path) -> Path:
    shutil.copytree(finished / "main", folder / "main")
    shutil.copy(finished / "main.json", folder)
    return folder / "main.json"


def test_verify_finds_a_changed_figure(finished: Path, tmp_path: Path) -> None:
    result = copy_of(finished, tmp_path)
    document = json.loads(result.read_text())
    document["planners"]["irn"]["log_ppl"]["mean"] -= 1
    result.write_text(json.dumps(document))
    outcome = Outcome("verify", result)
    assert outcome.status == 1
    assert "planners.irn.log_ppl.mean" in "".join(outcome.output.split())


def test_verify_refuses_changed_files(finished: Path, tmp_path: Path) -> None:
    result = copy_of(finished, tmp_path)
    with (tmp_path / "main" / "pairs.csv").open("a") as handle:
        handle.write("\n")
    outcome = Outcome("verify", result)
    assert outcome.status == 2
    assert "pairs.csv: was changed" in outcome.errors


def test_a_fault_of_the_program_is_one_sentence_and_a_log(
    finished: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(run: Run) -> None:
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr("influpath.experiments.result.sweep_dials", broken)
    outcome = Outcome("--quiet", "run", config, "--runs-dir", finished.parent)
    assert outcome.status == 1
    assert outcome.errors.startswith("influpath: an unexpected ZeroDivisionError occurred")
    assert str(finished / "run.log") in outcome.errors
    assert len(outcome.errors.splitlines()) == 1
    log = (finished / "run.log").read_text()
    assert TRACEBACK in log
    assert "on purpose" in log


def test_a_fault_outside_a_run_goes_to_a_file_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    import influpath.data

    def broken(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(influpath.data, "load_dataset", broken)
    outcome = Outcome("data", "stats", "simulated")
    assert outcome.status == 1
    log = Path(outcome.errors.partition("report it with ")[2].partition(",")[0])
    assert TRACEBACK in log.read_text()
    log.unlink()
