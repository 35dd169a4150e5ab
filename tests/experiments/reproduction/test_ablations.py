"""Ablations and Figure 7 with retraining: what is changed, what is measured, the words."""

import copy
import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from influpath.errors import ConfigError
from influpath.evaluation import next_item_ranks
from influpath.experiments.reproduction.ablation_results import merged_ablations, verdict
from influpath.experiments.reproduction.config import ReproductionConfig, merged
from influpath.experiments.reproduction.recipes import chosen
from influpath.experiments.reproduction.recipes.ablations import (
    ABLATIONS,
    MEASURED,
    DialAblation,
    TrainingAblation,
    loss_compares,
)
from influpath.experiments.reproduction.recipes.figure_7_retrained import (
    Figure7Retrained,
    retrained,
    weights,
)
from influpath.experiments.reproduction.stages import Stages
from influpath.experiments.run import NEUTRAL
from influpath.irn.model import IRN
from influpath.planning.algorithm import plan
from influpath.planning.irn import IRNDials, IRNPlanner
from influpath.planning.schedule import float_at_step

from .in_process import train_here, use

TRAINING = [TrainingAblation(variant) for variant in ("leak", "adjacent", "type-2")]
PLANNING = [recipe for recipe in ABLATIONS if isinstance(recipe, DialAblation)]
LEAK, FIGURE = TRAINING[0], Figure7Retrained()


def dial_changes(chosen: dict[str, Any], max_length: int) -> dict[str, dict[str, Any]]:
    """All changes of one dial, of all recipes."""
    return {
        name: dials
        for recipe in PLANNING
        for name, dials in recipe.dials(chosen, max_length).items()
    }


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory, tiny_config: ReproductionConfig
) -> Iterator[Stages]:
    """All of them, with an IRN that has learned enough to head for its objective."""
    values = tiny_config.model_dump(mode="json")
    values["models"]["irn"]["training"] = {"epochs": 4, "learning_rate": 2e-2}
    values["models"]["irn"]["batch_size"] = 32
    values["retrained_w_t"] = [0.0, 3.0]
    config = ReproductionConfig.parse(values, "tiny")
    folder = tmp_path_factory.mktemp("ablations")
    with pytest.MonkeyPatch.context() as patch:
        use(patch)
        recipes = [*TRAINING, *PLANNING, FIGURE]
        stages = Stages(config, recipes, folder / "results", root=folder / "runs")
        stages.make()
        yield stages


@pytest.fixture(scope="module")
def ablations(made: Stages) -> dict[str, Any]:
    return merged_ablations(
        [json.loads(made.path(recipe).read_text()) for recipe in (*TRAINING, *PLANNING)]
    )


@pytest.fixture(scope="module")
def figure(made: Stages) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(made.path(FIGURE).read_text())
    return found


# Ablations --------------------------------------------------------------------------------------


def test_worth_is_irn_minus_the_change(ablations: dict[str, Any]) -> None:
    """Where both are defined on every pair, the paired difference is that of the means."""
    result = ablations["result"]
    own, checked = result["irn"]["rows"], 0
    for found in (*result["training"].values(), *result["planning"].values()):
        for setting, worth in found["worth"].items():
            for metric in (*MEASURED, "jump"):
                a, b = own[setting][metric], found["rows"][setting][metric]
                if a["n"] == b["n"] == result["pairs"]:
                    assert worth[metric]["mean"] == pytest.approx(a["mean"] - b["mean"], abs=1e-9)
                    checked += 1
    assert checked > 60


def test_variants_are_planned_at_the_dials_chosen_for_irn(
    made: Stages, ablations: dict[str, Any]
) -> None:
    bench, result = made.benches[0], ablations["result"]
    assert result["dials"] == {"chosen": {**NEUTRAL, **bench.dials_of("irn")}, "neutral": NEUTRAL}
    variant = bench.variant("adjacent")
    paths = variant.paths("irn", bench.report_pairs, bench.dials_of("irn"), bench.judge)
    found = result["training"]["adjacent"]["rows"]["chosen"]
    assert found["sr"]["mean"] == pytest.approx(paths.outcomes["reached"].mean())
    jumps = (pl.col("reached") & (pl.col("length") == 1)).mean()
    assert found["jump"]["mean"] == pytest.approx(paths.outcomes.select(jumps).item())


def test_settings_that_only_planning_reads_tell_models_apart(made: Stages) -> None:
    """Without the empty slots the same weights are trained, but other paths are planned."""
    bench = made.benches[0]
    variant = bench.variant("adjacent")
    models = [each.models["irn"] for each in (bench, variant)]
    own, other = (model.module.state_dict() for model in models if isinstance(model, IRN))
    assert all(torch.equal(own[name], other[name]) for name in own)
    given = "irn", bench.report_pairs, NEUTRAL, bench.judge
    literal, planned = variant.paths(*given), bench.paths(*given)
    planner = IRNPlanner(variant.models["irn"])
    wanted = plan(planner, bench.report_pairs, bench.split.train, bench.config.max_length)
    assert literal.steps["item_id"].equals(wanted.steps["item_id"])
    # Scores are kept rounded.
    np.testing.assert_allclose(literal.steps["score"], wanted.steps["score"], atol=1e-3)
    assert literal.steps.height != planned.steps.height or not np.allclose(
        literal.steps["score"], planned.steps["score"], atol=3e-3
    )


def test_next_item_scores_hide_the_objective(made: Stages, ablations: dict[str, Any]) -> None:
    bench, result = made.benches[0], ablations["result"]
    hits = {
        name: next_item_ranks(bench.variant(name).models["irn"], bench.split) <= 20
        for name in (None, "leak")
    }
    assert result["irn"]["next_item"]["hr@20"]["mean"] == pytest.approx(hits[None].mean())
    assert result["training"]["leak"]["next_item"]["worth"]["mean"] == pytest.approx(
        hits[None].mean() - hits["leak"].mean()
    )
    # No objective has a part in it: others give the same ranks.
    model = bench.models["irn"]
    assert isinstance(model, IRN)
    rows = np.arange(5)
    histories = bench.split.train.sequences.take(rows)
    log_probs = model.log_probs(histories)
    toward = model.log_probs_toward(histories, rows + 1)
    assert not np.allclose(log_probs, toward, atol=1e-3)


def test_losses_compare_only_where_they_mean_the_same(made: Stages) -> None:
    bench = made.benches[0]
    irn = bench.config.models["irn"]
    same = ({"mask_type": 2}, {"tied": False}, {"aligned": False}, {"w_t": 0.5})
    other = ({"leak": True}, {"objective_in_loss": False}, {"l_max": 14}, {"seed": 99})
    for changes in same:
        assert loss_compares(bench, bench.with_irn(merged(irn, changes), "changed"))
    for changes in other:
        assert not loss_compares(bench, bench.with_irn(merged(irn, changes), "changed"))


@pytest.mark.parametrize(
    "guidance",
    [
        2.0,
        0.5,
        {"start": 1.0, "end": 5.0},
        {"start": 4.0, "end": 2.0},
        {"start": 2.0, "end": 0.0},
        {"start": 0.5, "end": 1.5},
        [1.0, 2.0, 6.0],
    ],
)
def test_each_row_changes_one_dial(guidance: Any) -> None:
    chosen = {**NEUTRAL, "guidance": guidance, "pace": 3, "floor": 50}
    same = IRNDials.parse(chosen, "chosen")
    changes = dial_changes(chosen, 20)
    assert len(changes) == 9
    for dials in changes.values():
        changed = IRNDials.parse(dials, "changed")
        assert (
            sum(a != b for a, b in zip(vars(changed).values(), vars(same).values(), strict=True))
            == 1
        )

    def steps(dials: IRNDials) -> list[float]:
        return [float_at_step(dials.guidance, k, 20) for k in range(1, 21)]

    shapes = ("constant", "rising", "falling")
    other = [steps(IRNDials.parse(d, n)) for n, d in changes.items() if n.split()[0] in shapes]
    own = steps(same)
    assert len(other) == 1
    assert np.mean(other[0]) == pytest.approx(np.mean(own))
    # Even guidance of 1 would be none, which has a row of its own.
    assert (np.ptp(other[0]) == 0) == (np.ptp(own) > 0 and np.mean(own) != pytest.approx(1))
    assert np.ptp(other[0]) == 0 or np.sign(other[0][-1] - other[0][0]) != np.sign(own[-1] - own[0])


def test_dials_that_are_chosen_already_are_no_change() -> None:
    changes = dial_changes({**NEUTRAL, "guidance": 1.0, "w_t": 0.5}, 20)
    assert list(changes) == [
        "guidance against sasrec, not itself",
        "rising guidance 0..2",
        "pace 5",
        "w_t 0",
        "w_t 2",
    ]


def test_separate_guidance_is_another_plan_and_kept_apart(
    made: Stages, ablations: dict[str, Any]
) -> None:
    """Paths of another base never stand for IRN's own, and follow that base's weights."""
    bench = made.benches[0]
    own = bench.dials_of("irn")
    found = ablations["result"]["planning"]["guidance against sasrec, not itself"]
    assert found["dials"]["guidance_model"] == "sasrec"
    pairs, judge = bench.report_pairs, bench.judge
    mine = bench.paths("irn", pairs, own, judge)
    others = bench.paths("irn", pairs, found["dials"], judge)
    assert not mine.steps["item_id"].equals(others.steps["item_id"])
    settings = merged(bench.config.models["sasrec"], {"seed": 77})
    config = bench.config.model_copy(update={"models": {**bench.config.models, "sasrec": settings}})
    reseeded = type(bench)(config, root=made.root)
    train_here([reseeded.job("model", "sasrec")], 1)
    folder = bench.workspace.root / "paths"

    def new_files(dials: dict[str, Any]) -> int:
        before = set(folder.iterdir())
        reseeded.paths("irn", pairs, dials, judge)
        return len(set(folder.iterdir()) - before)

    assert new_files(own) == 0
    assert new_files({**own, "guidance_model": None}) == 0
    assert new_files(found["dials"]) == 1


def test_what_the_ablations_depend_on(tiny_config: ReproductionConfig) -> None:
    settings = LEAK.settings(tiny_config)
    variants = {name: dict(v) for name, v in tiny_config.variants.items()}
    for name, changes in (("leak", True), ("type-1", False)):
        changed = {**variants, name: {**variants[name], "dropout": 0.4}}
        other = tiny_config.model_copy(update={"variants": changed})
        assert (LEAK.settings(other) != settings) is changes
    assert LEAK.available(tiny_config)
    without = tiny_config.model_copy(update={"variants": {}})
    assert not LEAK.available(without)
    with pytest.raises(ConfigError, match="variant 'leak'"):
        LEAK.settings(without)


def test_each_has_a_name_and_a_budget_of_its_own() -> None:
    assert len({recipe.name for recipe in ABLATIONS}) == len(ABLATIONS) == 12
    assert all(recipe.group == recipe.name for recipe in ABLATIONS)
    assert chosen(["ablation-leak"]) == [ABLATIONS[0]]
    assert chosen(["ablations"]) == list(ABLATIONS)


def test_they_share_a_figure(made: Stages) -> None:
    assert made.figure(LEAK, ".svg").name == "ablations.svg"
    assert made.figure(LEAK, ".svg").is_file()
    assert not made.path(LEAK, ".svg").exists()


def test_what_was_made_with_other_settings_stands_apart(ablations: dict[str, Any]) -> None:
    result = ablations["result"]
    rows = {
        name: {**result, "training": {name: found}, "planning": {}}
        for name, found in result["training"].items()
    }
    rows["leak"] = {**rows["leak"], "pairs": 7}
    # The same network trained again in other seconds is the same network.
    again = copy.deepcopy(result["irn"])
    again["training"]["seconds"] = 1e6
    rows["adjacent"] = {**rows["adjacent"], "irn": again}
    merged = merged_ablations(
        [{**ablations, "recipe": f"ablation-{name}", "result": row} for name, row in rows.items()]
    )
    assert list(merged["result"]["training"]) == ["adjacent", "type-2"]
    assert merged["result"]["pairs"] == result["pairs"]
    assert merged["result"]["left_out"] == ["ablation-leak"]
    assert "Left out, since made with other settings: ablation-leak;" in LEAK.words(merged)


def at(mean: float, half: float) -> dict[str, Any]:
    return {"mean": mean, "ci95": [mean - half, mean + half], "n": 9}


def test_a_verdict_is_given_only_where_the_interval_excludes_0() -> None:
    level = {metric: at(0.1, 0.2) for metric in MEASURED}
    assert verdict(level) == ""
    assert verdict({**level, "ioi": at(0.5, 0.2)}) == "better: IoI"
    # Less surprise is better.
    mixed = {**level, "log_ppl": at(-0.5, 0.2), "worst_step": at(0.5, 0.1), "sr": at(-0.3, 0.1)}
    assert verdict(mixed) == "better: log(PPL); worse: SR@M and worst step"
    undefined = {"mean": None, "ci95": [None, None], "n": 0}
    assert verdict({**level, "log_ppl": undefined}) == ""


def test_words_of_the_ablations(ablations: dict[str, Any]) -> None:
    words = LEAK.words(ablations)
    assert "no empty slots before the objective" in words
    assert "| leak (leak True) |" in words
    result = ablations["result"]
    rows = [w for f in result["training"].values() for w in f["worth"].values()]
    rows += [w for f in result["planning"].values() for w in f["worth"].values()]
    intervals = [row[metric] for row in rows for metric in MEASURED]
    outside = sum(i["ci95"][0] > 0 or i["ci95"][1] < 0 for i in intervals if None not in i["ci95"])
    assert f"{outside} of {len(intervals)} intervals" in words
    marked = [line for line in words.splitlines() if line.endswith(" * |")]
    assert [line.split()[1] for line in marked] == ["leak"]


def test_words_and_figure_without_variants(ablations: dict[str, Any]) -> None:
    alone = deepcopy(ablations)
    alone["result"]["training"] = {}
    words = LEAK.words(alone)
    assert "neutral dials:" not in words
    assert len(LEAK.draw(alone).axes) == 3
    # A variant that has no name of its own is called by its settings.
    other = deepcopy(ablations)
    other["result"]["training"]["wide"] = {
        **other["result"]["training"]["leak"],
        "changes": {"embedding_size": 64},
    }
    assert "| embedding_size 64 |" in LEAK.words(other)


def test_the_figure_draws_every_row(ablations: dict[str, Any]) -> None:
    result = ablations["result"]
    panels = LEAK.draw(ablations).axes
    rows = 2 * len(result["training"]) + len(result["planning"])
    for axes, metric in zip(panels, ("ioi", "accepted_sr@20", "log_ppl"), strict=True):
        points = [line for line in axes.get_lines() if line.get_marker() in ("o", "s", "D")]
        assert len(points) == rows
        drawn = sorted(float(np.asarray(line.get_xdata())[0]) for line in points)
        worth = [
            w[metric]["mean"] for f in result["training"].values() for w in f["worth"].values()
        ]
        worth += [f["worth"]["chosen"][metric]["mean"] for f in result["planning"].values()]
        assert drawn == pytest.approx(sorted(worth))


# Figure 7, retrained ----------------------------------------------------------------------------


def test_irn_itself_is_one_of_the_points_and_not_trained_again(made: Stages) -> None:
    bench = made.benches[0]
    assert weights(bench.config) == [0.0, 1.0, 3.0]
    folders = [retrained(bench, w).job("model", "irn").directory for w in weights(bench.config)]
    assert folders[1] == bench.job("model", "irn").directory
    assert len(set(folders)) == 3
    for w_t, folder in zip(weights(bench.config), folders, strict=True):
        assert json.loads((folder / "model.json").read_text())["config"]["w_t"] == w_t


def test_every_network_is_planned_at_its_own_w_t(made: Stages, figure: dict[str, Any]) -> None:
    bench = made.benches[0]
    for point in figure["result"]["points"]:
        other = retrained(bench, point["w_t"])
        for setting, base in (("neutral", NEUTRAL), ("chosen", bench.dials_of("irn"))):
            dials = {**base, "w_t": point["w_t"]}
            paths = other.paths("irn", bench.subset, dials, bench.judge)
            assert point[setting]["sr"]["mean"] == pytest.approx(paths.outcomes["reached"].mean())
        model = other.models["irn"]
        assert isinstance(model, IRN)
        r_u = model.impressionability().double()
        assert point["r_u"]["mean"] == pytest.approx(float(r_u.mean()), abs=1e-6)
        assert point["r_u"]["sd"] == pytest.approx(float(r_u.std()), abs=1e-6)


def test_the_change_is_the_last_point_minus_the_first(figure: dict[str, Any]) -> None:
    result = figure["result"]
    for setting in ("neutral", "chosen"):
        first, last = (result["points"][end][setting] for end in (0, -1))
        for metric in ("sr", "accepted_sr@20", "ioi"):
            change = result["change"][setting][metric]["mean"]
            assert change == pytest.approx(last[metric]["mean"] - first[metric]["mean"])


@pytest.mark.parametrize(
    ("mean", "said"),
    [(0.3, "So it does here."), (0.0, "Here it is not told apart."), (-0.3, "Here it falls.")],
)
def test_words_say_what_the_paper_says_and_whether_it_holds(
    figure: dict[str, Any], mean: float, said: str
) -> None:
    changed = deepcopy(figure)
    changed["result"]["change"]["neutral"]["sr"] = at(mean, 0.1)
    words = FIGURE.words(changed)
    assert f"SR grows with w_t (Figure 7). {said}" in words
    assert ("SR@M falls by 0.300 [0.200, 0.400]" in words) == (mean < 0)


def test_words_tell_what_is_left_of_w_t(figure: dict[str, Any]) -> None:
    changed = deepcopy(figure)
    for point, mean in zip(changed["result"]["points"], (1.0, 0.9, 0.5), strict=True):
        point["r_u"]["mean"] = mean
    words = FIGURE.words(changed)
    assert "| 3 | 0.500 |" in words
    assert "Over a range of 3 in w_t its mean spans 1.500, 0.50 of that range." in words


def test_one_weight_alone_has_nothing_to_compare(figure: dict[str, Any]) -> None:
    alone = deepcopy(figure)
    alone["result"]["points"] = alone["result"]["points"][1:2]
    alone["result"]["change"] = {"neutral": None, "chosen": None}
    words = FIGURE.words(alone)
    assert "grows with" not in words
    assert "spans" not in words
    assert len(FIGURE.draw(alone).axes) == 5


def test_the_figure_draws_what_acts(figure: dict[str, Any]) -> None:
    axes = FIGURE.draw(figure).axes
    points = figure["result"]["points"]
    heights = [np.asarray(line.get_ydata()).tolist() for line in axes[-1].get_lines()]
    assert [point["w_t"] * point["r_u"]["mean"] for point in points] in heights
    for panel, metric in zip(axes, ("sr", "accepted_sr@20", "ioi", "log_ppl"), strict=False):
        drawn = [np.asarray(line.get_ydata()).tolist() for line in panel.get_lines()]
        for setting in ("neutral", "chosen"):
            assert [point[setting][metric]["mean"] for point in points] in drawn
