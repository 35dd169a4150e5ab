"""Laying known items, empty slots and the objective out in IRN's window (design of the horizon).

In training the slot right before the objective always has the objective as its target, so the
distance to the objective tells the network how many items may still come.  Planning keeps that
meaning: when item k = 1..M is chosen, ``floor((M - k) / pace)`` empty slots lie between the last
known item and the objective.

Shape suffixes: B batch, L window.
"""

import numpy as np
import torch
from torch import Tensor

from influpath.data.sequences import IntArray, Sequences


def empty_slots(step: int, max_length: int, pace: int, aligned: bool = True) -> int:
    """Return the number of empty slots before the objective when item ``step`` is chosen.

    Args:
        step: k, from 1.
        max_length: M.
        pace: Above 1 heads for an arrival before the horizon.
        aligned: False is the literal variant: never a slot.
    """
    return max(0, max_length - step) // pace if aligned else 0


def plan_window(known: Sequences, objectives_B: IntArray, slots: int, l_max: int) -> Tensor:
    """Return windows [B, l_max]: the last known items, empty slots, the objective.

    Args:
        known: History and path so far, one row each.
        objectives_B: Item numbers; 0 where the objective is hidden.
        slots: Empty slots between the last known item and the objective.
        l_max: Length of the window.
    """
    width = l_max - 1 - slots
    if width < 1:
        raise ValueError("the window has no room for a known item")
    empty_BS = np.zeros((len(known), slots), dtype=np.int64)
    parts = [known.window(width), empty_BS, np.asarray(objectives_B)[:, None]]
    return torch.as_tensor(np.concatenate(parts, axis=1))


def training_window(pieces: Sequences) -> Tensor:
    """Return pre-padded pieces [B, longest]; the last item of each is its objective."""
    return torch.as_tensor(pieces.window(int(pieces.lengths.max())))
