"""The closed loop as a gymnasium environment: an agent shows one item a round to one user or many.

    env = InfluenceEnv(TruthUserModel(world.truth(dataset), dataset), pairs, split.train)
    envs = InfluenceVectorEnv(users, pairs, split.train, num_envs=256)

or, on the simulated world, by name:

    where = "influpath.simulation.environment:influpath/SimulatedWorld-v0"
    env, envs = gymnasium.make(where), gymnasium.make_vec(where, num_envs=256)

An episode is one pair's visit.  The action is the number of the item to show.  The reward is 1 in
the round in which the user takes the objective that is shown, else 0.  The episode terminates when
the user has arrived, took the objective alone, or left, and is truncated after M rounds.  An action
that may not be shown (what the user has, or rejected) shows nothing; ``info["action_mask"]`` says
which may be.

Chance in an episode comes from the environment's generator, or, where ``options["pair_ids"]`` names
the pairs, from the loop's seed: an agent then meets the users and the luck that ``simulate`` gives
a planner.  The agent is told what a planner is told, and nothing of the user model.

Needs gymnasium (``pip install "influpath[simulate]"``).

Shape suffixes: B sub-environments.
"""

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
import polars as pl
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from influpath.data.sequences import IntArray
from influpath.planning.algorithm import Histories
from influpath.simulation.audience import LoopConfig
from influpath.simulation.stage import Observation, Stage
from influpath.simulation.users import UserModel

SIMULATED_WORLD = "influpath/SimulatedWorld-v0"


class InfluenceVectorEnv(VectorEnv[Observation, IntArray, npt.NDArray[Any]]):
    """Many users at once; an episode that ended begins anew in the next step (``NEXT_STEP``).

    Args are those of ``Stage``, and ``num_envs``: users at once.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - as gymnasium has it
        "render_modes": [],
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        users: UserModel,
        pairs: pl.DataFrame,
        histories: Histories,
        num_envs: int = 1,
        config: LoopConfig | None = None,
        history_length: int = 50,
    ) -> None:
        self.stage = Stage(users, pairs, histories, config, history_length)
        self.num_envs = num_envs
        self.single_action_space = self.stage.action_space
        self.single_observation_space = self.stage.observation_space
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._over_B = np.zeros(num_envs, dtype=np.bool_)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin all episodes anew.

        Args:
            seed: Of the generator that episodes are drawn from.
            options: ``pair_ids`` names the pairs.
        """
        super().reset(seed=seed)
        self.stage.draw(self.num_envs, self.np_random, options)
        self._over_B = np.zeros(self.num_envs, dtype=np.bool_)
        return self.stage.observe(), self.stage.about()

    def step(
        self, actions: IntArray
    ) -> tuple[Observation, npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any], dict[str, Any]]:
        """Show one item to every user; users whose episode ended are replaced by new ones."""
        answers = self.stage.show(np.asarray(actions, dtype=np.int64))
        fresh = np.flatnonzero(self._over_B)
        going_on_B = ~self._over_B
        rewards_B = (answers.arrived_B & going_on_B).astype(np.float64)
        terminated_B = answers.over_B & going_on_B
        truncated_B = self.stage.truncated_B & going_on_B & ~terminated_B
        if len(fresh):
            self.stage.redraw(fresh, self.np_random)
        self._over_B = terminated_B | truncated_B
        return self.stage.observe(), rewards_B, terminated_B, truncated_B, self.stage.about()


class InfluenceEnv(gymnasium.Env[dict[str, Any], np.int64]):
    """One user at a time.  Args are those of ``Stage``."""

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - as gymnasium has it

    def __init__(
        self,
        users: UserModel,
        pairs: pl.DataFrame,
        histories: Histories,
        config: LoopConfig | None = None,
        history_length: int = 50,
    ) -> None:
        self.stage = Stage(users, pairs, histories, config, history_length)
        self.action_space = self.stage.action_space
        self.observation_space = self.stage.observation_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin an episode; see ``InfluenceVectorEnv.reset``."""
        super().reset(seed=seed)
        self.stage.draw(1, self.np_random, options)
        return first_of(self.stage.observe()), first_of(self.stage.about())

    def step(self, action: np.int64) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Show one item."""
        answers = self.stage.show(np.array([action], dtype=np.int64))
        over = bool(answers.over_B[0])
        return (
            first_of(self.stage.observe()),
            float(answers.arrived_B[0]),
            over,
            bool(self.stage.truncated_B[0]) and not over,
            first_of(self.stage.about()),
        )


def first_of(batch: dict[str, Any]) -> dict[str, Any]:
    """Return the only row."""
    return {name: values[0] for name, values in batch.items()}


def simulated_world(
    num_envs: int | None = None, seed: int = 0, config: LoopConfig | None = None, **world: Any
) -> Any:
    """Return the environment of a simulated world, its true users and one pair per user.

    Args:
        num_envs: Users at once; None is an environment of one.
        seed: Draws the pairs.
        config: What users are like, and M.
        world: Settings of the world.
    """
    from influpath.data import SimulatedWorld, leave_last_out, load_dataset
    from influpath.evaluation.pairs import sample_pairs
    from influpath.simulation.truth_users import TruthUserModel

    settings = SimulatedWorld.parse(world, "settings of the simulated world")
    dataset = load_dataset("simulated", **world)
    users = TruthUserModel(settings.truth(dataset), dataset)
    pairs, train = sample_pairs(dataset, seed), leave_last_out(dataset).train
    if num_envs is None:
        return InfluenceEnv(users, pairs, train, config)
    return InfluenceVectorEnv(users, pairs, train, num_envs, config)


gymnasium.register(SIMULATED_WORLD, entry_point=simulated_world, vector_entry_point=simulated_world)
