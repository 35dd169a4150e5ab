"""Reading windows to plan: what ``IRNNetwork.forward`` says where the next item is chosen.

Only what a plan needs is computed: leading pads and empty slots are left away (nothing sees them),
rows are read a few at a time so that what is computed stays in the processor's cache, and in the
last layer one position is enough.  The mask is a sum of numbers, made once for all layers.

States may be kept.  Without the leak that of a position never changes once its item is known, so
where the next item is chosen one position on, that position is all there is to read.

Shape suffixes: B rows, L positions or columns, Q queries among
them, D width, E width of a head, V the same and a one, F features of a kept state, K candidates, N
rows times heads.
"""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from influpath.data.sequences import Sequences
from influpath.irn.folded import FoldedIRN, folded
from influpath.irn.mask import objective_weight
from influpath.irn.network import IRNNetwork
from influpath.irn.state_cache import StateCache
from influpath.recommenders.folded import MASK, OWN
from influpath.recommenders.mixing import UNSEEN, Mixing, base_two, states_of

# Positions that are read together: their features fit the processor's cache.
READ_POSITIONS = 1 << 12


def read_windows(
    module: IRNNetwork,
    known: Sequences,
    objectives_B: Tensor | None,
    slots: int,
    r_B: Tensor,
    w_t_BL: Tensor,
    cache: StateCache | None = None,
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
        cache: Overwritten by the states that are read.
    """
    config, weights = module.config, folded(module)
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
        cache.forget()
    for rows in row_chunks(len(known), READ_POSITIONS // width):
        width = int(widths[rows].max())
        start = room - width
        few = len(known) == rows.stop - rows.start
        own = known if few else known.take(np.arange(rows.start, rows.stop))
        items_BL = torch.as_tensor(own.window(width))
        x_BLD = module.embed(items_BL, start)
        known_BL = items_BL > 0
        if objectives_B is None:
            bias_BLQ = item_bias(known_BL)
        else:
            # It comes first, which is where attention to what came before lets all see it.
            objective_B1 = objectives_B[rows, None]
            x_BLD = torch.cat([module.embed(objective_B1, config.l_max - 1), x_BLD], dim=1)
            bias_BLQ = item_bias(F.pad(known_BL, (1, 0), value=True))
            weight_BL = objective_weight(
                config.mask_type, r_B[rows], w_t_BL[rows, start:room], config.w_h
            )
            bias_BLQ[:, 0, 1:] = weight_BL.masked_fill(objective_B1 == 0, -torch.inf)
        bias_BLQ = base_two(bias_BLQ)
        part = None if cache is None else cache.part(rows)
        if part is not None:
            # The last position sees itself even if it is a pad; later ones do not.
            mask_BL = bias_BLQ[..., -1].clone()
            mask_BL[:, -1].masked_fill_(~known_BL[:, -1], UNSEEN)
            part.see(start + 1, mask_BL)
        hidden_BD[rows] = through_windows(weights, x_BLD, bias_BLQ, part, start + 1)
    normed_BD: Tensor = module.norm(hidden_BD)
    return normed_BD


def through_windows(
    weights: FoldedIRN, x_BLD: Tensor, bias_BLQ: Tensor, cache: StateCache | None, column: int
) -> Tensor:
    """Take embedded windows through the layers; return the features of the last position, [B, D].

    Args:
        weights: The network's.
        x_BLD: Embedded items.
        bias_BLQ: What is added to the logits.
        cache: What to write to, or None.
        column: Where the first item of the windows stands there.
    """
    states_BLF = states_of(x_BLD, bias_BLQ[..., -1])
    last = weights.blocks[-1]
    for careful in (False, True):
        mixing = Mixing(careful)
        features_BLD = x_BLD.clone()
        for layer, block in enumerate(weights.blocks):
            block.normed(features_BLD, out=states_BLF[..., OWN])
            if cache is not None:
                cache.write(layer, column, states_BLF[..., OWN])
            if block is not last:
                mixed_BDL = mixing.heads(*block.packed(states_BLF), bias_BLQ)
                block.attended(features_BLD, mixed_BDL)
        hidden_BD = mixing.last(last, features_BLD[:, -1], states_BLF)
        if mixing.sound():
            break
    return last.feed(hidden_BD)


def advance(
    module: IRNNetwork,
    items_B: Tensor,
    position: int,
    r_B: Tensor,
    w_t_B: Tensor,
    cache: StateCache,
) -> Tensor:
    """Read one item more, at a position, and return its hidden state [B, D].

    Exact: equals ``forward`` over the whole window, since earlier states do not change.

    Args:
        module: The network.
        items_B: The new items; a row with 0 goes along, and is to be replaced (``put``).
        position: Their position in the window.
        r_B: Impressionability.
        w_t_B: Aggressiveness at the new position.
        cache: States so far; the new ones are written into it.
    """
    config, column = module.config, position + 1
    if cache.shown:
        weight_B1 = objective_weight(config.mask_type, r_B, w_t_B[:, None], config.w_h)
        cache.weigh(base_two(weight_B1[:, 0]))
    cache.states_XBLF[:, :, column, MASK] = 0.0
    x_BD = cache.spread(module.embed(items_B[:, None], position)[:, 0])
    for careful in (False, True):
        mixing = Mixing(careful)
        hidden_BD = x_BD
        for layer, block in enumerate(folded(module).blocks):
            states_BLF = cache.states_XBLF[layer, :, cache.first : column + 1]
            block.normed(hidden_BD, out=states_BLF[:, -1, OWN])
            hidden_BD = block.feed(mixing.last(block, hidden_BD, states_BLF))
        if mixing.sound():
            break
    normed_BD: Tensor = module.norm(cache.gather(hidden_BD))
    return normed_BD


def peek(module: IRNNetwork, items_BK: Tensor, position: int, cache: StateCache) -> Tensor:
    """Return the hidden state of each item as if it alone stood at a position, [B, K, D].

    Exact where the objective is hidden: equals ``advance`` with each item; the cache stays.

    Args:
        module: The network.
        items_BK: Items that might come next.
        position: Their position in the window.
        cache: States so far, up to the position before.
    """
    batch, count = items_BK.shape
    x_BKD = module.embed(items_BK.reshape(-1, 1), position).view(batch, count, -1)
    # The last column is free: there each candidate stands by itself.
    cache.settle()
    states_XBLF = cache.states_XBLF[:, :, cache.first : position + 2]
    bias_BL = states_XBLF[0, :, :, MASK].clone()
    bias_BL[:, -1] = 0.0
    candidates_BKF = states_of(x_BKD, torch.zeros(()))
    for careful in (False, True):
        mixing = Mixing(careful)
        features_BKD = x_BKD.clone()
        for layer, block in enumerate(folded(module).blocks):
            block.normed(features_BKD, out=candidates_BKF[..., OWN])
            q_NEK, k_NEK, v_NVK = block.packed(candidates_BKF)
            itself = k_NEK, v_NVK
            k_NEL, v_NVL = block.kept(states_XBLF[layer])
            v_NVL[..., -1] = 0.0
            mixed_BDK = mixing.heads(q_NEK, k_NEL, v_NVL, bias_BL[..., None], itself)
            block.attended(features_BKD, mixed_BDK)
        if mixing.sound():
            break
    normed_BKD: Tensor = module.norm(features_BKD)
    return normed_BKD


def row_chunks(rows: int, size: int) -> Iterator[slice]:
    """Cut rows into slices of at most ``size`` (at least 1)."""
    size = max(1, size)
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))


def item_bias(known_BL: Tensor) -> Tensor:
    """Return what is added to the logits of items: 0 at what a query sees, [B, L, Q]."""
    rows, length = known_BL.shape
    bias_BLQ = torch.full((rows, length, length), -torch.inf).tril_(-1)
    if not known_BL.all():
        bias_BLQ.masked_fill_(~known_BL[..., None], -torch.inf)
        # Every row sees itself, since a pad would else have nothing to attend to.
        bias_BLQ.diagonal(dim1=1, dim2=2).zero_()
    return bias_BLQ
