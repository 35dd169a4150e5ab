"""Tables III, IV and V: the numbers are those of the paths, the words those of the numbers."""

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from influpath.errors import ConfigError, ResultError
from influpath.evaluation import evaluate
from influpath.experiments import reported
from influpath.experiments.planner_next_item import next_item, ranks_under
from influpath.experiments.reproduction.bench import Bench
from influpath.experiments.reproduction.config import ReproductionConfig
from influpath.experiments.reproduction.planner_rows import printed_planners
from influpath.experiments.reproduction.recipes.table_3 import NEUTRAL_ROW, Table3, genre_twins
from influpath.experiments.reproduction.recipes.table_4 import TUNED, Table4, printed_cost
from influpath.experiments.reproduction.recipes.table_5 import Table5, mask_settings
from influpath.experiments.result import next_item_scores
from influpath.experiments.run import NEUTRAL
from influpath.files import read_json
from influpath.irn.model import IRN
from influpath.testing import tiny_dataset


@pytest.fixture(scope="module")
def bench(stages: Any) -> Bench:
    """The bench of the tiny reproduction."""
    found: Bench = stages.benches[0]
    return found


@pytest.fixture(scope="module")
def table_3(stages: Any) -> dict[str, Any]:
    """The document of Table III."""
    found: dict[str, Any] = read_json(stages.path(Table3()), ResultError)
    return found


@pytest.fixture(scope="module")
def table_4(stages: Any) -> dict[str, Any]:
    """The document of Table IV."""
    found: dict[str, Any] = read_json(stages.path(Table4()), ResultError)
    return found


@pytest.fixture(scope="module")
def table_5(stages: Any) -> dict[str, Any]:
    """The document of Table V."""
    found: dict[str, Any] = read_json(stages.path(Table5()), ResultError)
    return found


def as_if_paper(document: dict[str, Any], dataset: str = "ml-1m") -> dict[str, Any]:
    """Return a document as if its data and M were the paper's."""
    changed = copy.deepcopy(document)
    changed["dataset"] = dataset
    changed["config"]["max_length"] = 20
    return changed


def cells(words: str, first: str, at: int = 0) -> list[str]:
    """Return the cells of one of the table rows that begin with a name, by default the first."""
    row = [line for line in words.splitlines() if line.startswith(f"| {first} |")][at]
    return [cell.strip() for cell in row.strip("|").split("|")]


# Table III ------------------------------------------------------------------------------------


def test_table_3_is_a_plain_evaluation_of_every_planner(
    table_3: dict[str, Any], bench: Bench
) -> None:
    result, config = table_3["result"], bench.config
    assert set(result["planners"]) == {*config.planners, NEUTRAL_ROW}
    assert set(result["subset"]["planners"]) == set(result["planners"])
    for label in config.planners:
        whole = label not in config.subset_planners
        pairs = bench.report_pairs if whole else bench.subset
        paths = bench.paths(label, pairs, bench.dials_of(label), bench.judge)
        expected = evaluate(bench.judge, pairs, paths, bench.split.train, config.seed).to_dict()
        assert result["planners"][label] == expected["planners"]["planner"]
        assert result["coverage"][label] == expected["coverage"]["planner"]
        assert result["planners"][label]["sr"]["n"] == pairs.height
        assert result["subset"]["planners"][label]["sr"]["n"] == bench.subset.height
    neutral = bench.judge_rows("irn", bench.report_pairs, NEUTRAL)
    assert result["planners"][NEUTRAL_ROW] == neutral
    assert result["dials"]["irn"] == bench.dial_choice["chosen"]


def test_table_3_compares_on_equal_pairs(table_3: dict[str, Any]) -> None:
    result = table_3["result"]
    for differences, rows in (
        (result["differences"], result["planners"]),
        (result["subset_differences"], result["subset"]["planners"]),
        (result["rec2inf_differences"], result["planners"]),
    ):
        assert differences
        for name, row in differences.items():
            a, b = name.split(" - ")
            for metric, at in row.items():
                assert at["n"] == rows[a][metric]["n"]
                gap = rows[a][metric]["mean"] - rows[b][metric]["mean"]
                assert at["mean"] == pytest.approx(gap, abs=1e-9)
    assert set(result["rec2inf_differences"]) == {
        "rec2inf/pop - vanilla/pop",
        "rec2inf/sasrec - vanilla/sasrec",
    }
    # The expensive planners are compared on the subset alone.
    extra = set(result["subset_differences"]) - set(result["differences"])
    assert extra == {"irn - lookahead/sasrec", "irn - oracle"}


def test_table_3_stands_beside_the_paper_in_its_order(table_3: dict[str, Any]) -> None:
    words = Table3().words(as_if_paper(table_3))
    assert cells(words, "irn")[3::2][:3] == ["0.259", "2.61", "804.7"]
    assert cells(words, NEUTRAL_ROW)[3] == "0.259"
    assert cells(words, "dijkstra")[3] == "0.069"
    assert cells(words, "bridge")[3] == ""
    lines = [line.split("|")[1].strip() for line in words.splitlines() if line.startswith("| ")]
    planners = lines[: lines.index("", 1)]
    known = [
        *("dijkstra", "mst", "vanilla/pop", "vanilla/sasrec", "rec2inf/pop", "rec2inf/sasrec"),
        *("irn", NEUTRAL_ROW),
    ]
    assert planners[1 : 1 + len(known)] == known
    assert "rank correlation" in words
    assert "paper prints SR 0.069 for Dijkstra" in words
    # Without the paper's data, or at another M, none of its figures is there.
    assert "paper" not in Table3().words(table_3).replace("The paper's IRN has", "")
    other = as_if_paper(table_3)
    other["config"]["max_length"] = 10
    assert "804.7" not in Table3().words(other)
    assert "artist" in Table3().words(as_if_paper(table_3, "lastfm"))


def test_table_3_says_what_finds_no_path(table_3: dict[str, Any]) -> None:
    broken = as_if_paper(table_3)
    row = broken["result"]["planners"]["mst"]
    nowhere = {"mean": None, "ci95": [None, None], "n": 0}
    row["log_ppl"], row["worst_step"] = nowhere, nowhere
    words = Table3().words(broken)
    assert f"mst finds no path for {row['sr']['n']} pair(s)" in words
    assert cells(words, "mst")[8:10] == ["", "8.47"]
    assert cells(words, "mst")[-1] == ""
    # The others still have an order.
    assert float(cells(words, "log(PPL)", -1)[3]) <= 1
    assert Table3().draw(broken).axes


def test_table_3_draws_the_papers_figures_hollow(table_3: dict[str, Any]) -> None:
    document = as_if_paper(table_3)
    figure = Table3().draw(document)
    printed = printed_planners("ml-1m", 20)
    known = [label for label in document["result"]["planners"] if label in printed]
    for axes, metric in zip(figure.axes, ("sr", "ioi", "log_ppl"), strict=False):
        hollow = [line for line in axes.get_lines() if line.get_fillstyle() == "none"]
        values = sorted(np.asarray(line.get_xdata()).item() for line in hollow)
        # IRN has two rows.
        expected = [printed[label][metric] or 0.0 for label in [*known, "irn"]]
        assert values == pytest.approx(sorted(expected))
    names = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert "oracle (n = 20)" in names
    assert "irn" in names
    plain = Table3().draw(table_3)
    assert not [line for line in plain.axes[0].get_lines() if line.get_fillstyle() == "none"]


def test_genre_twins_have_exactly_the_same_genres() -> None:
    dataset = tiny_dataset(items=5)
    assert genre_twins(dataset) is None
    genres = pl.Series([["A", "B"], ["B", "A"], ["A"], None, ["A", "B"]])
    dataset = replace(dataset, catalogue=dataset.catalogue.with_columns(genres=genres))
    # Three share two genres, each with two others; one of the four is alone.
    assert genre_twins(dataset) == pytest.approx(6 / 4)


# Table IV -------------------------------------------------------------------------------------


def test_table_4_never_has_the_held_out_item_as_objective(bench: Bench) -> None:
    objectives = bench.dataset.items.encode(bench.pairs["objective_id"].to_list())
    assert (objectives != bench.split.held_out).all()


def test_table_4_has_the_ranks_of_a_run(table_4: dict[str, Any], bench: Bench) -> None:
    rows, seed = table_4["result"]["rows"], bench.config.seed
    ranks = next_item(bench)
    same = {
        "irs/irn": "irn",
        TUNED: "irn at its dials",
        "irs/sasrec": "rec2inf/sasrec",
        f"next-item/{bench.judge.name}": "evaluator",
    }
    for name, key in same.items():
        assert rows[name] == next_item_scores(ranks[key], seed)
    assert [name for name in rows if name.startswith("next-item/")] == [
        *("next-item/gru4rec", "next-item/sasrec", "next-item/bert4rec")
    ]
    alone = table_4["result"]["alone"]
    assert alone["irs/sasrec"] == next_item_scores(ranks["vanilla/sasrec"], seed)
    for name, row in table_4["result"]["differences"].items():
        for metric, at in row.items():
            gap = rows[name][metric] - alone[name][metric]
            assert at["mean"] == pytest.approx(gap, abs=1e-9)
            assert at["n"] == table_4["result"]["users"] == 80


def test_the_objective_hidden_has_no_say(bench: Bench) -> None:
    hidden = {**NEUTRAL, "guidance": 0.0}
    before = ranks_under(bench, "irn", hidden)
    other = Bench(bench.config, bench.data_dir, bench.root)
    moved = bench.pairs["objective_id"].gather((np.arange(bench.pairs.height) + 1) % 80)
    other.__dict__["pairs"] = bench.pairs.with_columns(objective_id=moved)
    assert ranks_under(other, "irn", hidden).tolist() == before.tolist()


def test_table_4_words_stand_beside_the_paper(table_4: dict[str, Any]) -> None:
    words = Table4().words(as_if_paper(table_4))
    assert cells(words, "irs/irn")[2::2] == ["0.242", "0.073"]
    assert cells(words, TUNED)[2::2] == ["", ""]
    # 0.242 of BERT4Rec's 0.264, and 0.073 of its 0.081.
    assert "(the paper: 92%, of bert4rec)" in words
    assert "(the paper: 90%, of bert4rec)" in words
    printed = reported.rows("table_4_next_item", "ml-1m")
    assert printed_cost(printed, "irs/gru4rec", "hr@20") == "-18.5"
    # IRN is compared with BERT4Rec, as the paper does.
    assert printed_cost(printed, "irs/irn", "hr@20") == "-8.3"
    assert printed_cost(printed, TUNED, "hr@20") == ""
    assert "paper" not in Table4().words(table_4).replace("paper's setting", "")


def test_table_4_has_only_planners_of_the_configuration(bench: Bench) -> None:
    config = bench.config.model_copy(update={"planners": ("direct",)})
    other = Bench(config, bench.data_dir, bench.root)
    result = Table4().compute(other)
    assert all(name.startswith("next-item/") for name in result["rows"])
    assert not result["differences"]
    assert "objective costs" not in Table4().words({"result": result, "dataset": "simulated"})


# Table V --------------------------------------------------------------------------------------


def test_table_5_compares_three_trainings_at_the_same_dials(
    table_5: dict[str, Any], table_3: dict[str, Any], bench: Bench
) -> None:
    result, rows = table_5["result"], table_3["result"]["planners"]
    assert result["masks"]["type-3"]["chosen"] == rows["irn"]
    assert result["masks"]["type-3"]["neutral"] == rows[NEUTRAL_ROW]
    assert result["dials"] == {"neutral": NEUTRAL, "chosen": bench.dials_of("irn")}
    for mask, number in (("type-1", 1), ("type-2", 2)):
        variant = bench.variant(mask)
        assert variant.models["irn"].config.model_dump()["mask_type"] == number
        for setting, dials in result["dials"].items():
            # Never at dials of its own.
            expected = variant.judge_rows("irn", bench.report_pairs, dials)
            assert result["masks"][mask][setting] == expected
            for metric, at in result["differences"][setting][f"type-3 - {mask}"].items():
                own = result["masks"]["type-3"][setting][metric]["mean"]
                gap = own - result["masks"][mask][setting][metric]["mean"]
                assert at["mean"] == pytest.approx(gap, abs=1e-9)


def test_table_5_has_the_spread_of_the_personal_weight(
    table_5: dict[str, Any], bench: Bench
) -> None:
    model = bench.models["irn"]
    assert isinstance(model, IRN)
    weights = model.impressionability().numpy().astype(np.float64)
    found = table_5["result"]["impressionability"]
    assert found == {
        "mean": pytest.approx(weights.mean()),
        "sd": pytest.approx(weights.std(ddof=1)),
        "users": 80,
    }
    assert f"r_u has mean {weights.mean():.3f}" in Table5().words(table_5)


def test_table_5_needs_its_variants(tiny_config: ReproductionConfig) -> None:
    def without(changes: dict[str, Any]) -> ReproductionConfig:
        return tiny_config.model_copy(update={"variants": {**tiny_config.variants, **changes}})

    missing = {k: v for k, v in tiny_config.variants.items() if k != "type-2"}
    with pytest.raises(ConfigError, match="'type-2'"):
        Table5().settings(tiny_config.model_copy(update={"variants": missing}))
    with pytest.raises(ConfigError, match=r"variants\.type-1: mask_type is 3"):
        mask_settings(without({"type-1": {"layers": 1}}))


def test_table_5_says_what_the_paper_lost_and_what_differs(table_5: dict[str, Any]) -> None:
    document = as_if_paper(table_5)
    words = Table5().words(document)
    assert cells(words, "type-3, neutral dials")[3:8:2] == ["4.94", "0.259", "2.61"]
    assert cells(words, "type-3, chosen dials")[3:8:2] == ["", "", ""]
    assert "lost SR@M of type-1 and type-2" in words
    assert "lost" not in Table5().words(as_if_paper(table_5, "lastfm"))
    assert "nothing but the mask differs" in words
    document["config"]["masks"]["type-2"]["seed"] = 99
    assert "the trainings differ in seed" in Table5().words(document)


def test_table_5_claims_only_what_excludes_zero(table_5: dict[str, Any]) -> None:
    document = copy.deepcopy(table_5)
    for row in document["result"]["differences"]["neutral"].values():
        for at in row.values():
            at["mean"], at["ci95"] = 1.0, [-0.1, 2.0]
    row = document["result"]["differences"]["neutral"]["type-3 - type-1"]
    row["ioi"]["ci95"], row["log_ppl"]["ci95"] = [0.5, 2.0], [-2.0, -0.1]
    words = Table5().words(as_if_paper(document))
    assert "The paper prints type 3 above" not in Table5().words(document)
    rows = [row for own in document["result"]["differences"].values() for row in own.values()]
    above = sum(row[metric]["ci95"][0] > 0 for row in rows for metric in ("sr", "ioi"))
    assert f"Of the 8 comparisons of type 3 in these two, it is above in {above}, " in words
    assert (
        "At neutral dials, type-3 against type-1: IoI is higher and log(PPL) is lower; "
        "not told apart in SR@M, accepted SR@20, IoR and worst step."
    ) in words
    assert "At neutral dials, type-3 is not told apart from type-2 in any metric." in words
