"""`influpath feasibility`, `audience`, and `plan` for objectives of three kinds."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from .tiny_run import Outcome

DIALS = ("--guidance", "2", "--pace", "1", "--floor", "20", "--max-length", "4")


@pytest.fixture(scope="module")
def calibrated(finished: Path, config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the run's folder after `influpath feasibility`."""
    runs = tmp_path_factory.mktemp("calibrated")
    shutil.copytree(finished, runs / "tiny")
    outcome = Outcome("feasibility", config, "--runs-dir", runs)
    assert outcome.status == 0, outcome.errors
    assert "report pairs, " in outcome.output
    return runs / "tiny"


@pytest.fixture(scope="module")
def guide(calibrated: Path) -> Path:
    """The IRN's folder, with its feasibility."""
    return next((calibrated / "models").glob("model-irn-*"))


@pytest.fixture(scope="module")
def user(calibrated: Path) -> str:
    users: list[str] = pl.read_csv(calibrated / "main" / "pairs.csv")["user_id"].to_list()
    return users[0]


def test_the_result_says_how_far_it_can_be_trusted(calibrated: Path, guide: Path) -> None:
    document = json.loads((calibrated / "feasibility.json").read_text())
    assert document["seed"] == 7
    report = document["report"]
    assert report["n"] == sum(part["happened"]["n"] for part in report["bins"]) == 72
    assert set(document["subset_by_judge"]) == {"sasrec", "bert4rec"}
    assert 10 < document["chosen_members"]["n"] <= 20
    for suffix in (".png", ".svg"):
        assert (calibrated / f"feasibility{suffix}").stat().st_size > 1000
    about = json.loads((guide / "feasibility.json").read_text())
    assert about["logistic"] == document["feasibility"]["logistic"]
    # Each dial user's own objective, one drawn by rank, and the best member of a category.
    assert about["calibrated_to"]["pairs"] == 3 * 8


def test_the_result_is_recomputed(calibrated: Path, tmp_path: Path) -> None:
    outcome = Outcome("verify", calibrated / "feasibility.json")
    assert outcome.status == 0, outcome.output
    document = json.loads((calibrated / "feasibility.json").read_text())
    shutil.copytree(calibrated, tmp_path / "tiny")
    document["report"]["ece"] += 0.1
    (tmp_path / "tiny" / "feasibility.json").write_text(json.dumps(document))
    outcome = Outcome("verify", tmp_path / "tiny" / "feasibility.json")
    assert outcome.status == 1
    assert "report.ece" in outcome.output


def test_a_category_is_planned_with_feasibility_and_reasons(
    guide: Path, world: list[str], user: str, tmp_path: Path
) -> None:
    given = ("plan", "--model", guide, *world, *DIALS, "--user", user, "--min-feasibility", "0")
    outcome = Outcome(*given, "--category", "drama")
    assert outcome.status == 0, outcome.errors
    assert "feasibility 0." in outcome.output.replace("\n", " ")
    assert "% likely" in " ".join(outcome.output.split())
    out = tmp_path / "path.json"
    assert Outcome(*given, "--category", "drama", "--out", out).status == 0
    document = json.loads(out.read_text())
    (plan,) = document["outcomes"]
    assert plan["reachable"] is True
    assert 0 <= plan["feasibility"] <= 1
    assert {"acceptance", "gain", "shared_objective", "near_previous", "reason"} <= set(
        document["steps"][0]
    )


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_pairs_that_are_not_reachable_have_the_reason_instead_of_a_path(
    guide: Path, calibrated: Path, world: list[str], tmp_path: Path, suffix: str
) -> None:
    given = ("plan", "--model", guide, *world, *DIALS, "--pairs", calibrated / "main" / "pairs.csv")
    out = tmp_path / f"paths.{suffix}"
    read = pl.read_csv if suffix == "csv" else pl.read_parquet
    files = ("--out", out, "--no-reasons")
    assert Outcome(*given, "--min-feasibility", "0", *files).status == 0
    middle = read(tmp_path / f"paths-outcomes.{suffix}")["feasibility"].median()
    outcome = Outcome(*given, "--min-feasibility", middle, *files)
    assert outcome.status == 0, outcome.errors
    outcomes, steps = read(tmp_path / f"paths-outcomes.{suffix}"), read(out)
    hopeless = outcomes.filter(~pl.col("reachable"))
    assert hopeless.height == outcomes.height / 2 == 36
    assert hopeless["feasibility"].max() < middle  # type: ignore[operator]
    assert hopeless["note"].str.starts_with("feasibility below 0.").all()
    assert hopeless["length"].sum() == 0
    assert set(steps["pair_id"]) == set(outcomes.filter("reachable")["pair_id"])
    assert steps.columns == ["pair_id", "step", "item_id", "score"]
    assert f"{hopeless.height} objective(s) not reachable" in outcome.output
    shown = Outcome(*given, "--min-feasibility", "1")
    assert "not reachable: feasibility below 1" in " ".join(shown.output.split())


@pytest.mark.parametrize("suffix", ["csv", "parquet", "json"])
def test_the_audience_of_a_set_is_written(
    guide: Path, world: list[str], tmp_path: Path, suffix: str
) -> None:
    out = tmp_path / f"audience.{suffix}"
    given = ("audience", "--model", guide, *world, "--objective-set", "i0001, i0002", "--top", "9")
    outcome = Outcome(*given, "--out", out)
    assert outcome.status == 0, outcome.errors
    assert "of 80 users can be led to" in " ".join(outcome.output.split())
    ranked: pl.DataFrame = getattr(pl, f"read_{suffix}")(out)
    assert ranked.columns == ["user_id", "item_id", "feasibility", "reachable", "rank", "note"]
    assert ranked["rank"].to_list() == list(range(1, 10))
    assert ranked["feasibility"].is_sorted(descending=True)


def test_the_audience_is_printed_with_titles(guide: Path, world: list[str]) -> None:
    given = ("audience", "--model", guide, *world, "--category", "Drama")
    outcome = Outcome(*given)
    assert outcome.status == 0, outcome.errors
    assert "category Drama" in outcome.output
    assert "and 60 more" in outcome.output
    none = Outcome(*given, "--min-feasibility", "1")
    assert "0 of 80 users" in none.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "say where to: --objective"),
        (("--objective", "i0001", "--category", "Drama"), "give one of --objective"),
        (("--objective", "i9"), "item id 'i9' is not in the data"),
        (("--category", "Dramas"), "did you mean 'Drama'?"),
        (("--objective-set", " , "), "names no item"),
        (("--category", "Drama", "--out", "users.xlsx"), "users are written as"),
    ],
)
def test_the_audience_says_what_is_wrong(
    guide: Path, world: list[str], arguments: tuple[str, ...], words: str
) -> None:
    outcome = Outcome("audience", "--model", guide, *world, *arguments)
    assert outcome.status == 2
    assert words in outcome.errors


def test_without_a_feasibility(model: Path, world: list[str], user: str) -> None:
    outcome = Outcome("audience", "--model", model, *world, "--category", "Drama")
    assert outcome.status == 2
    assert "holds no feasibility" in outcome.errors
    given = ("plan", "--model", model, *world, *DIALS, "--user", user, "--category", "Drama")
    assert Outcome(*given, "--min-feasibility", "0.1").status == 2
    outcome = Outcome(*given)
    assert outcome.status == 0, outcome.errors
    assert "feasibility" not in outcome.output


def test_only_a_planner_on_a_model_of_the_run_has_a_feasibility(
    config: Path, calibrated: Path
) -> None:
    outcome = Outcome("feasibility", config, "--runs-dir", calibrated.parent, "--planner", "direct")
    assert outcome.status == 2
    assert "stands on no model of the run tiny" in outcome.errors
