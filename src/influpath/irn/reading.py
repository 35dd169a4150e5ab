"""Reading windows to plan: what ``IRNNetwork.forward`` says where the next item is chosen.

Only what a plan needs is computed: leading pads and empty slots are left away (nothing sees them),
rows are read a few at a time so that what is computed stays in the processor's cache, and in the
last layer one position is enough.  The mask is a sum of numbers, made once for all layers.

Keys and values may be kept.  Without the leak the state at a position never changes once its item
is known, so where the next item is chosen one position on, that position is all there is to read.

Shape suffixes: B rows, Q query positions, L key positions or columns, D width, K candidates.
"""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from influpath.data.sequences import Sequences
from influpath.irn.cached_attention import (
    KeyValueCache,
    Mixing,
    advancing_attention,
    peeking_attention,
    window_attention,
)
from influpath.irn.mask import objective_weight
from influpath.irn.network import IRNNetwork
from influpath.recommenders.blocks import Attention

# Positions that are read together: their features fit the processor's cache.
READ_POSITIONS = 1 << 12


def read_windows(
    module: IRNNetwork,
    known: Sequences,
    objectives_B: Tensor | None,
    slots: int,
    r_B: Tensor,
    w_t_BL: Tensor,
    cache: KeyValueCache | None = None,
) -> Tensor:
    """Read the last items of each row; return the hidden state that chooses the next, [B, D].

    Equal to ``forward`` on ``plan_window(known, objectives, slots, l_max)``, without the leak, at
    the last position before the slots.

    Args:
        module: The network.
        known: History and path so far.
        objectives_B: Item numbers, 0 where hidden; None where all are.
        slots: Empty slots before the objective.
        r_B: Impressionability.
        w_t_BL: Aggressiveness at each position of the window [B, l_max].
        cache: Overwritten by the keys and values that are read.
    """
    config = module.config
    room = config.l_max - 1 - slots
    if room < 1:
        raise ValueError("the window has no room for a known item")
    # An empty history is read as one pad.
    widths = np.clip(known.lengths, 1, room)
    width = int(widths.max(initial=1))
    hidden_BD = torch.empty(len(known), config.embedding_size)
    if cache is not None:
        cache.shown = objectives_B is not None
        cache.first = room - width + (not cache.shown)
        cache.known_BL.zero_()
    for rows in row_chunks(len(known), READ_POSITIONS // width):
        width = int(widths[rows].max())
        start = room - width
        few = len(known) == rows.stop - rows.start
        own = known if few else known.take(np.arange(rows.start, rows.stop))
        items_BL = torch.as_tensor(own.window(width))
        x_BLD = module.embed(items_BL, start)
        known_BL = items_BL > 0
        if objectives_B is None:
            bias_BLL = item_bias(known_BL)
        else:
            # It comes first, which is where attention to what came before lets all see it.
            objective_B1 = objectives_B[rows, None]
            x_BLD = torch.cat([module.embed(objective_B1, config.l_max - 1), x_BLD], dim=1)
            bias_BLL = item_bias(F.pad(known_BL, (1, 0), value=True))
            weight_BL = objective_weight(
                config.mask_type, r_B[rows], w_t_BL[rows, start:room], config.w_h
            )
            bias_BLL[:, 1:, 0] = weight_BL.masked_fill(objective_B1 == 0, -torch.inf)
        part = None if cache is None else cache.part(rows)
        if part is not None:
            part.known_BL[:, start + 1 : room + 1] = known_BL
            if objectives_B is not None:
                part.known_BL[:, part.first] = objectives_B[rows] > 0
        attention = partial(window_attention, cache=part, column=start + 1)
        at = x_BLD.shape[1] - 1
        hidden_BD[rows] = through_layers(module, x_BLD, bias_BLL, attention, at)[:, 0]
    return hidden_BD


def advance(
    module: IRNNetwork,
    items_B: Tensor,
    position: int,
    r_B: Tensor,
    w_t_B: Tensor,
    cache: KeyValueCache,
) -> Tensor:
    """Read one item more, at a position, and return its hidden state [B, D].

    Exact: equals ``forward`` over the whole window, since earlier states do not change.

    Args:
        module: The network.
        items_B: The new items; a row with 0 goes along, and is to be replaced (``put``).
        position: Their position in the window.
        r_B: Impressionability.
        w_t_B: Aggressiveness at the new position.
        cache: Keys and values so far; the new ones are written into it.
    """
    config = module.config
    column = position + 1
    cache.known_BL[:, column] = True
    bias_BL = cache.bias(column + 1)
    if cache.shown:
        weight_B1 = objective_weight(config.mask_type, r_B, w_t_B[:, None], config.w_h)
        bias_BL[:, :1] += weight_B1
    x_B1D = module.embed(items_B[:, None], position)
    attention = partial(advancing_attention, cache=cache, column=column)
    return through_layers(module, x_B1D, bias_BL[:, None], attention)[:, 0]


def peek(module: IRNNetwork, items_BK: Tensor, position: int, cache: KeyValueCache) -> Tensor:
    """Return the hidden state of each item as if it alone stood at a position, [B, K, D].

    Exact where the objective is hidden: equals ``advance`` with each item; the cache stays.

    Args:
        module: The network.
        items_BK: Items that might come next.
        position: Their position in the window.
        cache: Keys and values so far, up to the position before.
    """
    batch, count = items_BK.shape
    x_BKD = module.embed(items_BK.reshape(-1, 1), position).view(batch, count, -1)
    # To the right, each candidate itself.
    bias_BL = F.pad(cache.bias(position + 1), (0, 1))
    attention = partial(peeking_attention, cache=cache, column=position + 1)
    return through_layers(module, x_BKD, bias_BL[:, None], attention)


def through_layers(
    module: IRNNetwork,
    x_BQD: Tensor,
    bias_BQL: Tensor,
    attention: Callable[[Mixing, int], Attention],
    at: int | None = None,
) -> Tensor:
    """Return the hidden states of embedded items, [B, Q, D].

    Args:
        module: The network.
        x_BQD: Embedded items.
        bias_BQL: What is added to the logits of attention.
        attention: Makes a layer's.
        at: If given, the only one whose hidden state is wanted: [B, 1, D].
    """
    for careful in (False, True):
        mixing = Mixing(bias_BQL, careful)
        hidden_BQD = x_BQD
        for layer, block in enumerate(module.blocks):
            last = layer == len(module.blocks) - 1
            hidden_BQD = block(hidden_BQD, attention(mixing, layer), at if last else None)
        if mixing.sound():
            break
    normed_BQD: Tensor = module.norm(hidden_BQD)
    return normed_BQD


def row_chunks(rows: int, size: int) -> Iterator[slice]:
    """Cut rows into slices of at most ``size`` (at least 1)."""
    size = max(1, size)
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))


def item_bias(known_BL: Tensor) -> Tensor:
    """Return what is added to the logits of items: 0 at what a position sees, [B, L, L]."""
    rows, length = known_BL.shape
    bias_BLL = torch.full((rows, length, length), -torch.inf).triu_(1)
    if not known_BL.all():
        bias_BLL.masked_fill_(~known_BL[:, None], -torch.inf)
        # Every row sees itself, since a pad would else have nothing to attend to.
        bias_BLL.diagonal(dim1=1, dim2=2).zero_()
    return bias_BLL
