"""Planning with IRN straightforwardly: re-encode at every step, loop over rows, look at each item.

The same paths as ``IRNPlanner`` makes at the same dials, by the definitions: every window is read
again at every step, with the objective shown and hidden where the dials ask for both; for the
look-ahead the window is read again after each candidate.

Shape suffixes: B windows, L window, I catalogue items.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from influpath.benchmarks.plain_irn import PlainIRN
from influpath.planning.irn import BELOW_FLOOR, IRNDials
from influpath.planning.schedule import at_step, float_at_step

BATCH = 128


class PlainPlanner:
    """Plans row by row.

    Args:
        model: The network, in evaluation mode.
        dials: As of ``IRNPlanner``; w_t is that of the first step throughout.
        max_length: M.
    """

    def __init__(self, model: PlainIRN, dials: IRNDials, max_length: int) -> None:
        self.model, self.dials, self.max_length = model, dials, max_length
        self.w_t = float_at_step(dials.w_t, 1, max_length)

    @torch.no_grad()
    def plan(
        self, histories: Sequence[list[int]], objectives: list[int], users: list[int]
    ) -> list[list[int]]:
        """Return one path of item numbers per row."""
        paths: list[list[int]] = [[] for _ in histories]
        left = list(range(len(histories)))
        for k in range(1, self.max_length + 1):
            known = [[*histories[row], *paths[row]] for row in left]
            goals, who = [objectives[row] for row in left], [users[row] for row in left]
            scores_BI = self.scores(k, known, goals, who)
            for place, row in enumerate(left):
                for item in known[place]:
                    scores_BI[place, item - 1] = -torch.inf
                paths[row].append(int(scores_BI[place].argmax()) + 1)
            left = [row for row in left if paths[row][-1] != objectives[row]]
            if not left:
                break
        return paths

    def slots(self, k: int) -> int:
        """Return the empty slots before the objective when item k is chosen."""
        return (self.max_length - k) // at_step(self.dials.pace, k)

    def scores(self, k: int, known: list[list[int]], goals: list[int], users: list[int]) -> Tensor:
        """Return what ranks the next item, [B, I]; items of the row are not left out yet."""
        slots, dials = self.slots(k), self.dials
        guidance = float_at_step(dials.guidance, k, self.max_length)
        floor = at_step(dials.floor, k)
        ahead = float_at_step(dials.lookahead, k, self.max_length)
        toward_BI = self.read(known, slots, goals, users)
        if guidance == 1 and not floor and not dials.looks_ahead:
            return toward_BI
        alone_BI = self.read(known, slots, [0] * len(known), users)
        scores_BI = alone_BI + guidance * (toward_BI - alone_BI)
        for row, items in enumerate(known):
            allowed = alone_BI[row].clone()
            for item in items:
                allowed[item - 1] = -torch.inf
            best = allowed.sort(descending=True).indices.tolist()
            if floor:
                below = torch.ones(len(allowed), dtype=torch.bool)
                below[best[:floor]] = False
                scores_BI[row] -= BELOW_FLOOR * below
            if ahead:
                candidates = best[: min(floor or len(best), dials.lookahead_top)]
                self.look_ahead(
                    scores_BI[row], candidates, best, k, items, goals[row], users[row], ahead
                )
        return scores_BI

    def look_ahead(
        self,
        scores: Tensor,
        candidates: list[int],
        best: list[int],
        k: int,
        known: list[int],
        goal: int,
        user: int,
        weight: float,
    ) -> None:
        """Add the look-ahead to one row's scores, and deliver, in place."""
        slots = max(1, self.slots(k))
        now = self.read([known], slots, [0], [user])[0, goal - 1]
        for start in range(0, len(candidates), BATCH):
            part = candidates[start : start + BATCH]
            longer = [[*known, column + 1] for column in part]
            count = len(part)
            after = self.read(longer, slots - 1, [0] * count, [user] * count)[:, goal - 1]
            for column, value in zip(part, after, strict=True):
                scores[column] += weight * (value - now)
        rank = best.index(goal - 1)
        last = k == self.max_length
        gate = (
            at_step(self.dials.floor, k) or len(best) if last else at_step(self.dials.delivery, k)
        )
        if rank < gate:
            seen = torch.tensor([item - 1 for item in known])
            scores[goal - 1] = scores.index_fill(0, seen, -torch.inf).max() + 1
        else:
            scores[goal - 1] -= BELOW_FLOOR

    def read(
        self, known: list[list[int]], slots: int, goals: list[int], users: list[int]
    ) -> Tensor:
        """Return log-probabilities of the item after each window, [B, I]; goal 0 is hidden."""
        l_max = self.model.config.l_max
        width = l_max - 1 - slots
        parts = []
        for start in range(0, len(known), BATCH):
            windows = []
            for items, goal in zip(
                known[start : start + BATCH], goals[start : start + BATCH], strict=True
            ):
                shown = items[-width:]
                windows.append([0] * (width - len(shown)) + shown + [0] * slots + [goal])
            items_BL = torch.tensor(windows)
            users_B = torch.tensor(users[start : start + BATCH])
            logits = self.model(items_BL, users_B, items_BL[:, -1] > 0, self.w_t)
            parts.append(torch.log_softmax(logits[:, width - 1], dim=-1))
        return torch.cat(parts)
