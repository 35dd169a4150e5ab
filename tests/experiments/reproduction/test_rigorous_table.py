"""The rigorous table: every judge, strata that add up, words that claim no more than intervals."""

import copy
import re
from itertools import pairwise
from typing import Any

import pytest

from influpath.errors import ResultError
from influpath.experiments.reproduction.bench import Bench
from influpath.experiments.reproduction.markdown import listed
from influpath.experiments.reproduction.recipes.rigorous_table import RigorousTable, handful
from influpath.experiments.reproduction.recipes.table_3 import Table3
from influpath.experiments.reproduction.strata_words import lead_in, limits, of_stratum, rows_of
from influpath.files import read_json


@pytest.fixture(scope="module")
def document(stages: Any) -> dict[str, Any]:
    """The document of the rigorous table."""
    found: dict[str, Any] = read_json(stages.path(RigorousTable()), ResultError)
    return found


@pytest.fixture(scope="module")
def bench(stages: Any) -> Bench:
    """The bench of the tiny reproduction."""
    found: Bench = stages.benches[0]
    return found


def test_every_judge_rates_every_planner(document: dict[str, Any], bench: Bench) -> None:
    result = document["result"]
    assert list(result["judges"]) == [model.name for model in bench.evaluators]
    for table in result["judges"].values():
        assert list(table["planners"]) == list(bench.config.planners)
        assert table["pairs"] == bench.subset.height == 20
        assert set(table["differences"]) == {
            f"irn - {label}" for label in bench.config.planners if label != "irn"
        }
        for name, row in table["differences"].items():
            other = table["planners"][name.partition(" - ")[2]]
            for metric, at in row.items():
                gap = table["planners"]["irn"][metric]["mean"] - other[metric]["mean"]
                assert at["mean"] == pytest.approx(gap, abs=1e-9)
        # The oracle looks through the judge that rates it: it shows nothing beyond its top 20.
        assert table["planners"]["oracle"]["acceptance@20"]["mean"] == 1
        assert table["planners"]["irn"]["repeat_rate"]["mean"] == 0
        assert 0 < table["coverage"]["irn"] <= 1


def test_the_headline_judge_says_what_table_3_says(document: dict[str, Any], stages: Any) -> None:
    table_3 = read_json(stages.path(Table3()), ResultError)["result"]
    headline = document["result"]["judges"][document["result"]["judge"]]
    for label, row in headline["planners"].items():
        assert row == table_3["subset"]["planners"][label]


def test_worst_and_mean_are_over_the_judges(document: dict[str, Any]) -> None:
    result = document["result"]
    means = [table["planners"]["irn"]["log_ppl"]["mean"] for table in result["judges"].values()]
    across = result["across_judges"]["irn"]["log_ppl"]
    assert across["worst"] == max(means)
    assert across["mean"] == pytest.approx(sum(means) / len(means))


def test_strata_part_all_report_pairs_and_the_subset(
    document: dict[str, Any], bench: Bench, stages: Any
) -> None:
    table_3 = read_json(stages.path(Table3()), ResultError)["result"]
    strata = document["result"]["strata"]
    assert len(strata) == 3
    for one in strata:
        parts = one["strata"]
        assert sum(part["n"] for part in parts) == bench.report_pairs.height
        assert sum(part["subset"]["n"] for part in parts) == bench.subset.height
        assert set(parts[0]["planners"]) == set(bench.config.whole_planners)
        assert set(parts[0]["subset"]["planners"]) == set(bench.config.planners)
        for label in bench.config.whole_planners:
            for metric in ("sr", "ioi"):
                total = sum(p["planners"][label][metric]["mean"] * p["n"] for p in parts)
                whole = table_3["planners"][label][metric]["mean"]
                assert total / bench.report_pairs.height == pytest.approx(whole, abs=1e-9)
        # No number lies between two strata.
        for before, after in pairwise(parts):
            assert after["from"] == before["to"] + 1
        assert parts[0]["from"] is parts[-1]["to"] is None


def test_the_handful_has_irn_the_best_of_each_family_vanilla_and_oracle(
    document: dict[str, Any],
) -> None:
    chosen = handful(document["result"])
    assert chosen[0] == "irn"
    assert chosen[-1] == "oracle"
    families = [label.partition("/")[0] for label in chosen]
    assert len(set(families)) == len(families) == 6
    assert families[-2] == "vanilla"
    assert "direct" not in families
    rows = document["result"]["judges"][document["result"]["judge"]]["planners"]
    # By hand: the best rival of all has the highest accepted SR@20, then IoI.
    rivals = {
        label: (row["accepted_sr@20"]["mean"], row["ioi"]["mean"])
        for label, row in rows.items()
        if label.partition("/")[0] not in ("irn", "vanilla", "direct", "oracle")
    }
    assert rivals[chosen[1]] == max(rivals.values())
    smallest = copy.deepcopy(document["result"])
    for table in smallest["judges"].values():
        table["planners"] = {"irn": table["planners"]["irn"]}
    assert handful(smallest) == ["irn"]


def test_planners_of_the_subset_stand_with_their_own_count(document: dict[str, Any]) -> None:
    stratum = document["result"]["strata"][0]["strata"][0]
    assert of_stratum(stratum, "irn") == (stratum["planners"]["irn"], stratum["n"])
    row, count = of_stratum(stratum, "oracle")
    assert row == stratum["subset"]["planners"]["oracle"]
    assert count == stratum["subset"]["n"] < stratum["n"]


def test_words_print_thresholds_counts_and_every_judge(document: dict[str, Any]) -> None:
    words = RigorousTable().words(document)
    for name in document["result"]["judges"]:
        assert f"#### Judge {name}" in words
    for one in document["result"]["strata"]:
        assert f"#### By {one['quantity']}" in words
        for part in one["strata"]:
            row = f"| {part['name']}: {limits(part)} | irn | {part['n']:,} |"
            assert row in words
    assert not re.search(r"-0(\.0+)?(?![\d.])", words)


def test_a_claim_over_all_judges_needs_every_judge(document: dict[str, Any]) -> None:
    changed = copy.deepcopy(document)
    tables = list(changed["result"]["judges"].values())
    for table in tables:
        for row in table["differences"].values():
            row["ioi"]["ci95"] = [0.1, 0.2]
    others = len(tables[0]["differences"])
    sentence = "IoI: better than {} of {} planners under every judge"
    assert sentence.format(others, others) in RigorousTable().words(changed)
    # One judge that is not sure is enough to take it back.
    tables[-1]["differences"]["irn - direct"]["ioi"]["ci95"] = [-0.1, 0.2]
    assert sentence.format(others - 1, others) in RigorousTable().words(changed)


def test_what_the_subset_alone_has_is_compared_there(document: dict[str, Any]) -> None:
    """Being above all that was planned on all pairs is no word on the expensive planners."""
    stratum = copy.deepcopy(document["result"]["strata"][0]["strata"][0])
    alone = [label for label in stratum["subset"]["planners"] if label not in stratum["planners"]]
    assert alone
    for metric in ("accepted_sr@20", "ioi"):
        for rows in (stratum["differences"], stratum["subset"]["differences"]):
            for label, row in rows.items():
                row[metric]["ci95"] = [-0.2, -0.1] if label in alone else [0.1, 0.2]
    count = len(stratum["differences"])
    assert lead_in(stratum) == (
        f"{stratum['name']}: accepted SR@20 better than {count} of {count}; IoI better than {count}"
        f" of {count}. On {stratum['subset']['n']} pairs of the fixed subset: accepted SR@20 worse "
        f"than {listed(alone)}; IoI worse than {listed(alone)}."
    )
    names = [(name, n) for name, _, n in rows_of(stratum, ["irn", "direct", *alone])]
    assert names[:3] == [
        ("irn", stratum["n"]),
        ("irn, fixed subset", stratum["subset"]["n"]),
        ("direct", stratum["n"]),
    ]
    assert [name for name, _, _ in rows_of(stratum, ["irn", "direct"])] == ["irn", "direct"]


def test_an_empty_stratum_is_drawn_and_told_as_empty(document: dict[str, Any]) -> None:
    changed = copy.deepcopy(document)
    part = changed["result"]["strata"][1]["strata"][2]
    nowhere = {"mean": None, "ci95": [None, None], "n": 0}
    for where in (part, part["subset"]):
        where["n"] = 0
        for rows in (where["planners"], where["differences"]):
            for row in rows.values():
                row.update(dict.fromkeys(row, nowhere))
    figure = RigorousTable().draw(changed)
    assert figure is not None
    assert [axes.get_title(loc="left") for axes in figure.axes][2] == "by items in the history"
    assert f"| {part['name']}: {limits(part)} | irn | 0 |  |  |  |  |" in RigorousTable().words(
        changed
    )


def test_limits_are_said_in_full() -> None:
    assert limits({"from": None, "to": 100}) == "up to 100"
    assert limits({"from": 101, "to": 1000}) == "101 to 1,000"
    assert limits({"from": 1001, "to": None}) == "from 1,001"
    assert limits({"from": 5, "to": 4}) == "no number"
