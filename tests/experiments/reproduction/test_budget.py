"""What a budget makes smaller, and what it says of it."""

from typing import Any

import pytest

from influpath.errors import ConfigError
from influpath.experiments.reproduction.config import ReproductionConfig, read_config
from influpath.experiments.reproduction.page import made_with
from influpath.experiments.reproduction.recipes import chosen
from influpath.experiments.reproduction.stages import Stages
from influpath.registry import recommender_class


def epochs_of(config: ReproductionConfig, group: str, name: str) -> int | None:
    """Return the epochs of a recommender, given or default."""
    settings = getattr(config, group)[name]
    training: Any = getattr(
        recommender_class(name).config_class.parse(settings, name), "training", None
    )
    return None if training is None else int(training.epochs)


@pytest.mark.parametrize("dataset", ["lastfm", "ml-1m"])
def test_a_budget_makes_everything_smaller_and_depends_on_nothing_else(dataset: str) -> None:
    whole = read_config(dataset)
    small = whole.within(5, {"core"})
    assert small == whole.within(5, {"core"})
    assert 0 < small.pair_share < 0.5
    for group in ("evaluators", "models"):
        for name in getattr(small, group):
            before, after = (epochs_of(config, group, name) for config in (whole, small))
            # Those with default epochs, too; POP counts, and has none.
            assert (before is None) is (name == "pop")
            assert before is None or (after is not None and 1 <= after < before)
    assert len(small.figure_7.w_t) < len(whole.figure_7.w_t)
    assert small.figure_7.w_t[0] == whole.figure_7.w_t[0]
    assert small.figure_7.w_t[-1] == whole.figure_7.w_t[-1]
    assert list(small.frontier) == list(whole.frontier)
    assert len(small.sweeps_of("irn")) < 0.6 * len(whole.sweeps_of("irn"))
    assert len(small.dials.candidates()) < 0.6 * len(whole.dials.candidates())
    assert len(small.dials.lookahead) < len(whole.dials.lookahead)


def test_a_large_budget_changes_nothing_and_judges_that_are_kept_are_spared() -> None:
    whole = read_config("lastfm")
    small = whole.within(5, {"core"})
    assert whole.within(40, {"core"}).figure_7 == whole.figure_7
    spared = whole.within(5, {"core"}, {"sasrec"}).evaluators
    assert spared["sasrec"] == whole.evaluators["sasrec"]
    assert spared["bert4rec"] == small.evaluators["bert4rec"]
    assert whole.within(None, {"core"}) is whole
    assert whole.within(10_000, {"core"}) is whole


def test_seeds_share_the_budget() -> None:
    whole = read_config("lastfm")
    assert whole.within(10, {"core"}, seeds=2).evaluators == whole.within(5, {"core"}).evaluators
    enough = whole.minutes["core"]
    assert whole.within(enough, {"core"}) is whole
    assert whole.within(enough, {"core"}, seeds=3).pair_share < 1
    # What is kept are judges of the first seed alone.
    spared = whole.within(10, {"core"}, {"sasrec"}, seeds=2).evaluators
    assert spared["sasrec"] != whole.evaluators["sasrec"]


def test_a_budget_needs_to_know_how_long_it_takes(tiny_config: ReproductionConfig) -> None:
    unknown = tiny_config.model_copy(update={"minutes": {}})
    with pytest.raises(ConfigError, match=r"how long core takes; give it in .* \[minutes\]"):
        unknown.within(5, {"core"})
    assert unknown.within(None, {"core"}) is unknown


def test_only_what_a_budget_changed_says_so(tiny_config: ReproductionConfig, tmp_path: Any) -> None:
    small = tiny_config.within(1.5, {"core"})
    assert small.pair_share < 1
    recipes = chosen(["table-1"])
    stages = Stages(small, recipes, tmp_path, root=tmp_path, budget=1.5, whole=tiny_config)
    (path,) = stages.make()
    document = stages.document(recipes[0])
    assert path.is_file()
    # The counts of the data are the same with any budget.
    assert document["budget_minutes"] is None
    assert made_with(document) == ""
    changed = {**document, "budget_minutes": 1.5, "pair_share": small.pair_share}
    assert made_with(changed).startswith("*Made within a budget of 1.5 minutes, so with less of ")
    assert f"{small.pair_share:.0%} of the pairs" in made_with(changed)
