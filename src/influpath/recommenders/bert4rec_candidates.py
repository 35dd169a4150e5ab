"""What BERT4Rec says once each of some candidates is taken; those of a row share its history.

Every position sees every other, so nothing that was read before the candidate stays as it was.  But
in the first layer a candidate only adds one key and one value to what attention mixed without it:

    mixed' = mixed + a (value - mixed),    a = sigmoid(its logit - log of the sum without it)

and the map that follows is linear, so that it is taken once of the values and once of the mixtures,
not of each candidate's.  In the last layer one position asks, for whom keys and values are not made
(see ``folded``).  What is left for each candidate and position is the feed-forward layer of all
layers but the last.

Shape suffixes: B rows, K candidates, H history items, S shared positions (history and mask token),
L positions (candidate, history, mask token), D width, F features of a kept state (D + 2), E width
of a head, V the same and a one, N rows times heads or times candidates.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from influpath.data.sequences import IntArray, Sequences
from influpath.recommenders.folded import OWN, FoldedBlock, Folding, folded_blocks
from influpath.recommenders.mixing import UNSEEN, Mixing, states_of

if TYPE_CHECKING:
    from influpath.recommenders.bert4rec import BERT4RecNetwork

# Positions that are read together: their features fit the processor's cache.
READ_POSITIONS = 1 << 14


def _fold(module: "BERT4RecNetwork") -> tuple[FoldedBlock, ...]:
    return folded_blocks(module.blocks)


folded = Folding(_fold)


def after_candidates(
    module: "BERT4RecNetwork", histories: Sequences, candidates_BK: IntArray
) -> Tensor:
    """Return the hidden state that predicts the item after each candidate, [B, K, D].

    Equal to the network's on [history, candidate, mask token].

    Args:
        module: A network of two layers at least.
        histories: The histories, no longer than its windows have room for.
        candidates_BK: Items that might follow.
    """
    batch, count = candidates_BK.shape
    hidden_BKD = torch.empty(batch, count, module.item.embedding_dim)
    order = np.argsort(histories.lengths, kind="stable")
    start = 0
    while start < batch:
        # As many rows as fit, their lengths rising.
        positions = (histories.lengths[order[start:]] + 2) * count
        ends = positions * np.arange(1, batch - start + 1)
        size = max(1, int(np.searchsorted(ends, READ_POSITIONS, side="right")))
        rows = order[start : start + size]
        shared = SharedHistory(module, histories.take(rows))
        together = max(1, READ_POSITIONS // int(positions[0] // count))
        items_BK = torch.as_tensor(candidates_BK[rows])
        hidden_BKD[torch.as_tensor(rows)] = torch.cat(
            [shared.after(part_BK) for part_BK in torch.split(items_BK, together, dim=1)], dim=1
        )
        start += size
    return hidden_BKD


class SharedHistory:
    """What the first layer makes of histories and the mask token without any candidate.

    Args:
        module: The network.
        histories: The histories.
    """

    def __init__(self, module: "BERT4RecNetwork", histories: Sequences) -> None:
        self.module = module
        width = int(histories.lengths.max(initial=0))
        items_BH = torch.as_tensor(histories.window(width))
        mask_B1 = torch.full((len(histories), 1), module.mask)
        items_BS = torch.cat([items_BH, mask_B1], dim=1)
        # The candidate comes between them; see ``after``.
        places = torch.arange(-(width + 2), 0)
        position_SD = module.position.weight[torch.cat([places[:-2], places[-1:]])]
        x_BSD = module.embed(items_BS, position_SD)
        self.bias_BS = torch.zeros(items_BS.shape).masked_fill_(items_BS == 0, UNSEEN)
        first = folded(module)[0]
        self.heads, width = first.heads, x_BSD.shape[2]
        self.output_NED = first.output_DD.view(self.heads, -1, width).repeat(len(histories), 1, 1)
        states_BSF = states_of(x_BSD, self.bias_BS)
        first.normed(x_BSD, out=states_BSF[..., OWN])
        self.q_NES, self.k_NES, self.v_NVS = first.packed(states_BSF)
        logits_NSS = torch.bmm(self.q_NES.mT, self.k_NES)
        bias_N1S = self.bias_BS.repeat_interleave(self.heads, 0)[:, None]
        weight_NSS = torch.softmax((logits_NSS + bias_N1S) * math.log(2), dim=-1)
        total_NS = torch.logsumexp((logits_NSS + bias_N1S) * math.log(2), dim=-1)
        self.total_N1S = total_NS[:, None]
        mixed_NSE = torch.bmm(weight_NSS, self.v_NVS[:, :-1].mT)
        self.mixed_NSD = torch.bmm(mixed_NSE, self.output_NED)
        self.x_BSD = x_BSD + self.over_heads(self.mixed_NSD).sum(1) + first.output_D

    def over_heads(self, x_N: Tensor) -> Tensor:
        """Return something of every row and head by row, then head."""
        return x_N.view(-1, self.heads, *x_N.shape[1:])

    def after(self, items_BK: Tensor) -> Tensor:
        """Return the hidden state once each item is taken, [B, K, D]."""
        first, *others = folded(self.module)
        batch, count = items_BK.shape
        x_NLD = self.through_first(first, items_BK).flatten(0, 1)
        bias_NL = F.pad(self.bias_BS, (1, 0)).repeat_interleave(count, 0)
        asking_ND = through_layers(others, x_NLD, bias_NL)
        hidden_ND: Tensor = self.module.head(self.module.norm(asking_ND))
        return hidden_ND.view(batch, count, -1)

    def through_first(self, block: FoldedBlock, items_BK: Tensor) -> Tensor:
        """Return the features of all positions after the first layer, [B, K, L, D]."""
        batch = len(items_BK)
        x_BKD = self.module.embed(items_BK, self.module.position.weight[-2])
        candidates_BKF = states_of(x_BKD, torch.zeros(()))
        block.normed(x_BKD, out=candidates_BKF[..., OWN])
        q_NEK, k_NEK, v_NVK = block.packed(candidates_BKF)
        share_NKS = torch.sigmoid_(
            torch.bmm(k_NEK.mT, self.q_NES).mul_(math.log(2)).sub_(self.total_N1S)
        )
        value_NKD = torch.bmm(v_NVK[:, :-1].mT, self.output_NED)
        # A candidate sees the shared positions and itself, in the last column.
        mixed_BDK = Mixing(careful=True).heads(
            q_NEK,
            F.pad(self.k_NES, (0, 1)),
            F.pad(self.v_NVS, (0, 1)),
            F.pad(self.bias_BS, (0, 1))[..., None],
            (k_NEK, v_NVK),
        )
        x_BKD.baddbmm_(mixed_BDK.mT, block.output_DD.expand(batch, -1, -1)).add_(block.output_D)
        return fed_candidates(
            block,
            self.x_BSD,
            self.over_heads(self.mixed_NSD),
            self.over_heads(share_NKS),
            self.over_heads(value_NKD),
            x_BKD,
        )


def through_layers(blocks: Sequence[FoldedBlock], x_NLD: Tensor, bias_NL: Tensor) -> Tensor:
    """Take windows through layers; return the features of the last position, [N, D].

    Args:
        blocks: The layers.
        x_NLD: Features, overwritten.
        bias_NL: What is added to the logits of a position, for all who ask.
    """
    *before, last = blocks
    states_NLF = states_of(x_NLD, bias_NL)
    for block in before:
        block.normed(x_NLD, out=states_NLF[..., OWN])
        mixed_NDL = Mixing(careful=True).heads(*block.packed(states_NLF), bias_NL[..., None])
        block.attended(x_NLD, mixed_NDL)
    last.normed(x_NLD, out=states_NLF[..., OWN])
    return last.feed(Mixing(careful=True).last(last, x_NLD[:, -1], states_NLF))


def fed_candidates(
    block: FoldedBlock,
    x_BSD: Tensor,
    mixed_BHSD: Tensor,
    share_BHKS: Tensor,
    value_BHKD: Tensor,
    own_BKD: Tensor,
) -> Tensor:
    """Return candidates and shared positions after the feed-forward layer; see ``Feed``."""
    if block.feeding is not None:
        by_kernel = block.feeding.add_to_candidates(
            x_BSD, mixed_BHSD, share_BHKS, value_BHKD, own_BKD
        )
        if by_kernel is not None:
            return by_kernel
    batch, heads, count, positions = share_BHKS.shape
    x_BKLD = x_BSD.new_empty(batch, count, positions + 1, x_BSD.shape[2])
    x_BKLD[:, :, 0] = own_BKD
    x_BKSD = x_BKLD[:, :, 1:]
    x_BKSD.copy_(x_BSD[:, None].expand_as(x_BKSD))
    for head in range(heads):
        change_BKSD = value_BHKD[:, head, :, None] - mixed_BHSD[:, head, None]
        x_BKSD.addcmul_(share_BHKS[:, head, ..., None], change_BKSD)
    block.feed(x_BKLD.view(-1, x_BSD.shape[2]))
    return x_BKLD
