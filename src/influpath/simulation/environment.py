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

Shape suffixes: B sub-environments, I catalogue items, W history items.
"""

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from influpath.data.sequences import IntArray
from influpath.errors import ConfigError
from influpath.planning.algorithm import Histories, encode_pairs
from influpath.planning.responses import Response
from influpath.simulation.audience import Answers, Audience, LoopConfig
from influpath.simulation.chance import Chance
from influpath.simulation.users import UserModel

Observation = dict[str, npt.NDArray[Any]]
SIMULATED_WORLD = "influpath/SimulatedWorld-v0"
# Luck seeds are drawn below this.
SEEDS = 2**62


class Stage:
    """What both environments stand on: episodes of many users, begun and stepped row by row.

    Args:
        users: How users behave.
        pairs: Frame ``pair_id, user_id, objective_id`` that episodes are drawn from.
        histories: The history of each user; see ``plan``.
        config: What users are like, and M.
        history_length: W, the last items of the history that are observed.
    """

    def __init__(
        self,
        users: UserModel,
        pairs: pl.DataFrame,
        histories: Histories,
        config: LoopConfig | None = None,
        history_length: int = 50,
    ) -> None:
        if not pairs.height or history_length < 1:
            raise ConfigError("an environment needs at least one pair and one item of the history.")
        self.users, self.config = users, config or LoopConfig()
        self.width = history_length
        self.known, self.objectives, self.user_rows = encode_pairs(users, pairs, histories)
        self.pair_ids = pairs["pair_id"].to_numpy().astype(np.int64)
        items = len(users.items)
        self.action_space = spaces.Discrete(items, start=1)
        self.observation_space = spaces.Dict(
            {
                "history": spaces.Box(0, items, (history_length,), np.int64),
                "objective": spaces.Discrete(items, start=1),
                "round": spaces.Discrete(self.config.rounds + 1),
                "response": spaces.Discrete(len(Response)),
                "event": spaces.Discrete(items + 1),
            }
        )

    def draw(self, count: int, rng: np.random.Generator, options: dict[str, Any] | None) -> None:
        """Begin as many episodes anew."""
        rows, luck = self.choose(count, rng, options)
        self.audience = self.begin(rows, luck)
        self.rows = rows
        self.history_BW = self.known.take(rows).window(self.width)
        self.barred_BI = self.audience.users.taken_BI.clone()
        self.response_B = np.full(count, Response.NOTHING, dtype=np.int64)
        self.event_B = np.zeros(count, dtype=np.int64)

    def redraw(self, where: IntArray, rng: np.random.Generator) -> None:
        """Begin new episodes in some rows."""
        rows, luck = self.choose(len(where), rng, None)
        fresh = self.begin(rows, luck)
        self.barred_BI[torch.from_numpy(where)] = fresh.users.taken_BI
        self.audience.replace(where, fresh)
        self.rows[where] = rows
        self.history_BW[where] = self.known.take(rows).window(self.width)
        self.response_B[where], self.event_B[where] = Response.NOTHING, 0

    def choose(
        self, count: int, rng: np.random.Generator, options: dict[str, Any] | None
    ) -> tuple[IntArray, npt.NDArray[np.uint64]]:
        """Return which pairs, and the seeds of their luck.

        Raises:
            ConfigError: ``options["pair_ids"]`` names other pairs, or another number of them.
        """
        given = (options or {}).get("pair_ids")
        if given is None:
            rows = rng.integers(len(self.pair_ids), size=count)
            return rows, rng.integers(SEEDS, size=count).astype(np.uint64)
        place = {pair: row for row, pair in enumerate(self.pair_ids.tolist())}
        unknown = [pair for pair in given if pair not in place]
        if unknown or len(given) != count:
            what = f"pair {unknown[0]!r} is none of them" if unknown else f"{len(given)} are given"
            raise ConfigError(f"options['pair_ids']: {count} pair(s) are needed; {what}.")
        rows = np.array([place[pair] for pair in given], dtype=np.int64)
        return rows, np.full(count, self.config.seed, dtype=np.uint64)

    def begin(self, rows: IntArray, luck: npt.NDArray[np.uint64]) -> Audience:
        """Return the users of pairs before their first round."""
        return Audience(
            self.users.begin(self.user_rows[rows], self.known.take(rows)),
            self.objectives[rows].copy(),
            Chance.of(luck, self.pair_ids[rows]),
            self.config,
        )

    def show(self, actions_B: IntArray) -> Answers:
        """Show each user an item; nothing where it may not be shown."""
        rows = np.arange(len(actions_B))
        items_B = np.where(self.barred_BI.numpy()[rows, actions_B - 1], 0, actions_B)
        answers = self.audience.show(items_B)
        accepted_B = np.where(answers.responses_B == Response.ACCEPTED, items_B, 0)
        for taken_B in (accepted_B, answers.events_B):
            moved_BW = np.concatenate([self.history_BW[:, 1:], taken_B[:, None]], axis=1)
            self.history_BW = np.where(taken_B[:, None] > 0, moved_BW, self.history_BW)
        refused = np.flatnonzero(answers.responses_B == Response.REJECTED)
        self.barred_BI[torch.from_numpy(refused), torch.from_numpy(items_B[refused] - 1)] = True
        self.barred_BI |= self.audience.users.taken_BI
        self.response_B = answers.responses_B.astype(np.int64)
        self.event_B = answers.events_B
        return answers

    @property
    def truncated_B(self) -> npt.NDArray[np.bool_]:
        """Where all rounds are used."""
        return self.audience.round_B >= self.config.rounds

    def observe(self) -> Observation:
        """Return what the agent sees of every row."""
        return {
            "history": self.history_BW.copy(),
            "objective": self.audience.objectives_B.copy(),
            "round": self.audience.round_B.copy(),
            "response": self.response_B.copy(),
            "event": self.event_B.copy(),
        }

    def about(self) -> dict[str, Any]:
        """Return the info of every row."""
        return {
            "pair_id": self.pair_ids[self.rows],
            "action_mask": (~self.barred_BI).numpy().astype(np.int8),
        }


class InfluenceVectorEnv(VectorEnv[Observation, IntArray, npt.NDArray[Any]]):
    """Many users at once; an episode that ended begins anew in the next step (``NEXT_STEP``).

    Args:
        users: How users behave.
        pairs: Frame ``pair_id, user_id, objective_id`` that episodes are drawn from.
        histories: The history of each user; see ``plan``.
        num_envs: Users at once.
        config: What users are like, and M.
        history_length: Last items of the history that are observed.
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
        with torch.inference_mode():
            self.stage.draw(self.num_envs, self.np_random, options)
        self._over_B = np.zeros(self.num_envs, dtype=np.bool_)
        return self.stage.observe(), self.stage.about()

    def step(
        self, actions: IntArray
    ) -> tuple[Observation, npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any], dict[str, Any]]:
        """Show one item to every user; users whose episode ended are replaced by new ones."""
        with torch.inference_mode():
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
    """One user at a time.

    Args:
        users: How users behave.
        pairs: Frame ``pair_id, user_id, objective_id`` that episodes are drawn from.
        histories: The history of each user; see ``plan``.
        config: What users are like, and M.
        history_length: Last items of the history that are observed.
    """

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
        with torch.inference_mode():
            self.stage.draw(1, self.np_random, options)
        return first_of(self.stage.observe()), first_of(self.stage.about())

    def step(self, action: np.int64) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Show one item."""
        with torch.inference_mode():
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
