"""A whole run: parts, resuming, the document, tables and pictures."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from influpath.benchmarks.bench import Bench
from influpath.benchmarks.config import (
    PARTS,
    SHIPPED_DIALS,
    BenchConfig,
    Growth,
    bench_config,
    chosen_parts,
)
from influpath.benchmarks.figure import draw_bench
from influpath.benchmarks.growth import exponents, measure_growth, measure_point, points
from influpath.benchmarks.reach import Curve, listed_share
from influpath.benchmarks.tables import bench_tables
from influpath.cli.main import app
from influpath.data.dataset import Dataset
from influpath.data.splits import leave_last_out
from influpath.errors import ConfigError, DataError, ResultError
from influpath.planning.irn import IRNDials

QUICK_PARTS = ("training", "planning", "judging")


@pytest.fixture(scope="module")
def made(
    small: BenchConfig, tiny: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Bench, dict[str, Any]]:
    """A run of the parts that need no processes of their own."""
    out = tmp_path_factory.mktemp("bench") / "bench.json"
    run = Bench(small, tiny, out, folder=out.parent)
    return run, run.run(QUICK_PARTS)


def test_every_part_has_figures_ratios_and_shares(made: tuple[Bench, dict[str, Any]]) -> None:
    run, document = made
    assert json.loads(run.out.read_text()) == document
    for name in QUICK_PARTS:
        for row in document["parts"][name]["rows"]:
            assert row["value"] > 0
            assert len(row["samples"]) == run.config.repeats
            assert (row["ratio"] is None) == (row["reference"] is None)
            assert all(share > 0 for share in (row["share_of_peak"] or {}).values())
    # Without the libraries their ratios are left out; all others are there.
    assert {"train_irn", "plan_irn", "plan_irn_shipped", "judge_sasrec"} <= set(document["ratios"])
    assert "train_sasrec_vs_recbole" not in document["ratios"]
    assert set(document["minutes"]) >= {"path_table", "path_table_bert4rec"}
    assert document["environment"]["threads"] == 1
    assert document["config"]["repeats"] == 2


def test_what_was_measured_is_kept(
    made: tuple[Bench, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, document = made

    def refuse(self: Bench, name: str, work: Path) -> dict[str, Any]:
        raise AssertionError(f"{name} was measured again")

    monkeypatch.setattr(Bench, "measure", refuse)
    assert run.run(QUICK_PARTS) == document
    with pytest.raises(AssertionError, match="planning was measured again"):
        run.run(("planning",), again=True)
    other = Bench(run.config.model_copy(update={"seed": 7}), run.dataset, run.out, run.folder)
    with pytest.raises(AssertionError, match="training was measured again"):
        other.run(QUICK_PARTS)
    # What failed left the file as it was.
    assert json.loads(run.out.read_text()) == document


def test_a_part_that_cannot_be_measured_is_named_and_tried_again(
    small: BenchConfig, tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Bench(small, tiny, tmp_path / "bench.json", tmp_path)
    reason = "the data is " + tiny.name
    assert reason in run.run(("reach",))["parts"]["reach"]["skipped"]

    def measure(self: Bench, name: str, work: Path) -> dict[str, Any]:
        if name == "judging":
            raise DataError("no data.")
        return {"rows": [], "ratios": {"a": 1.5, "b": None}}

    monkeypatch.setattr(Bench, "measure", measure)
    document = run.run(("judging", "reach"))
    assert document["parts"]["judging"]["skipped"] == "no data."
    assert "skipped" not in document["parts"]["reach"]
    assert document["ratios"] == {"a": 1.5}
    assert list(run.run(("training",))["parts"]) == ["training", "judging", "reach"]


def test_another_file_is_not_overwritten(small: BenchConfig, tiny: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "main.json"
    out.write_text('{"format": "something else"}')
    with pytest.raises(ResultError, match=r"no result of influpath bench"):
        Bench(small, tiny, out, tmp_path).run(())
    assert "something else" in out.read_text()


def test_parts_and_settings_are_checked() -> None:
    assert chosen_parts([]) == PARTS
    assert chosen_parts(["growth", "training"]) == ("training", "growth")
    with pytest.raises(ConfigError, match="'speed'"):
        chosen_parts(["speed"])
    assert (bench_config(True, {}).repeats, bench_config(True, {"repeats": 3}).repeats) == (1, 3)
    assert bench_config(False, {}) == BenchConfig()
    with pytest.raises(ConfigError, match="repeats"):
        bench_config(False, {"repeats": 0})


def test_growth_is_measured_in_processes(small: BenchConfig, tmp_path: Path, tiny: Dataset) -> None:
    growth = Growth(
        **{"users": (25,), "items": (), "lengths": (), "base_items": 60, "base_length": 20},
        **{"batches": 2, "pairs": 2},
    )
    config = small.model_copy(update={"growth": growth})
    part = measure_growth(config)
    assert [(row["work"], row["users"], row["items"]) for row in part["rows"]] == [
        ("training", 25, 60),
        ("planning", 25, 60),
    ]
    for row in part["rows"]:
        assert row["error"] is None
        assert row["value"] > 0
        assert 0.05 < row["peak_gib"] < 4
    # A size that no machine has ends in an error, not in an end.
    point = {"work": "training", "users": 10**15, "items": 60, "length": 20}
    assert list(measure_point(point, config)) == ["error"]


def test_points_change_one_thing_at_a_time() -> None:
    config = BenchConfig()
    base = {"users": 1_000, "items": 2_000, "length": 24}
    for axis, size, point in points(config):
        assert point == {**base, axis: size}


def test_exponents_are_slopes() -> None:
    rows = [
        {"axis": "items", "work": work, "size": n, "value": rate(n), "peak_gib": 0.5 * n**0.5}
        for n in (1_000, 10_000, 100_000)
        for work, rate in (("training", lambda n: 1e9 / n), ("planning", lambda n: 40.0))
    ]
    found = exponents(rows)
    assert found["training_time_items"] == 1.0
    assert found["planning_time_items"] == 0.0
    assert found["training_memory_items"] == 0.5


def test_shipped_dials_are_those_of_the_published_result() -> None:
    result = Path(__file__).parents[2] / "results" / "ml-1m" / "main.json"
    chosen = json.loads(result.read_text(encoding="utf-8"))["dials"]["irn"]
    assert IRNDials.parse(chosen, "chosen") == IRNDials.parse(SHIPPED_DIALS, "shipped")


def test_a_curve_ends_at_the_goal_or_at_the_cap() -> None:
    own, slow, lost = (Curve(name, 0.25, 60.0) for name in ("SASRec", "slow", "lost"))
    assert [own.add(4.0, 0.1), own.add(6.0, 0.26)] == [False, True]
    assert [slow.add(30.0, 0.2), slow.add(20.0, 0.25)] == [False, True]
    assert [lost.add(30.0, 0.1), lost.add(35.0, 0.2)] == [False, True]
    assert (own.row(own)["ratio"], slow.row(own)["ratio"]) == (None, 5.0)
    row = lost.row(own)
    assert (row["ratio"], row["reached"]) == (6.5, False)
    assert "lower bound" in row["note"]
    assert own.row(lost)["ratio"] is None


def test_listed_items_are_counted(tiny: Dataset) -> None:
    split = leave_last_out(tiny)
    held = {str(row): [0, int(item)] for row, item in enumerate(split.held_out)}
    assert listed_share(held, split) == 1.0
    half = dict(list(held.items())[: len(held) // 2])
    assert listed_share(half, split) == pytest.approx(len(half) / len(held))


DOCUMENT: dict[str, Any] = {
    "ratios": {"train_irn": 9.5, "plan_irn": 84.0, "start_import": 3.0},
    "minutes": {"path_table": 2.5},
    "parts": {
        "growth": {
            "rows": [
                {
                    **{"axis": axis, "size": size, "work": work, "unit": "x/s", "ratio": None},
                    **{"value": 1e4 / size, "peak_gib": 0.4, "reference": None, "error": None},
                }
                for axis in ("users", "items", "length")
                for size in (100, 1_000)
                for work in ("training", "planning")
            ]
        },
        "reach": {"skipped": "no real data."},
        "serving": {
            "rows": [],
            "requests": {
                kind: {"over_time": [{"from_second": 0.0, "requests": 9, "p50": 3.0, "p99": 70.0}]}
                for kind in ("next", "feedback", "healthz")
            },
        },
    },
}


def test_the_picture_names_what_it_shows(tmp_path: Path) -> None:
    svg, png = tmp_path / "bench.svg", tmp_path / "bench.png"
    assert draw_bench(DOCUMENT, [svg, png])
    text = svg.read_text()
    for shown in ("train IRN, the paper's size", "84 ×", "peak memory, GiB", "feedback, p99"):
        assert shown in text
    # How long a start takes is no ratio of speeds.
    assert "3 ×" not in text
    assert png.read_bytes().startswith(b"\x89PNG")
    before = svg.read_bytes()
    assert draw_bench(DOCUMENT, [svg])
    assert svg.read_bytes() == before
    assert not draw_bench({"ratios": {}, "parts": {}}, [tmp_path / "none.svg"])
    assert not (tmp_path / "none.svg").exists()


def test_tables_say_what_was_measured_and_left_out(made: tuple[Bench, dict[str, Any]]) -> None:
    console = Console(width=160, record=True, file=io.StringIO())
    for table in [*bench_tables(made[1]), *bench_tables(DOCUMENT)]:
        console.print(table)
    text = console.export_text()
    for shown in ("straightforward IRN", "GFLOP/s", "path_table", "no real data.", "1,000 items"):
        assert shown in text


def test_the_command_writes_result_and_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def measure(self: Bench, name: str, work: Path) -> dict[str, Any]:
        asked.append(name)
        return {"rows": [], "ratios": {"train_irn": 2.0}}

    monkeypatch.setattr(Bench, "measure", measure)
    out = tmp_path / "bench.json"
    world = [f"--data-option={key}={value}" for key, value in {"users": 30, "items": 160}.items()]
    arguments = ["bench", "--data", "simulated", *world, "--only", "planning", "--out", str(out)]
    result = CliRunner().invoke(app, [*arguments, "--references", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert asked == ["planning"]
    assert json.loads(out.read_text())["ratios"] == {"train_irn": 2.0}
    assert out.with_suffix(".svg").is_file()
    assert out.with_suffix(".png").is_file()
    wrong = CliRunner().invoke(app, ["bench", "--only", "nothing"])
    assert wrong.exit_code == 2
    assert "no part 'nothing'" in wrong.output
