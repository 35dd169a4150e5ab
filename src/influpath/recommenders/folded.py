"""A block's weights folded for reading: fewer products and fewer passes, the same numbers.

What normalisation multiplies and adds goes into the linear map that follows it.  The biases of keys
move all logits of a query alike, and so are nothing to softmax; weights of attention sum to one, so
the biases of values are a constant.

For a single query, heads as narrow as these waste most of a product.  There keys and values are not
made at all: a head's query is taken through the key's map and meets the normalised states
themselves; the mixture of states goes through the value's and the output's map at once.  That is
one product for all heads, and states are kept instead of keys and values.

A kept state has two features more than its own: a one, which stands for biases and, mixed, sums up
the weights; and what the mask adds to its logit.

Shape suffixes: B rows, L positions, D width, F features of a kept state (D + 2), H heads, E width
of a head, V the same and a one, M features of all heads, N rows times heads or others.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from influpath.native import reading as native
from influpath.native.feed import Feed
from influpath.recommenders.blocks import TransformerBlock, gelu

# Where the features that a kept state has besides its own stand, from its end.
ONE, MASK = -2, -1
# The features of a kept state that are its own.
OWN = slice(None, -2)

Network = TypeVar("Network", bound=nn.Module)
Whole = TypeVar("Whole")


@dataclass(frozen=True, eq=False)
class FoldedBlock:
    """One layer.  Logits are those of powers of two.

    Attributes:
        heads: H.
        eps: Of normalisation.
        asked_FN: ``query_FN`` as the compiled kernel wants it, or None.
        feeding: The feed-forward layer as the compiled kernels want it, or None.
        packed_MF: Maps a kept state to query, key, value and a one of every head, [H (3 E + 1), F].
        kept_MF: The same without the queries.
        output_DD: Maps the heads' mixtures of values.
        output_D: Its bias.
        query_FN: Maps a kept state to what its heads ask the kept states for, [F, F x H].
        mixed_ND: Maps the heads' mixtures of kept states, [H x F, D].
        feed_in_DN: First map of the feed-forward layer.
        feed_in_N: Its bias.
        feed_out_ND: Second map.
        feed_out_D: Its bias.
    """

    heads: int
    eps: tuple[float, float]
    asked_FN: Tensor | None
    feeding: Feed | None
    packed_MF: Tensor
    kept_MF: Tensor
    output_DD: Tensor
    output_D: Tensor
    query_FN: Tensor
    mixed_ND: Tensor
    feed_in_DN: Tensor
    feed_in_N: Tensor
    feed_out_ND: Tensor
    feed_out_D: Tensor

    @classmethod
    def of(cls, block: TransformerBlock) -> "FoldedBlock":
        """Return a layer's weights, folded."""
        heads, width = block.heads, block.query_key_value.in_features
        size = width // heads
        weight_MD, bias_M = after_norm(block.norm_attention, block.query_key_value)
        q_DD, k_DD, v_DD = weight_MD.chunk(3)
        q_D, _, v_D = bias_M.chunk(3)
        scale = size**-0.5 / math.log(2)
        q_DD, q_D = q_DD * scale, q_D * scale
        output_DD = block.output.weight.double()
        output_D = output_DD @ v_D + block.output.bias.double()
        packed_HMF = q_DD.new_zeros(heads, 3 * size + 1, width + 2)
        packed_HMF[:, :-1, :width] = torch.cat(
            [part.view(heads, size, width) for part in (q_DD, k_DD, v_DD)], dim=1
        )
        packed_HMF[:, :size, ONE] = q_D.view(heads, size)
        packed_HMF[:, -1, ONE] = 1.0
        query_FFH = q_DD.new_zeros(width + 2, width + 2, heads)
        mixed_HFD = q_DD.new_zeros(heads, width + 2, width)
        for head in range(heads):
            own = slice(head * size, (head + 1) * size)
            query_FFH[:width, :width, head] = q_DD[own].T @ k_DD[own]
            query_FFH[ONE, :width, head] = q_D[own] @ k_DD[own]
            query_FFH[ONE, MASK, head] = 1.0
            mixed_HFD[head, :width] = (output_DD[:, own] @ v_DD[own]).T
        mixed_HFD[0, ONE] = output_D
        feed_in_ND, feed_in_N = after_norm(block.norm_feed, block.feed_in)
        folded = (
            packed_HMF.flatten(0, 1),
            packed_HMF[:, size:].flatten(0, 1),
            output_DD.T,
            output_D,
            query_FFH.flatten(1),
            mixed_HFD.flatten(0, 1),
            feed_in_ND.T,
            feed_in_N,
            block.feed_out.weight.T,
            block.feed_out.bias,
        )
        eps = block.norm_attention.eps, block.norm_feed.eps
        asked_FN = native.for_mix_last(query_FFH.float())
        weights = [weight.float().contiguous() for weight in folded]
        feeding = Feed.of(eps[1], *weights[-4:])
        return cls(heads, eps, asked_FN, feeding, *weights)

    def normed(self, x: Tensor, out: Tensor) -> None:
        """Write what attention reads of features [..., D]: normalised, and nothing more."""
        if not native.normalise(x, self.eps[0], out):
            out.copy_(torch.layer_norm(x, x.shape[-1:], eps=self.eps[0]))

    def packed(self, states_BLF: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries [N, E, L], keys [N, E, L], and values and a one [N, V, L].

        Features come first, since that is how they are made without moving anything afterwards.
        """
        packed_NML = per_head(self.packed_MF, states_BLF, self.heads)
        size = packed_NML.shape[1] // 3
        q_NEL, k_NEL, v_NVL = torch.split(packed_NML, [size, size, size + 1], dim=1)
        return q_NEL, k_NEL, v_NVL

    def kept(self, states_BLF: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys, and values and a one, as ``packed`` does."""
        packed_NML = per_head(self.kept_MF, states_BLF, self.heads)
        size = packed_NML.shape[1] // 2
        k_NEL, v_NVL = torch.split(packed_NML, [size, size + 1], dim=1)
        return k_NEL, v_NVL

    def attended(self, x_BLD: Tensor, mixed_BDL: Tensor) -> Tensor:
        """Add mixtures of values to features, and then the feed-forward layer, in place."""
        x_BLD.baddbmm_(mixed_BDL.mT, self.output_DD.expand(len(x_BLD), -1, -1))
        self.feed(x_BLD.add_(self.output_D).flatten(0, 1))
        return x_BLD

    def feed(self, x_ND: Tensor) -> Tensor:
        """Add the feed-forward layer to features, in place."""
        if self.feeding is not None and self.feeding.add_(x_ND):
            return x_ND
        normed_ND = torch.empty_like(x_ND)
        if not native.normalise(x_ND, self.eps[1], normed_ND):
            normed_ND = torch.layer_norm(x_ND, x_ND.shape[-1:], eps=self.eps[1])
        fed_NN = torch.addmm(self.feed_in_N, normed_ND, self.feed_in_DN)
        if not native.gelu_(fed_NN):
            fed_NN = gelu(fed_NN)
        return x_ND.addmm_(fed_NN, self.feed_out_ND).add_(self.feed_out_D)


@dataclass(frozen=True, eq=False)
class Kept(Generic[Whole]):
    """What was folded, and the weights it was made of as they were then.

    Attributes:
        weights: The weights; torch counts how often each was changed.
        versions: How often they had been.
        whole: What they were folded to.
    """

    weights: list[nn.Parameter]
    versions: list[int]
    whole: Whole

    @property
    def fresh(self) -> bool:
        """Whether none has been changed since."""
        return [weight._version for weight in self.weights] == self.versions


class Folding(Generic[Network, Whole]):
    """Folds networks, each anew where its weights have changed since the last time.

    A change is noticed where it is made in place, as by an optimizer or ``load_state_dict``.

    Args:
        fold: Folds one.
    """

    def __init__(self, fold: Callable[[Network], Whole]) -> None:
        self.fold = fold
        self.kept: WeakKeyDictionary[Network, Kept[Whole]] = WeakKeyDictionary()

    @torch.no_grad()
    def __call__(self, module: Network) -> Whole:
        """Return a network's weights, folded."""
        kept = self.kept.get(module)
        if kept is None or not kept.fresh:
            # What was made in inference mode is not counted, and not changed outside of it.
            weights = [weight for weight in module.parameters() if not weight.is_inference()]
            versions = [weight._version for weight in weights]
            kept = self.kept[module] = Kept(weights, versions, self.fold(module))
        return kept.whole


def folded_blocks(blocks: nn.ModuleList) -> tuple[FoldedBlock, ...]:
    """Return the layers of a network, folded."""
    return tuple(FoldedBlock.of(block) for block in blocks if isinstance(block, TransformerBlock))


def per_head(weight_MF: Tensor, states_BLF: Tensor, heads: int) -> Tensor:
    """Return what a map makes of states, of every row and head: [N, M / H, L]."""
    packed_BML = torch.bmm(weight_MF.expand(len(states_BLF), -1, -1), states_BLF.mT)
    return packed_BML.view(len(states_BLF) * heads, -1, states_BLF.shape[1])


def after_norm(norm: nn.LayerNorm, linear: nn.Linear) -> tuple[Tensor, Tensor]:
    """Return weight and bias of a linear map that includes the scale and shift before it."""
    weight = linear.weight.double()
    return weight * norm.weight.double(), linear.bias.double() + weight @ norm.bias.double()
