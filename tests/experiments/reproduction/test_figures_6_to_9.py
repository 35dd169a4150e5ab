"""Figures 6 to 9: what they compute against slow references, and that they say what they found."""

import copy
import json
import math
from typing import Any

import matplotlib as mpl
import numpy as np
import polars as pl
import pytest
import torch
from matplotlib.figure import Figure

from influpath.data.dataset import Dataset
from influpath.data.sequences import Sequences
from influpath.evaluation import judge_paths
from influpath.evaluation.judging import Judgement
from influpath.evaluation.metrics import accepted_success, success_rate
from influpath.experiments.figure_parts import STYLE
from influpath.experiments.reproduction import impressionability as r_u
from influpath.experiments.reproduction.bench import Bench
from influpath.experiments.reproduction.recipe import Recipe
from influpath.experiments.reproduction.recipes import figure_6, figure_7, figure_8, figure_9
from influpath.experiments.reproduction.recipes.figure_6 import Figure6
from influpath.experiments.reproduction.recipes.figure_7 import Figure7
from influpath.experiments.reproduction.recipes.figure_8 import Figure8
from influpath.experiments.reproduction.recipes.figure_9 import Figure9
from influpath.experiments.reproduction.stages import Stages
from influpath.experiments.result import curve_rows
from influpath.experiments.run import NEUTRAL
from influpath.irn.attention_share import objective_share
from influpath.irn.config import IRNConfig
from influpath.irn.examples import InfluenceTask, training_pieces
from influpath.irn.model import IRN
from influpath.irn.window import training_window
from influpath.planning.algorithm import plan
from influpath.planning.parts import PlannerParts
from influpath.planning.paths import Paths
from influpath.recommenders.sasrec import SASRec
from influpath.registry import make_planner
from influpath.testing import tiny_pairs
from influpath.training.loop import validated

RECIPES: list[Recipe] = [Figure6(), Figure7(), Figure8(), Figure9()]


@pytest.fixture(scope="module")
def bench(stages: Stages) -> Bench:
    return stages.benches[0]


def result_of(stages: Stages, recipe: Recipe) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(stages.path(recipe).read_text())
    result: dict[str, Any] = document["result"]
    return result


def drawn(recipe: Recipe, document: dict[str, Any]) -> Figure:
    with mpl.rc_context(STYLE):
        figure = recipe.draw(document)
        assert figure is not None
        figure.canvas.draw()
    return figure


def said_by(figure: Figure) -> str:
    found: list[Any] = figure.findobj(mpl.text.Text)
    return "\n".join(text.get_text() for text in found)


def at(mean: float | None, half: float = 0.1) -> dict[str, Any]:
    ends = [None, None] if mean is None else [mean - half, mean + half]
    return {"mean": mean, "ci95": ends, "n": 50}


def changed(bench: Bench, **values: Any) -> Bench:
    """The same models and paths under another configuration."""
    other = Bench(bench.config.model_copy(update=values), bench.data_dir, bench.root)
    other.workspace = bench.workspace
    return other


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_what_decides_a_figure_is_in_its_settings(recipe: Recipe, stages: Stages) -> None:
    config = stages.config
    same = config.model_copy(update={"workers": 7, "minutes": {}, "retrained_w_t": (5.0,)})
    assert recipe.settings(same) == recipe.settings(config)
    models = {**config.models, "irn": {**config.models["irn"], "layers": 1}}
    for update in ({"seed": 99}, {"pair_share": 0.5}, {"models": models}):
        assert recipe.settings(config.model_copy(update=update)) != recipe.settings(config)
    json.dumps(recipe.settings(config))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_the_picture_says_how_many_and_who_judged(recipe: Recipe, stages: Stages) -> None:
    document = json.loads(stages.path(recipe).read_text())
    said = said_by(drawn(recipe, document))
    if recipe.name == "figure-8":
        assert "n = 80 users" in said
    else:
        pairs = document["result"]["pairs"]
        assert f"{pairs} pairs" in said
        assert f"judge {document['result']['judge']}" in said


@pytest.mark.parametrize(("gain", "said"), [(0.2, "that of rec2inf/sasrec grows"), (0.0, "so it")])
def test_figure_6_says_whether_the_papers_words_hold(gain: float, said: str) -> None:
    grows = {"mean": 0.2, "ci95": [0.1, 0.3], "n": 9}
    own = {"mean": gain, "ci95": [gain - 0.1, gain + 0.1], "n": 9}
    rows = {"irn": grows, figure_6.AT_NEUTRAL: grows, "rec2inf/sasrec": own}
    planners = {label: {"sr": row, "accepted_sr@20": row} for label, row in rows.items()}
    result = {"growth": {"from": 20, "to": 50, "planners": planners}, "differences": {}}
    (sentence,) = [s for s in figure_6.findings(result) if s.startswith("The paper says")]
    assert f"flattens out; here {said}" in sentence or f"flattens out; {said}" in sentence


# Figure 6 -------------------------------------------------------------------------------------


@pytest.mark.parametrize("label", figure_6.BLIND)
@pytest.mark.parametrize("max_length", [1, 2, 5, 8])
def test_cutting_equals_planning_for_those_that_do_not_look_at_m(
    label: str, max_length: int, tiny: Dataset, sasrec: SASRec
) -> None:
    pairs = tiny_pairs(tiny)
    dials = {"k": 6} if label.startswith("rec2inf") else {}
    planner = make_planner(label, PlannerParts({"sasrec": sasrec}, tiny), dials)
    cut = figure_6.cut(plan(planner, pairs, tiny, 8), pairs, max_length)
    anew = plan(planner, pairs, tiny, max_length)
    assert cut.steps.drop("score").equals(anew.steps.drop("score"))
    assert cut.outcomes.equals(anew.outcomes)


def test_cutting_is_not_planning_for_irn(tiny: Dataset, learned_irn: IRN) -> None:
    """It aims at the last slot, so that it has to plan anew."""
    pairs = tiny_pairs(tiny)
    planner = make_planner("irn", PlannerParts({"irn": learned_irn}, tiny), {})
    cut = figure_6.cut(plan(planner, pairs, tiny, 6), pairs, 2)
    assert not cut.steps["item_id"].equals(plan(planner, pairs, tiny, 2).steps["item_id"])


def test_a_path_cut_before_the_objective_is_a_failure() -> None:
    pairs = pl.DataFrame({"pair_id": [7, 8], "user_id": [1, 2], "objective_id": [30, 40]})
    steps = pl.DataFrame(
        {
            "pair_id": [7, 7, 7, 8],
            "step": [1, 2, 3, 1],
            "item_id": [10, 20, 30, 40],
            "score": [0.0] * 4,
        }
    )
    cut = figure_6.cut(Paths.from_steps(steps, pairs), pairs, 2)
    assert cut.outcomes.rows() == [(7, False, 2), (8, True, 1)]
    assert cut.items_of(7) == [10, 20]


def test_figure_6_plans_irn_for_every_m(stages: Stages, bench: Bench) -> None:
    result = result_of(stages, Figure6())
    assert result["lengths"] == [1, 4, 6]
    assert result["left_out"] == []
    assert result["limits"]["horizon"] == 6
    model = bench.variant("window").models["irn"]
    assert model.config.l_max == 14  # type: ignore[attr-defined]
    train = bench.split.train
    for label, dials in ((figure_6.AT_NEUTRAL, NEUTRAL), ("irn", bench.dials_of("irn"))):
        planner = make_planner("irn", PlannerParts({"irn": model}, train), dials)
        for row in result["planners"][label]:
            paths = plan(planner, bench.subset, train, row["length"])
            judgement = judge_paths(bench.judge, bench.subset, paths, train)
            assert row["sr"]["mean"] == pytest.approx(success_rate(judgement).mean())
            assert row["accepted_sr@20"]["mean"] == pytest.approx(
                accepted_success(judgement).mean()
            )
    for label in ("rec2inf/sasrec", "vanilla/sasrec", "dijkstra"):
        rates = [row["sr"]["mean"] for row in result["planners"][label]]
        assert rates == sorted(rates)
    growth = result["growth"]
    assert (growth["from"], growth["to"]) == (4, 6)
    for label, rows in result["planners"].items():
        gain = rows[2]["sr"]["mean"] - rows[1]["sr"]["mean"]
        assert growth["planners"][label]["sr"]["mean"] == pytest.approx(gain)
    for label, differences in result["differences"].items():
        for own, other, found in zip(
            result["planners"]["irn"], result["planners"][label], differences, strict=True
        ):
            gap = own["sr"]["mean"] - other["sr"]["mean"]
            assert found["sr"]["mean"] == pytest.approx(gap)
    trained = {job.label for job in Figure6().jobs(bench)}
    assert {"model irn", "model sasrec", "evaluator gru4rec"} <= trained
    directories = {job.directory for job in Figure6().jobs(bench) if job.kind == "irn"}
    assert len(directories) == 2


def test_what_does_not_fit_the_window_or_the_data_is_left_out_with_a_word(bench: Bench) -> None:
    recipe = Figure6()
    few = changed(bench, lengths=(2, 9, 400), planners=("irn",))
    result = recipe.compute(few)
    assert (result["lengths"], result["left_out"]) == ([2], [9, 400])
    assert set(result["planners"]) == {"irn", figure_6.AT_NEUTRAL}
    assert result["growth"] is None
    document = {"result": result, "config": recipe.settings(few.config)}
    assert "trained on its own (epochs: 1 at most)" in recipe.words(document)
    assert "M = 9 and 400, since IRN's window has room for paths of at most 6" in recipe.words(
        document
    )
    result["limits"] = {"horizon": 500, "new_items": 8}
    assert "since only 8 items are new to every user" in recipe.words(document)
    known = bench.split.train.sequences
    most = max(len(set(known.row(row).tolist())) for row in range(len(known)))
    whole = changed(bench, pairs=bench.config.pairs.model_copy(update={"subset": 1000}))
    # All report users; those that choose dials may know more.
    assert figure_6.fewest_new_items(whole) >= len(bench.dataset.items) - most
    assert figure_6.fewest_new_items(whole) <= figure_6.fewest_new_items(bench)


def test_without_a_longer_window_irn_itself_is_used(stages: Stages, bench: Bench) -> None:
    config = stages.config.model_copy(update={"variants": {}})
    assert figure_6.window_variant(config) is None
    settings = Figure6().settings(config)
    own = IRNConfig.parse(config.models["irn"], "irn").model_dump(mode="json")
    assert settings["window"] == own != Figure6().settings(stages.config)["window"]
    assert Figure6().draw({"result": {"lengths": []}}) is None


def test_figure_6_tells_growth_only_where_the_interval_excludes_0(stages: Stages) -> None:
    result = copy.deepcopy(result_of(stages, Figure6()))
    planners = result["growth"]["planners"]
    for row in planners.values():
        row["sr"] = at(0.05)
    planners["irn"]["sr"], planners["dijkstra"]["sr"] = at(0.3), at(-0.3)
    words = "\n".join(figure_6.findings(result))
    assert "SR@M grows for irn (0.300 [0.200, 0.400])" in words
    assert "falls for dijkstra" in words
    assert "is not told apart for irn at neutral dials" in words


# Figure 7 -------------------------------------------------------------------------------------


def test_one_dial_varies_and_the_others_stay_as_chosen(stages: Stages, bench: Bench) -> None:
    result = result_of(stages, Figure7())
    assert list(result["dials"]) == ["k", "w_t", "guidance", "pace", "floor"]
    swept = stages.config.model_dump(mode="json")["figure_7"]
    chosen = bench.dials_of("irn")
    for dial, sweep in result["dials"].items():
        assert [point["value"] for point in sweep["points"]] == swept[dial]
        for point in sweep["points"]:
            if sweep["planner"] == "irn" and point["value"] == chosen[dial]:
                # The same paths, and the same resamples.
                for metric in figure_7.SHOWN:
                    assert point[metric] == result["reference"]["irn"][metric]
        first, last = sweep["points"][0], sweep["points"][-1]
        for metric in figure_7.SHOWN:
            gap = last[metric]["mean"] - first[metric]["mean"]
            assert sweep["change"][metric]["mean"] == pytest.approx(gap, abs=1e-9)
    # The distance that the configuration gives rec2inf holds for every k.
    k = result["dials"]["k"]["points"][0]
    dials = {"distance": "genre", "k": k["value"]}
    judgement = bench.judged("rec2inf/sasrec", bench.subset, dials, bench.judge)
    assert k["sr"]["mean"] == pytest.approx(success_rate(judgement).mean())


def test_the_papers_range_of_w_t_is_at_neutral_dials(stages: Stages, bench: Bench) -> None:
    own = result_of(stages, Figure7())["as_in_the_paper"]
    assert [point["value"] for point in own["points"]] == [0.0, 0.25, 0.5, 0.75, 1.0]
    for point in own["points"]:
        dials = {**NEUTRAL, "w_t": point["value"]}
        judgement = bench.judged("irn", bench.subset, dials, bench.judge)
        assert point["sr"]["mean"] == pytest.approx(success_rate(judgement).mean())
    gap = own["points"][-1]["ioi"]["mean"] - own["points"][0]["ioi"]["mean"]
    assert own["change"]["ioi"]["mean"] == pytest.approx(gap)
    words = Figure7().words(json.loads(stages.path(Figure7()).read_text()))
    assert "From w_t 0 to 1: " in words


def test_the_attention_on_the_objective_is_the_networks(stages: Stages, bench: Bench) -> None:
    result, model = result_of(stages, Figure7()), bench.models["irn"]
    assert isinstance(model, IRN)
    points = result["dials"]["w_t"]["points"]
    shares = [point["attention"] for point in points]
    assert shares[0]["mean"] < shares[-1]["mean"]
    for point, share in zip(points, shares, strict=True):
        rows = bench.split.train.rows_of(bench.subset["user_id"].to_list())
        alone = [
            objective_share(
                model,
                bench.split.train.sequences.take(np.array([row])),
                bench.dataset.items.encode([objective]),
                np.array([row]),
                4,
                w_t=point["value"],
            )
            for row, objective in zip(rows, bench.subset["objective_id"], strict=True)
        ]
        assert share["mean"] == pytest.approx(float(torch.cat(alone).mean()), rel=1e-5)
        assert share["n"] == 20
        assert np.mean(share["by_layer"]) == pytest.approx(share["mean"])
        assert len(share["by_layer"]) == 2
    assert all("attention" not in p for p in result["dials"]["pace"]["points"])
    # One epoch of training leaves a network that hardly tells keys apart.
    assert shares[0]["mean"] == pytest.approx(result["even_attention"], abs=0.02)
    assert "An even share" in figure_7.about_attention(result)


def test_figure_7_tells_a_change_only_where_the_interval_excludes_0() -> None:
    def sweep(values: list[Any], **change: Any) -> dict[str, Any]:
        points = [{"value": value} for value in values]
        return {"planner": "irn", "points": points, "change": change}

    result = {
        "dials": {
            "w_t": sweep([0.0, 8.0], sr=at(0.5), log_ppl=at(-0.4), ioi=at(0.05)),
            "pace": sweep([1, 2], sr=at(0.05), ioi=at(None)),
            "floor": sweep([20, 0], sr=at(0.5)),
            "k": sweep([5], sr=at(0.0)),
        }
    }
    said = list(figure_7.findings(result))
    assert said == [
        "irn, w_t from 0 to 8: SR@M grows by 0.500 [0.400, 0.600] and log(PPL) falls by "
        "0.40 [0.30, 0.50]; not told apart: IoI.",
        "irn, pace from 1 to 2: no metric is told apart.",
        "irn, floor from 20 to none: SR@M grows by 0.500 [0.400, 0.600].",
    ]


# Figure 8 -------------------------------------------------------------------------------------


def test_the_initial_r_u_is_where_training_starts(tiny: Dataset) -> None:
    settings: dict[str, Any] = {
        "embedding_size": 8,
        "heads": 2,
        "layers": 1,
        "l_max": 14,
        "l_min": 4,
        "horizon": 6,
        "item2vec": False,
        "seed": 5,
        "batch_size": 8,
        "training": {"epochs": 1, "learning_rate": 1e-12},
    }
    still = IRN(**settings).fit(tiny)
    initial = r_u.initial_impressionability(still)
    np.testing.assert_allclose(still.impressionability().numpy(), initial, atol=1e-6)
    assert np.ptp(initial) > 0.01
    moved = IRN(**settings | {"training": {"epochs": 1, "learning_rate": 1e-2}}).fit(tiny)
    np.testing.assert_array_equal(r_u.initial_impressionability(moved), initial)
    assert np.abs(moved.impressionability().numpy() - initial).max() > 1e-4


def test_shuffling_moves_r_u_between_users_and_nothing_else(irn: IRN) -> None:
    before = {name: tensor.clone() for name, tensor in irn.module.state_dict().items()}
    shuffled = r_u.shuffled_users(irn, seed=3)
    own, other = irn.impressionability(), shuffled.impressionability()
    assert not torch.equal(own, other)
    assert torch.equal(own.sort().values, other.sort().values)
    assert torch.equal(other, r_u.shuffled_users(irn, seed=3).impressionability())
    assert not torch.equal(other, r_u.shuffled_users(irn, seed=4).impressionability())
    for name, tensor in irn.module.state_dict().items():
        assert torch.equal(tensor, before[name])
        assert torch.equal(shuffled.module.state_dict()[name], tensor) is (name != "user.weight")


def test_held_out_losses_are_those_of_training(tiny: Dataset, irn: IRN) -> None:
    shuffled = r_u.shuffled_users(irn, seed=3)
    found = r_u.held_out_losses(tiny, irn, shuffled, seed=0)
    _, pieces = training_pieces(tiny.sequences, irn.config)
    assert found["pieces"] == len(pieces.users)
    losses: dict[str, list[float]] = {"own": [], "shuffled": []}
    for user in sorted(set(pieces.users.tolist())):
        for name, model in (("own", irn), ("shuffled", shuffled)):
            total, count = 0.0, 0
            for row in np.flatnonzero(pieces.users == user):
                items = training_window(pieces.take(np.array([row])).sequences)
                with torch.no_grad():
                    hidden = model.module(
                        items,
                        torch.tensor([True]),
                        model.module.r_u(torch.tensor([user])),
                        torch.full(items.shape, model.config.w_t),
                    )
                    said = model.log_probs_of(hidden[0, :-1])
                picked = said[torch.arange(said.shape[0]), items[0, 1:] - 1]
                total, count = total - float(picked.sum()), count + len(picked)
            losses[name].append(total / count)
    for name, values in losses.items():
        assert found[name]["mean"] == pytest.approx(np.mean(values), rel=1e-5)
    gaps = np.array(losses["own"]) - np.array(losses["shuffled"])
    assert found["difference"]["mean"] == pytest.approx(gaps.mean(), abs=1e-6)
    assert np.abs(gaps).max() > 1e-6
    # Over positions rather than users, it is the validation loss of training.
    whole = validated(InfluenceTask(irn.module, pieces, pieces))["validation_loss"]
    assert irn.history["best"] == pytest.approx(whole, rel=1e-5)


def test_where_r_u_plays_no_part_shuffling_changes_nothing(tiny: Dataset) -> None:
    sizes: dict[str, Any] = {"embedding_size": 8, "heads": 2, "layers": 1}
    window: dict[str, Any] = {"l_max": 14, "l_min": 4, "horizon": 6, "item2vec": False}
    model = IRN(**sizes, **window, mask_type=2, training={"epochs": 1}).fit(tiny)
    found = r_u.held_out_losses(tiny, model, r_u.shuffled_users(model, seed=1), seed=0)
    assert (found["difference"]["mean"], found["difference"]["ci95"]) == (0.0, [0.0, 0.0])


def test_shuffled_paths_never_enter_the_store(bench: Bench) -> None:
    model = bench.models["irn"]
    assert isinstance(model, IRN)
    shuffled = r_u.shuffled_users(model, seed=1)
    with torch.no_grad():
        # Different enough to plan other paths.
        shuffled.module.user.weight.mul_(40 * torch.rand(len(model.users), 1) - 20)
    files = {path: path.stat().st_mtime_ns for path in bench.workspace.root.rglob("*.parquet")}
    own = model.impressionability()
    found = figure_8.path_differences(bench, shuffled)
    assert torch.equal(model.impressionability(), own)
    assert {p: p.stat().st_mtime_ns for p in bench.workspace.root.rglob("*.parquet")} == files
    assert found["equal_paths"] < found["pairs"] == 20
    for metric in figure_8.COMPARED:
        gap = found["own"][metric]["mean"] - found["shuffled"][metric]["mean"]
        assert found["difference"][metric]["mean"] == pytest.approx(gap, abs=1e-9)
    same = figure_8.path_differences(bench, copy.deepcopy(model))
    assert same["equal_paths"] == 20
    assert same["difference"]["log_ppl"]["ci95"] == [0.0, 0.0]


def test_normality_is_tested_with_the_test_that_holds_for_the_number_of_users() -> None:
    rng = np.random.default_rng(0)
    few, many = rng.normal(size=400), rng.normal(size=6000)
    assert r_u.normality(few)["test"] == "Shapiro-Wilk"
    assert r_u.normality(many)["test"] == "D'Agostino-Pearson"
    assert r_u.normality(few)["p"] > 0.01
    assert r_u.normality(many)["p"] > 0.01
    assert r_u.normality(np.exp(few))["p"] < 1e-6
    assert r_u.normality(np.exp(many))["p"] < 1e-6


def test_what_does_not_vary_has_no_shape_and_no_correlation() -> None:
    still = np.full(60, 0.7)
    described = r_u.description(still)
    assert described["normality"] is None
    assert described["skewness"] is None
    assert sum(described["histogram"]["counts"]) == 60
    assert r_u.correlation(None, still, np.arange(60.0)) is None
    varied = r_u.description(np.arange(60.0))
    assert sum(varied["histogram"]["counts"]) == 60
    assert varied["normality"]["n"] == 60
    json.dumps([described, varied], allow_nan=False)


def test_histories_are_measured(tiny: Dataset) -> None:
    figures = r_u.history_figures(tiny)
    counts = np.bincount(tiny.sequences.values)
    for row in range(len(tiny.users)):
        items = tiny.sequences.row(row)
        assert figures["history_length"][row] == len(items)
        assert figures["mean_popularity"][row] == pytest.approx(counts[items].mean())
    nothing = tiny.with_sequences(Sequences.from_rows([[] for _ in range(48)]))
    assert r_u.history_figures(nothing)["mean_popularity"].tolist() == [0.0] * 48


def test_figure_8_draws_and_tells_what_it_found(stages: Stages) -> None:
    document = json.loads(stages.path(Figure8()).read_text())
    result = document["result"]
    assert result["trained"]["n"] == 80
    assert result["held_out"]["difference"]["n"] > 0
    result["held_out"]["difference"] = at(-0.5)
    assert "predicts better than another user's, by 0.5 nats" in Figure8().words(document)
    result["held_out"]["difference"] = at(0.5)
    assert "predicts worse than another user's" in Figure8().words(document)
    result["held_out"]["difference"] = at(0.05)
    assert "cannot be told apart from another user's" in Figure8().words(document)
    result["trained"] = r_u.description(np.full(80, 0.5))
    result["kept"], result["correlations"]["history_length"] = None, None
    assert "hardly varies" in Figure8().words(document)
    said = said_by(drawn(Figure8(), document))
    assert "users" in said
    assert "no unit" in said


# Figure 9 -------------------------------------------------------------------------------------


def random_judgement(lengths: list[int], reached: list[bool], seed: int = 0) -> Judgement:
    rng = np.random.default_rng(seed)
    items = sum(lengths)
    return Judgement(
        judge="judge",
        pair_ids=np.arange(len(lengths)),
        user_rows=np.arange(len(lengths)),
        paths=Sequences.from_lengths(rng.integers(1, 30, size=items), np.array(lengths)),
        reached=np.array(reached),
        repeated=np.zeros(items, dtype=bool),
        item_log_probs=rng.normal(-4, 1, size=items),
        item_ranks=np.ones(items, dtype=np.int64),
        objective_log_probs=rng.normal(-8, 1, size=items + len(lengths)),
        objective_ranks=np.ones(items + len(lengths), dtype=np.int64),
        item_count=40,
    )


def test_rises_are_those_of_the_paths_that_go_on_to_the_last_step() -> None:
    lengths, reached = [5, 3, 5, 0, 5, 2], [True, True, False, False, False, False]
    judgement = random_judgement(lengths, reached)
    found = figure_9.rises(judgement, 5, seed=0)
    assert found["kept"] == 3
    kept = [0, 2, 4]
    for quantity, values, extra in (
        ("objective_log_prob", judgement.objective_log_probs, 1),
        ("item_log_prob", judgement.item_log_probs, 0),
    ):
        starts = [sum(lengths[:row]) + extra * row for row in kept]
        # Steps 1, 3 and 5 of five.
        first, middle, last = (np.array([values[s + k] for s in starts]) for k in (0, 2, 4))
        assert found[quantity]["first_half"]["mean"] == pytest.approx((middle - first).mean())
        assert found[quantity]["second_half"]["mean"] == pytest.approx((last - middle).mean())
        assert found[quantity]["first"] == pytest.approx(np.exp(first).mean())
        assert found[quantity]["last"] == pytest.approx(np.exp(last).mean())
    rows = curve_rows("irn", judgement, 0, 5)
    ends = {
        row["step"]: row
        for row in rows
        if (row["align"], row["quantity"]) == ("start", "objective_log_prob")
    }
    rise = found["objective_log_prob"]
    total = rise["first_half"]["mean"] + rise["second_half"]["mean"]
    only_kept = random_judgement(lengths, reached).objective_log_probs
    assert total == pytest.approx(np.mean([only_kept[s + 4] - only_kept[s] for s in (0, 10, 17)]))
    assert ends[5]["n"] == 3


def test_where_every_path_arrives_early_nothing_is_left_from_the_start() -> None:
    """Early means before M, not before the longest path."""
    judgement = random_judgement([2, 2, 1], [True, True, True])
    found = figure_9.rises(judgement, 4, seed=0)
    assert found["kept"] == 0
    assert found["item_log_prob"]["first"] is None
    assert found["objective_log_prob"]["first_half"]["mean"] is None
    rows = curve_rows("rec2inf/sasrec", judgement, 0, 4)
    assert {row["align"] for row in rows} == {"arrival"}
    document = {
        "result": {
            "judge": "judge",
            "pairs": 3,
            "steps": rows,
            "planners": {"rec2inf/sasrec": found},
        },
        "config": {"max_length": 4},
    }
    json.dumps(document, allow_nan=False)
    assert "no path goes on to the last step" in Figure9().words(document)
    assert "rec2inf/sasrec" in said_by(drawn(Figure9(), document))
    document["result"]["steps"] = []  # type: ignore[index]
    assert Figure9().draw(document) is None


def test_figure_9_counts_paths_on_the_report_pairs(stages: Stages, bench: Bench) -> None:
    result = result_of(stages, Figure9())
    assert result["pairs"] == bench.report_pairs.height
    assert set(result["planners"]) == set(figure_9.SHOWN)
    for label, own in result["planners"].items():
        paths = bench.paths(label, bench.report_pairs, bench.dials_of(label), bench.judge)
        lengths = paths.outcomes["length"].to_numpy()
        early = paths.outcomes["reached"].to_numpy() & (lengths < 4)
        assert own["kept"] == (lengths == 4).sum()
        starts = [r for r in result["steps"] if (r["planner"], r["align"]) == (label, "start")]
        first = [r["n"] for r in starts if r["step"] == 1]
        assert first == [int((~early & (lengths > 0)).sum())] * 2 or not starts
        arrivals = [
            r["n"]
            for r in result["steps"]
            if (r["planner"], r["align"], r["step"]) == (label, "arrival", 0)
        ]
        assert set(arrivals) <= {int(paths.outcomes["reached"].sum())}


def test_figure_9_tells_a_rise_only_where_the_interval_excludes_0() -> None:
    def own(first: float, second: float) -> dict[str, Any]:
        rise = {"first_half": at(first), "second_half": at(second), "first": 0.1, "last": 0.2}
        return {"kept": 10, "objective_log_prob": rise, "item_log_prob": rise}

    result = {"planners": {"irn": own(0.5, 0.9), "a": own(0.05, 0.5), "b": own(-0.5, 0.0)}}
    said = " ".join(figure_9.findings(result))
    assert "With irn the chance of the objective rises over both halves." in said
    assert "With a the chance of the objective is not told apart from level over the first" in said
    assert "With b the chance of the objective falls over the first half" in said
    assert math.isclose(figure_9.middle(20), 10)
    assert (figure_9.middle(1), figure_9.middle(5)) == (1, 3)
