"""The softmax over the catalogue as every neural model is trained with: whole or from a sample.

Shape suffixes: N supervised positions, D width, I catalogue items, K sampled items.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from influpath.data.sequences import IntArray
from influpath.training.fused_loss import fused_cross_entropy
from influpath.training.negatives import FloatArray

Output = tuple[Tensor, Tensor | None]


def catalogue_loss(
    hidden_ND: Tensor,
    target_N: Tensor,
    output: Callable[[], Output],
    output_of: Callable[[Tensor], Output],
    sample: tuple[IntArray, FloatArray] | None = None,
) -> Tensor:
    """Return the mean cross-entropy of the targets, -log(exp z_t / sum_i exp z_i).

    With a sample the sum is estimated by importance sampling (Bengio and Senecal, 2003 and 2008):
    an item drawn with probability q_j stands for 1 / q_j items, so its logit becomes
    z_j - log q_j, the "logQ correction" (Yi et al., RecSys 2019).  The target is always there, so
    its own logit is not corrected (Khrylchenko et al., RecSys 2025) and it counts once, drawn or
    not: the estimate of the sum is unbiased, and exact once the sample is the catalogue.  All
    positions of a batch share the sample.

    Args:
        hidden_ND: Outputs of the network.
        target_N: Item numbers 1..I.
        output: Gives the output projection [I, D] and its bias [I] or None.
        output_of: Gives the rows of both for item numbers.
        sample: Items of a sample in ascending order and the probability of each to be in it, see
            ``Negatives.sample``; None for the whole catalogue.
    """
    if sample is None:
        weight_ID, bias_I = output()
        return fused_cross_entropy(hidden_ND, weight_ID, target_N - 1, bias_I)
    items_K, share_K = map(torch.as_tensor, sample)
    count = len(items_K)
    weight, bias = output_of(torch.cat([items_K, target_N]))
    own_N, bias_K = (hidden_ND * weight[count:]).sum(1), -share_K.log().to(weight.dtype)
    if bias is not None:
        own_N, bias_K = own_N + bias[count:], bias_K + bias[:count]
    place_N = torch.searchsorted(items_K, target_N).clamp(max=count - 1)
    place_N = torch.where(items_K[place_N] == target_N, place_N, -1)
    return fused_cross_entropy(hidden_ND, weight[:count], place_N, bias_K, own_N)


def rows_of(output: Output, items_K: Tensor) -> Output:
    """Return rows of an output projection and its bias for item numbers 1..I.

    The gradient of a projection that is a parameter of its own, not a part of one, is sparse.
    """
    weight_ID, bias_I = output
    weight_KD = F.embedding(items_K - 1, weight_ID, sparse=weight_ID.is_leaf)
    return weight_KD, None if bias_I is None else bias_I[items_K - 1]
