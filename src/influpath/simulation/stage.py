"""What the environments stand on: episodes of many users, and what an agent sees of them.

Needs gymnasium, for the spaces.

Shape suffixes: B rows, I catalogue items, W history items.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from gymnasium import spaces

from influpath.data.sequences import IntArray
from influpath.errors import ConfigError
from influpath.planning.algorithm import Histories, encode_pairs
from influpath.planning.responses import Response
from influpath.simulation.audience import Answers, Audience, LoopConfig
from influpath.simulation.chance import Chance
from influpath.simulation.users import UserModel

Observation = dict[str, npt.NDArray[Any]]
# Luck seeds are drawn below this.
SEEDS = 2**62


class Stage:
    """Episodes of many users, begun and stepped row by row.

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

    @torch.inference_mode()
    def draw(self, count: int, rng: np.random.Generator, options: dict[str, Any] | None) -> None:
        """Begin as many episodes anew."""
        rows, luck = self.choose(count, rng, options)
        self.audience = self.begin(rows, luck)
        self.rows = rows
        self.history_BW = self.known.take(rows).window(self.width)
        self.barred_BI = self.audience.users.taken_BI.clone()
        self.response_B = np.full(count, Response.NOTHING, dtype=np.int64)
        self.event_B = np.zeros(count, dtype=np.int64)

    @torch.inference_mode()
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

    @torch.inference_mode()
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
