"""`influpath plan` and `influpath evaluate`."""

import json
from pathlib import Path

import polars as pl
import pytest

from .tiny_run import Outcome

DIALS = ("--guidance", "2", "--pace", "1", "--floor", "20", "--max-length", "4")


def test_a_path_for_one_user_is_printed_with_titles(
    model: Path, pairs: Path, world: list[str]
) -> None:
    user, objective = pl.read_csv(pairs).select("user_id", "objective_id").row(0)
    outcome = Outcome(
        "plan", "--model", model, *world, *DIALS, "--user", user, "--objective", objective
    )
    assert outcome.status == 0, outcome.errors
    assert f"irn: user {user} to The " in outcome.output
    assert outcome.output.count("history") == 3


@pytest.mark.parametrize("suffix", ["parquet", "csv", "json"])
def test_planned_files_are_judged_as_in_the_run(
    finished: Path, model: Path, pairs: Path, world: list[str], tmp_path: Path, suffix: str
) -> None:
    out = tmp_path / f"mine.{suffix}"
    outcome = Outcome("plan", "--model", model, *world, *DIALS, "--pairs", pairs, "--out", out)
    assert outcome.status == 0, outcome.errors
    given = ("--judge", finished / "main" / "judge", "--pairs", pairs, *world)
    kept = finished / "main" / "paths" / "vanilla-sasrec.parquet"
    outcome = Outcome("evaluate", *given, "--paths", out, "--paths", f"v={kept}", "--json")
    document = json.loads(outcome.output)
    recorded = json.loads((finished / "main.json").read_text())["planners"]
    for name, label in (("mine", "irn"), ("v", "vanilla/sasrec")):
        for metric in ("sr", "ioi", "log_ppl", "worst_step"):
            mean = document["planners"][name][metric]["mean"]
            assert mean == pytest.approx(recorded[label][metric]["mean"], abs=1e-4)
    assert "log_ppl" in Outcome("evaluate", *given, "--paths", out).output


def test_json_has_the_fields_of_the_contract(
    model: Path, pairs: Path, world: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "paths.json"
    Outcome("plan", "--model", model, *world, *DIALS, "--pairs", pairs, "--out", out)
    document = json.loads(out.read_text())
    assert list(document["steps"][0])[:4] == ["pair_id", "step", "item_id", "score"]
    assert list(document["outcomes"][0]) == ["pair_id", "reached", "length"]


def test_histories_of_a_file_serve_unknown_users_and_report_unknown_items(
    model: Path, tmp_path: Path
) -> None:
    histories = tmp_path / "histories.csv"
    histories.write_text(
        "user_id,item_id,timestamp\nanna,i0003,2\nanna,i0002,1\nanna,never-seen,3\nbo,i0001,1\n"
    )
    wanted = tmp_path / "pairs.csv"
    wanted.write_text("pair_id,user_id,objective_id\n1,anna,i0010\n2,bo,i0020\n")
    given = ("plan", "--model", model, "--histories", histories, *DIALS)
    outcome = Outcome(*given, "--pairs", wanted)
    assert outcome.status == 0, outcome.errors
    assert "1 row(s) left out" in outcome.errors
    first = outcome.output.partition("bo")[0]
    assert first.index("i0002") < first.index("i0003")
    oracle = (*given[:5], "--planner", "oracle", "--k", "3,5", "--user", "bo")
    assert Outcome(*oracle, "--objective", "i0004", "--max-length", "2").status == 0


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--user", "u00001"), "both --user ID and --objective ID"),
        (("--user", "nobody", "--objective", "i0001"), "user id 'nobody' is not in the data"),
        (("--pairs", "missing.csv"), "missing.csv: no such file"),
        (("--pairs", "missing.csv", "--planner", "magic"), "missing.csv: no such file"),
        (("--out", "paths.xlsx"), "paths.xlsx: paths are written as"),
    ],
)
def test_plan_says_what_is_wrong(
    model: Path, world: list[str], more: tuple[str, ...], words: str
) -> None:
    outcome = Outcome("plan", "--model", model, *world, *more)
    assert outcome.status == 2
    assert words in outcome.errors


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--planner", "magic"), "planner 'magic' is not installed"),
        (("--k", "3"), "planner 'irn' has no dial 'k'"),
        (
            ("--planner", "direct", "--pace", "3"),
            "planner 'direct' has no dial 'pace'; it has none",
        ),
        (("--guidance", "much"), "given: 'much'"),
        (("--dial", "guidance"), "must be KEY=VALUE"),
        (("--role", "boss"), "must be report, dial or all"),
    ],
)
def test_plan_says_which_dial_is_wrong(
    model: Path, pairs: Path, world: list[str], more: tuple[str, ...], words: str
) -> None:
    outcome = Outcome("plan", "--model", model, *world, "--pairs", pairs, *more)
    assert outcome.status == 2
    assert words in outcome.errors


def test_pairs_that_do_not_fit(model: Path, world: list[str], tmp_path: Path) -> None:
    wanted = tmp_path / "pairs.csv"
    wanted.write_text("pair_id,user_id,objective_id\n1,u00001,nothing\n")
    outcome = Outcome("plan", "--model", model, *world, "--pairs", wanted)
    assert outcome.status == 2
    assert "pairs.csv" in outcome.errors
    assert "'nothing'" in outcome.errors


def test_paths_that_do_not_fit(
    finished: Path, pairs: Path, world: list[str], tmp_path: Path
) -> None:
    other = tmp_path / "paths.csv"
    other.write_text("pair_id,step,item_id,score\n99999,1,i0001,0.5\n")
    given = ("evaluate", "--judge", finished / "main" / "judge", "--pairs", pairs, *world)
    outcome = Outcome(*given, "--paths", other)
    assert (outcome.status, "holds no path of any" in outcome.errors) == (2, True)
    outcome = Outcome(*given, "--paths", tmp_path / "none.parquet")
    assert (outcome.status, "no such file of paths" in outcome.errors) == (2, True)
    outcome = Outcome(*given, "--paths", other, "--paths", other)
    assert (outcome.status, "the same name" in outcome.errors) == (2, True)
