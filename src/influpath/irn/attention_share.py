"""How much of IRN's attention goes to the objective: look here before believing a sweep over w_t.

The network's own attention is asked, with its own mask, weights and layers: beside the values it
also mixes a flag that is 1 at the objective and 0 at every item, and the mixture of a flag is the
softmax weight on it.

Shape suffixes: R rows, B rows of a batch, L window, X layers, H heads, E width of a head.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from influpath.data.sequences import IntArray, Sequences
from influpath.irn.model import IRN
from influpath.irn.window import empty_slots, plan_window
from influpath.recommenders.blocks import Attention

BATCH_ROWS = 512


def objective_share(
    model: IRN,
    histories: Sequences,
    objectives: IntArray,
    users: IntArray,
    max_length: int,
    w_t: float = 1.0,
    pace: int = 1,
) -> Tensor:
    """Return the attention on the objective where the first item of a path is chosen.

    Args:
        model: A fitted IRN.
        histories: s_h, one row each.
        objectives: Item numbers.
        users: User rows, -1 where unknown.
        max_length: M.
        w_t: Aggressiveness at the first step.
        pace: Pace at the first step.

    Returns:
        float32 [R, X, H]: softmax weight on the objective's column, by layer and head.
    """
    config, module = model.config, model.module
    slots = empty_slots(1, max_length, pace, config.aligned)
    windows_RL = plan_window(histories, objectives, slots, config.l_max)
    module.eval()
    parts = [torch.empty(0, config.layers, config.heads)]
    for start in range(0, len(windows_RL), BATCH_ROWS):
        rows = slice(start, start + BATCH_ROWS)
        items_BL = windows_RL[rows]
        with torch.inference_mode(), listening(module.blocks) as shares_BHL:
            module(
                items_BL,
                items_BL[:, -1] > 0,
                module.r_u(torch.as_tensor(users[rows])),
                torch.full(items_BL.shape, w_t),
            )
        parts.append(torch.stack([share[:, :, -2 - slots] for share in shares_BHL], dim=1))
    return torch.cat(parts)


def even_share(model: IRN, histories: Sequences, max_length: int, pace: int = 1) -> Tensor:
    """Return the attention on the objective if it were like any item that is seen, [R]."""
    slots = empty_slots(1, max_length, pace, model.config.aligned)
    room = model.config.l_max - 1 - slots
    # The choosing position holds the last item, or nothing, and sees itself in either case.
    known_R = torch.as_tensor(histories.lengths).clamp(1, room)
    return 1.0 / (known_R + 1)


@contextmanager
def listening(blocks: nn.ModuleList) -> Iterator[list[Tensor]]:
    """Collect the weight on the last key, [B, H, L] per block, while the blocks are used."""
    shares: list[Tensor] = []

    def listen(block: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        x_BLD, attention, *rest = given

        def attend(q_BHLE: Tensor, k_BHLE: Tensor, v_BHLE: Tensor) -> Tensor:
            flag_BHLE = torch.zeros_like(v_BHLE)
            flag_BHLE[:, :, -1] = 1.0
            shares.append(attention(q_BHLE, k_BHLE, flag_BHLE)[..., 0])
            mixed: Tensor = attention(q_BHLE, k_BHLE, v_BHLE)
            return mixed

        heard: Attention = attend
        return (x_BLD, heard, *rest)

    handles = [block.register_forward_pre_hook(listen) for block in blocks]
    try:
        yield shares
    finally:
        for handle in handles:
            handle.remove()
