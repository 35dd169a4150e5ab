"""What one reading of a user says about how easily each item can be reached.

The planner's own model reads each user's history once, with no objective shown, and so speaks of
every item at the same time: that is what makes feasibility cheap enough to rank all items for a
user and all users for an item.  The judge has no part in it.

Tried and left out, since they tell no more: r_u of IRN, the length of the history, the similarity
of the item to the history or to the likely items, and what IRN says with the objective shown.

Shape suffixes: B users, I catalogue items.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from influpath.data.dataset import Dataset
from influpath.data.sequences import IntArray, Sequences
from influpath.errors import ConfigError
from influpath.planning.base import seen_items
from influpath.recommenders.base import Recommender

# Users who are read once for what is typical of an item, and the top ranks that count as likely.
REFERENCE_USERS, LIKELY = 1024, 20


@dataclass(frozen=True, eq=False)
class ItemFacts:
    """What is known of the items whoever the user is.

    Attributes:
        popularity_I: log(1 + interactions in training), float32 [I].
        ease_I: log of the share of reference users among whose likely items it is, float32 [I].
    """

    popularity_I: Tensor
    ease_I: Tensor

    @classmethod
    def of(cls, model: Recommender, dataset: Dataset, seed: int = 0) -> "ItemFacts":
        """Count interactions, and read reference users drawn by seed.

        Args:
            model: The planner's model.
            dataset: What it was trained on.
            seed: Draws the reference users.

        Raises:
            ConfigError: The dataset has other items than the model.
        """
        if dataset.items != model.items:
            raise ConfigError(
                f"feasibility needs the dataset that the model was trained on; {dataset.name} has "
                "other items."
            )
        rng = np.random.default_rng([seed, 0xEA5E])
        rows = np.sort(rng.permutation(len(dataset.users))[:REFERENCE_USERS])
        users = model.users.encode(dataset.users.decode(rows), unknown="mark")
        likely_I, open_I = torch.zeros(2, model.item_count)
        size = rows_at_once(model)
        for start in range(0, len(rows), size):
            part = slice(start, start + size)
            reading = Reading.of(model, dataset.sequences.take(rows[part]), users[part])
            likely_I += ((reading.rank_BI <= LIKELY) & ~reading.had_BI).sum(0)
            open_I += (~reading.had_BI).sum(0)
        counts_I = torch.from_numpy(dataset.item_counts[1:]).float()
        # Half a user more, so that an item that is likely for nobody has a logarithm too.
        return cls(torch.log1p(counts_I), torch.log((likely_I + 0.5) / (open_I + 1)))


@dataclass(frozen=True, eq=False)
class Reading:
    """What a model says after each user's history.

    Attributes:
        log_prob_BI: log p(i | s), the objective hidden.
        had_BI: True where the user has had the item, or it may not be shown.
    """

    log_prob_BI: Tensor
    had_BI: Tensor

    @classmethod
    def of(
        cls,
        model: Recommender,
        known: Sequences,
        users_B: IntArray,
        barred_BI: Tensor | None = None,
    ) -> "Reading":
        """Read each user once.

        Args:
            model: The planner's model.
            known: Item numbers, oldest first.
            users_B: User rows of the model, -1 where unknown.
            barred_BI: Items that may not be shown; those of ``known`` where not given.
        """
        had_BI = seen_items(known, model.item_count) if barred_BI is None else barred_BI
        return cls(model.log_probs(known, users_B), had_BI)

    @cached_property
    def open_BI(self) -> Tensor:
        """Log p(i | s), -inf where the user has had the item."""
        return self.log_prob_BI.masked_fill(self.had_BI, -torch.inf)

    @cached_property
    def rank_BI(self) -> Tensor:
        """The rank of each item among those that the user has not had; 1 is best."""
        order_BI = self.open_BI.argsort(dim=1, descending=True, stable=True)
        rank_BI = torch.empty_like(order_BI)
        rank_BI.scatter_(1, order_BI, torch.arange(1, order_BI.shape[1] + 1).expand_as(order_BI))
        return rank_BI

    @cached_property
    def entropy_B1(self) -> Tensor:
        """How unsure the model is of what comes next, in nats."""
        entropy_BI: Tensor = torch.special.entr(self.log_prob_BI.exp())
        return entropy_BI.sum(1, keepdim=True)


def rows_at_once(model: Recommender) -> int:
    """Return how many users can be read at once; ranks and features take room too."""
    return max(1, model.chunk_rows() // 8)


# Each is [B, I], or 1 where it does not depend on the user or the item.
FEATURES: Mapping[str, Callable[[Reading, ItemFacts], Tensor]] = {
    "log_prob": lambda reading, facts: reading.log_prob_BI,
    "log_rank": lambda reading, facts: reading.rank_BI.float().log(),
    "entropy": lambda reading, facts: reading.entropy_B1,
    "popularity": lambda reading, facts: facts.popularity_I[None],
    "ease": lambda reading, facts: facts.ease_I[None],
}
