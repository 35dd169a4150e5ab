"""A simulated world that knows the truth: who would accept what, after any history.

The world is the embedded default dataset, and the yardstick for judges: a learnt judge's
acceptance can be compared with the true one.

**Items.** Genre g has a unit vector c_g (the G of them are orthonormal).  Item i has a primary
genre and, for ``bridge_share`` of the items, a second one near it on a ring of genres (bridges,
over which a taste can be led anywhere).  With noise n_i of length ``item_noise``,

    v_i = normalise(normalise(w c_g + (1 - w) c_h) + n_i),

where w is 1, or uniform in 0.4..0.7 for a bridge.

It is shown with a weight e_i = rank_i ** -popularity_skew, and has a quality b_i ~ N(0, 0.3).

**Users.** A taste is a unit vector u.  It starts at u_0, a mix of mostly one to three genre vectors
plus noise.  Accepting item i moves it toward the item, rejecting does nothing:

    u_(t+1) = normalise((1 - drift) u_t + drift v_i).

**Acceptance.** The truth that ``WorldTruth.acceptance`` returns, for a user with taste u:

    a(i | u) = sigmoid(steepness (u . v_i - threshold) + b_i).

**Log.** Items are shown in proportion to e_i until one is accepted, each at most once per user, so
the next item is drawn from the items not yet consumed with probability

    p(i | u) = e_i a(i | u) / sum_j e_j a(j | u).

Everything is drawn from generators seeded with ``seed``: the same settings give the same world and
log, bit for bit.

Shape suffixes: B users (batch), I items, D dimensions, G genres.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field, model_validator

from influpath.config import FrozenConfig
from influpath.data.dataset import Dataset
from influpath.data.ids import MISSING, IdMap
from influpath.data.log import InteractionLog
from influpath.data.sequences import IntArray, Sequences
from influpath.data.titles import GENRES, make_titles
from influpath.errors import UnknownIdError

FloatArray = npt.NDArray[np.float64]
EPOCH = 1_700_000_000  # seconds; when the first users arrive


class SimulatedWorld(FrozenConfig):
    """The settings of a world; its items, users and truth follow from them.

    Attributes:
        seed: Of everything random.
        items: Number of items.
        users: Number of users.
        genres: Number of genres.
        dimensions: Dimensions of the taste space, at least ``genres``.
        bridge_share: Share of items with two genres.
        item_noise: How far items scatter around their genres.
        popularity_skew: 0 shows all items alike; larger values favour few.
        drift: How far one consumed item moves a taste toward itself, 0..1.
        steepness: How sharply acceptance depends on taste.
        threshold: The likeness u . v_i at which half of the users accept.
        shortest: Fewest interactions of a user.
        longest: Most interactions of a user.
    """

    seed: int = Field(default=0, ge=0)
    items: int = Field(default=600, ge=24)
    users: int = Field(default=2000, ge=1)
    genres: int = Field(default=12, ge=3, le=len(GENRES))
    dimensions: int = Field(default=16, ge=3)
    bridge_share: float = Field(default=0.5, ge=0, le=1)
    item_noise: float = Field(default=0.4, ge=0)
    popularity_skew: float = Field(default=0.6, ge=0)
    drift: float = Field(default=0.2, gt=0, lt=1)
    steepness: float = Field(default=10.0, gt=0, le=100)
    threshold: float = Field(default=0.55, ge=-1, le=1)
    shortest: int = Field(default=40, ge=2)
    longest: int = Field(default=80, ge=2)

    @model_validator(mode="after")
    def _fits(self) -> "SimulatedWorld":
        if self.dimensions < self.genres:
            raise ValueError("dimensions must be at least genres")
        if not self.shortest <= self.longest <= self.items // 2:
            raise ValueError("shortest <= longest <= items / 2 must hold")
        return self

    @cached_property
    def _drawn(self) -> "_Drawn":
        """Everything drawn before the log."""
        return _draw(self)

    @property
    def item_ids(self) -> list[str]:
        """Outside ids of the items."""
        return [f"i{n:04d}" for n in range(1, self.items + 1)]

    @property
    def user_ids(self) -> list[str]:
        """Outside ids of the users."""
        return [f"u{n:05d}" for n in range(1, self.users + 1)]

    def generate(self) -> InteractionLog:
        """Simulate all users and return their log, user by user, oldest first."""
        rng = np.random.default_rng([self.seed, 1])
        lengths = rng.integers(self.shortest, self.longest + 1, size=self.users)
        chosen_BT = np.zeros((self.users, self.longest), dtype=np.int64)
        u_BD = self._drawn.tastes.copy()
        unseen_BI = np.ones((self.users, self.items))
        for step in range(self.longest):
            rows = np.flatnonzero(lengths > step)
            weight_BI = _acceptance(self, self._drawn, u_BD[rows]) * self._drawn.exposure
            cumulated_BI = np.cumsum(weight_BI * unseen_BI[rows], axis=1)
            total_B = cumulated_BI[:, -1]
            # Inverse of the cumulated distribution; a draw rounded up to the total would miss it.
            drawn_B = np.minimum(rng.random(len(rows)) * total_B, np.nextafter(total_B, 0.0))
            item_B = (cumulated_BI <= drawn_B[:, None]).sum(axis=1)
            chosen_BT[rows, step] = item_B
            unseen_BI[rows, item_B] = 0.0
            u_BD[rows] = _drifted(u_BD[rows], self._drawn.vectors[item_B], self.drift)
        started_B = rng.integers(0, 300 * 86_400, size=self.users)
        gaps_BT = rng.integers(600, 2 * 86_400, size=chosen_BT.shape)
        time_BT = EPOCH + started_B[:, None] + np.cumsum(gaps_BT, axis=1)
        inside_BT = np.arange(self.longest)[None, :] < lengths[:, None]
        events = pl.DataFrame(
            {
                "user_id": pl.Series(self.user_ids)[np.repeat(np.arange(self.users), lengths)],
                "item_id": pl.Series(self.item_ids)[chosen_BT[inside_BT]],
                "timestamp": time_BT[inside_BT],
            }
        )
        return InteractionLog(
            name="simulated", events=events, catalogue=self.catalogue(), origin="simulated"
        )

    def catalogue(self) -> pl.DataFrame:
        """Return ``item_id, title, genres`` of every item."""
        primary, second = self._drawn.primary.tolist(), self._drawn.second.tolist()
        return pl.DataFrame(
            {
                "item_id": self.item_ids,
                "title": make_titles(primary, second),
                "genres": [
                    [GENRES[g]] if g == h else [GENRES[g], GENRES[h]]
                    for g, h in zip(primary, second, strict=True)
                ],
            }
        )

    def truth(self, dataset: Dataset) -> "WorldTruth":
        """Return the truth in the item numbers and user rows of a dataset made from this world.

        Raises:
            UnknownIdError: The dataset holds items that this world does not have.
        """
        numbers = IdMap(self.item_ids, 0, "item").encode(dataset.items.ids, unknown="mark")
        if (numbers == MISSING).any():
            bad = dataset.items.ids[int(np.argmin(numbers))]
            raise UnknownIdError(
                f"item id {bad!r} is not in this simulated world; use the dataset made from it."
            )
        rows = IdMap(self.user_ids, 0, "user").encode(dataset.users.ids, unknown="mark")
        mean_D = _unit(self._drawn.tastes.mean(axis=0))
        return WorldTruth(
            world=self,
            vectors=self._drawn.vectors[numbers],
            quality=self._drawn.quality[numbers],
            exposure=self._drawn.exposure[numbers],
            tastes=np.where(rows[:, None] == MISSING, mean_D, self._drawn.tastes[rows]),
            mean=mean_D,
        )


@dataclass(frozen=True, eq=False)
class WorldTruth:
    """The true tastes and acceptance probabilities, in the numbers of one dataset.

    Attributes:
        world: The world.
        vectors: v_i [I, D]; row n belongs to item number n + 1.
        quality: b_i [I].
        exposure: e_i [I].
        tastes: u_0 of each user row [users, D].
        mean: u_0 [D] of a user the world does not know: the mean over the population.
    """

    world: SimulatedWorld
    vectors: FloatArray
    quality: FloatArray
    exposure: FloatArray
    tastes: FloatArray
    mean: FloatArray

    def initial(self, users: npt.NDArray[np.int64]) -> FloatArray:
        """Return u_0 [B, D] of user rows; -1 stands for an unknown user."""
        users = np.asarray(users, dtype=np.int64)
        return np.where(users[:, None] < 0, self.mean, self.tastes[np.maximum(users, 0)])

    def state(self, histories: Sequences, users: npt.NDArray[np.int64] | None = None) -> FloatArray:
        """Replay histories of accepted items and return the taste after each.

        Args:
            histories: Item numbers, oldest first, one row per user.
            users: The user row of each history, -1 for an unknown user; without it all are
                unknown and start from the population's mean taste.

        Returns:
            The tastes, float64 [B, D].
        """
        if users is None:
            users = np.full(len(histories), MISSING, dtype=np.int64)
        u_BD = self.initial(users)
        window_BT = histories.window(int(histories.lengths.max(initial=0)))
        for item_B in window_BT.T:
            u_BD = self.accept(u_BD, item_B)
        return u_BD

    def accept(self, state: FloatArray, items: npt.NDArray[np.int64]) -> FloatArray:
        """Return the tastes [B, D] after each user accepted an item; number 0 changes nothing."""
        items = np.asarray(items, dtype=np.int64)
        moved_BD = _drifted(state, self.vectors[np.maximum(items, 1) - 1], self.world.drift)
        return np.where(items[:, None] > 0, moved_BD, state)

    def acceptance(
        self, state: FloatArray, items: npt.NDArray[np.int64] | None = None
    ) -> FloatArray:
        """Return the true probability that a user accepts an item when it is shown.

        Args:
            state: Tastes [B, D].
            items: Item numbers [K]; every item of the dataset where not given.

        Returns:
            float64 [B, K]; without ``items``, column n belongs to item number n + 1.
        """
        columns = slice(None) if items is None else np.asarray(items, dtype=np.int64) - 1
        likeness_BI = state @ self.vectors[columns].T
        return _sigmoid(
            self.world.steepness * (likeness_BI - self.world.threshold) + self.quality[columns]
        )

    def next_item(self, state: FloatArray, seen: Sequences | None = None) -> FloatArray:
        """Return p(i | u), the distribution the log was drawn from, float64 [B, items].

        Args:
            state: Tastes [B, D].
            seen: Items that cannot come again, one row per user.
        """
        weight_BI = self.acceptance(state) * self.exposure
        if seen is not None:
            weight_BI[seen.row_of_value, seen.values - 1] = 0.0
        return np.asarray(weight_BI / weight_BI.sum(axis=1, keepdims=True), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class _Drawn:
    """What a world draws once, in the world's own item order (position n is item n + 1)."""

    primary: IntArray
    second: IntArray
    vectors: FloatArray
    quality: FloatArray
    exposure: FloatArray
    tastes: FloatArray


def _draw(world: SimulatedWorld) -> _Drawn:
    """Draw the items and the initial tastes."""
    rng = np.random.default_rng([world.seed, 0])
    rotation, _ = np.linalg.qr(rng.normal(size=(world.dimensions, world.dimensions)))
    centre_GD = rotation[: world.genres]
    # Every genre is primary for equally many items.
    primary_I = rng.permutation(np.arange(world.items) % world.genres)
    bridge_I = rng.random(world.items) < world.bridge_share
    # Neighbours on the ring are near; one bridge in five spans to any other genre.
    near_I = rng.choice([-2, -1, 1, 2], size=world.items, p=[0.15, 0.35, 0.35, 0.15])
    far_I = rng.integers(1, world.genres, size=world.items)
    step_I = np.where(rng.random(world.items) < 0.2, far_I, near_I)
    second_I = np.where(bridge_I, (primary_I + step_I) % world.genres, primary_I)
    share_I = np.where(second_I != primary_I, rng.uniform(0.4, 0.7, size=world.items), 1.0)
    mixed_ID = (
        share_I[:, None] * centre_GD[primary_I] + (1 - share_I)[:, None] * centre_GD[second_I]
    )
    noise_ID = _unit(rng.normal(size=mixed_ID.shape)) * world.item_noise
    vectors_ID = _unit(_unit(mixed_ID) + noise_ID)
    rank_I = rng.permutation(world.items) + 1
    mix_BG = rng.dirichlet(np.full(world.genres, 0.15), size=world.users)
    noise_BD = rng.normal(size=(world.users, world.dimensions)) * 0.05
    return _Drawn(
        primary=primary_I,
        second=second_I,
        vectors=vectors_ID,
        quality=rng.normal(size=world.items) * 0.3,
        exposure=rank_I.astype(np.float64) ** -world.popularity_skew,
        tastes=_unit(_unit(mix_BG @ centre_GD) + noise_BD),
    )


def _acceptance(world: SimulatedWorld, drawn: _Drawn, u_BD: FloatArray) -> FloatArray:
    """Return a(i | u) [B, I] in the world's own item order."""
    likeness_BI = u_BD @ drawn.vectors.T
    return _sigmoid(world.steepness * (likeness_BI - world.threshold) + drawn.quality)


def _drifted(u_BD: FloatArray, v_BD: FloatArray, drift: float) -> FloatArray:
    """Return normalise((1 - drift) u + drift v)."""
    return _unit((1.0 - drift) * u_BD + drift * v_BD)


def _sigmoid(x: FloatArray) -> FloatArray:
    return np.asarray(1.0 / (1.0 + np.exp(-x)), dtype=np.float64)


def _unit(x: FloatArray) -> FloatArray:
    return np.asarray(x / np.linalg.norm(x, axis=-1, keepdims=True), dtype=np.float64)
