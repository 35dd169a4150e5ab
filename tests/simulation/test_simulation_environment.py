"""The environments pass gymnasium's checks and are the closed loop."""

import subprocess
import sys
from typing import Any

import gymnasium
import numpy as np
import polars as pl
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers.vector import DictInfoToList, RecordEpisodeStatistics

from influpath.data.dataset import Dataset
from influpath.data.sequences import Sequences
from influpath.errors import ConfigError
from influpath.planning.base import PlanBatch
from influpath.planning.rec2inf import Rec2InfPlanner
from influpath.planning.responses import Response
from influpath.planning.session import Session
from influpath.recommenders.bert4rec import BERT4Rec
from influpath.recommenders.sasrec import SASRec
from influpath.simulation import JudgeUserModel, LoopConfig, UserModel, simulate
from influpath.simulation.environment import SIMULATED_WORLD, InfluenceEnv, InfluenceVectorEnv
from influpath.testing import tiny_pairs

from .conftest import WORLD, World

# Users, pairs and histories.
Stage = tuple[UserModel, pl.DataFrame, Dataset]
LIVELY = LoopConfig(seed=3, rounds=5, event_share=0.3, leave_base=0.05, patience=0)
BY_NAME = f"influpath.simulation.environment:{SIMULATED_WORLD}"


@pytest.fixture
def pairs(tiny: Dataset) -> pl.DataFrame:
    return tiny_pairs(tiny, count=10, seed=2)


@pytest.fixture(params=["truth", "sasrec", "bert4rec"])
def stage(
    request: pytest.FixtureRequest, tiny: Dataset, pairs: pl.DataFrame, world: World
) -> Stage:
    """Users, pairs and histories, under every kind of user model."""
    if request.param == "truth":
        return world.users, world.pairs.head(12), world.dataset
    return JudgeUserModel(request.getfixturevalue(request.param)), pairs, tiny


def test_the_environment_passes_the_checker(stage: Stage) -> None:
    env = InfluenceEnv(*stage, config=LIVELY, history_length=7)
    # Renders nothing, and without a name the checker cannot make others of its kind.
    check_env(env, skip_render_check=True)


def test_by_name() -> None:
    env = gymnasium.make(BY_NAME, **WORLD)
    check_env(env.unwrapped)
    envs = gymnasium.make_vec(BY_NAME, num_envs=4, **WORLD)
    assert envs.num_envs == 4
    assert envs.reset(seed=1)[0]["history"].shape == (4, 50)


def test_many_users_at_once_are_many_environments(stage: Stage) -> None:
    """Row by row, the vector environment does what one environment does."""
    rng = np.random.default_rng(4)
    envs = InfluenceVectorEnv(*stage, num_envs=6, config=LIVELY, history_length=7)
    ids = stage[1]["pair_id"].to_list()[:6]
    observed, info = envs.reset(seed=1, options={"pair_ids": ids})
    assert envs.observation_space.contains(observed)
    singles = [InfluenceEnv(*stage, config=LIVELY, history_length=7) for _ in ids]
    for row, (env, pair) in enumerate(zip(singles, ids, strict=True)):
        first, about = env.reset(options={"pair_ids": [pair]})
        assert about["pair_id"] == info["pair_id"][row] == pair
        assert_equal(first, {key: value[row] for key, value in observed.items()})
    over = np.zeros(6, dtype=np.bool_)
    for _ in range(LIVELY.rounds):
        masks = info["action_mask"]
        actions = np.array([rng.choice(np.flatnonzero(mask)) + 1 for mask in masks])
        observed, rewards, terminated, truncated, info = envs.step(actions)
        assert envs.observation_space.contains(observed)
        for row in np.flatnonzero(~over).tolist():
            found = singles[row].step(actions[row])
            assert_equal(found[0], {key: value[row] for key, value in observed.items()})
            assert found[1:4] == (rewards[row], terminated[row], truncated[row])
            assert (found[4]["action_mask"] == info["action_mask"][row]).all()
        over |= terminated | truncated
    assert over.all()


def assert_equal(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[key], expected[key]) for key in found)


def test_the_environment_is_the_loop(
    bert4rec: BERT4Rec, sasrec: SASRec, pairs: pl.DataFrame, tiny: Dataset
) -> None:
    """A planner that acts through the environment meets what ``simulate`` lets it meet."""
    users: UserModel = JudgeUserModel(bert4rec)
    planner = Rec2InfPlanner(sasrec, k=6)
    rounds = simulate(planner, users, pairs, tiny, LIVELY).rounds
    envs = InfluenceVectorEnv(users, pairs, tiny, pairs.height, config=LIVELY, history_length=24)
    observed, _ = envs.reset(options={"pair_ids": pairs["pair_id"].to_list()})
    rows = [row[row > 0] for row in observed["history"]]
    objectives = observed["objective"]
    session = Session(
        planner,
        PlanBatch(
            tiny.users.encode(pairs["user_id"].to_list()),
            Sequences.from_rows(rows),
            objectives,
            LIVELY.rounds,
            len(tiny.items),
        ),
    )
    over = np.zeros(pairs.height, dtype=np.bool_)
    for number in range(1, LIVELY.rounds + 1):
        items = session.propose().items_B
        observed, rewards, terminated, truncated, _ = envs.step(np.maximum(items, 1))
        answers = observed["response"].astype(np.int8)
        own = rounds.filter(pl.col("round") == number)
        places = {pair: place for place, pair in enumerate(pairs["pair_id"].to_list())}
        at = [places[pair] for pair in own["pair_id"].to_list()]
        assert sorted(at) == np.flatnonzero(~over).tolist()
        assert own["item_id"].to_list() == tiny.items.decode(items[at])
        assert own["response"].to_list() == [Response(a).name.lower() for a in answers[at]]
        arrived = (own["end"] == "arrived").fill_null(False)
        assert rewards[at].tolist() == arrived.cast(pl.Float64).to_list()
        session.respond(items, answers)
        session.observe(observed["event"])
        over |= terminated | truncated
    assert over.all()


def test_episodes_begin_anew_in_the_next_step(stage: Stage) -> None:
    config = LIVELY.model_copy(update={"leave_base": 0.4})
    plain = InfluenceVectorEnv(*stage, num_envs=5, config=config)
    assert plain.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
    envs = RecordEpisodeStatistics(plain)
    envs.reset(seed=2)
    envs.action_space.seed(2)
    over, ended = np.zeros(5, dtype=np.bool_), 0
    for _ in range(20):
        observed, rewards, terminated, truncated, _ = envs.step(envs.action_space.sample())
        assert observed["round"][over].tolist() == [0] * int(over.sum())
        assert (observed["response"][over] == Response.NOTHING).all()
        assert not rewards[over].any()
        assert not (terminated | truncated)[over].any()
        assert not (terminated & truncated).any()
        assert (observed["round"][~over] > 0).all()
        over = terminated | truncated
        ended += int(over.sum())
    assert ended > 10
    assert len(DictInfoToList(plain).reset(seed=1)[1]) == 5


def test_seeds_decide_everything(stage: Stage) -> None:
    def run(seed: int) -> list[Any]:
        envs = InfluenceVectorEnv(*stage, num_envs=3, config=LIVELY)
        found = [envs.reset(seed=seed)]
        envs.action_space.seed(5)
        return str([*found, *(envs.step(envs.action_space.sample()) for _ in range(8))])  # type: ignore[return-value]

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_what_may_not_be_shown_shows_nothing(stage: Stage) -> None:
    env = InfluenceEnv(*stage, config=LIVELY)
    observed, info = env.reset(seed=1)
    had = int(observed["history"][-1])
    assert not info["action_mask"][had - 1]
    after, reward, *_ = env.step(np.int64(had))
    assert (after["response"], after["round"], reward) == (Response.NOTHING, 1, 0.0)


def test_refusals(stage: Stage) -> None:
    env = InfluenceEnv(*stage)
    with pytest.raises(ConfigError, match="none of them"):
        env.reset(options={"pair_ids": [-5]})
    with pytest.raises(ConfigError, match="2 are given"):
        env.reset(options={"pair_ids": stage[1]["pair_id"].to_list()[:2]})
    with pytest.raises(ConfigError, match="at least one pair"):
        InfluenceEnv(stage[0], stage[1].clear(), stage[2])


def test_the_loop_does_not_need_gymnasium() -> None:
    code = "import sys; sys.modules['gymnasium'] = None; import influpath.simulation"
    subprocess.run([sys.executable, "-c", code], check=True)
