"""The original losses of the sequential recommenders: one target against sampled negatives.

Every function takes the logit r_i of the target and the logits r_j of its negatives and returns the
mean over the positions; a position without a negative adds what its formula gives for none.  None
of them gives calibrated probabilities, unlike the full-catalogue softmax of ``fused_loss``.

Shape suffixes: N supervised positions, K negatives of each.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def binary_cross_entropy(positive_N: Tensor, negative_NK: Tensor, valid_NK: Tensor) -> Tensor:
    """-log s(r_i) - sum_j log(1 - s(r_j)), s the sigmoid.

    SASRec (Kang and McAuley, ICDM 2018, section III-E, one negative) and Caser (Tang and Wang, WSDM
    2018, section 3.4, three negatives).

    Args:
        positive_N: Logits of the targets.
        negative_NK: Logits of the negatives.
        valid_NK: Which negatives count.

    Returns:
        Scalar.
    """
    against_NK = F.softplus(negative_NK).masked_fill(~valid_NK, 0.0)
    return mean(F.softplus(-positive_N) + against_NK.sum(1))


def top1(positive_N: Tensor, negative_NK: Tensor, valid_NK: Tensor) -> Tensor:
    """1/K sum_j s(r_j - r_i) + s(r_j ** 2), s the sigmoid.

    GRU4Rec (Hidasi et al., ICLR 2016, section 3.1.3).

    Args:
        positive_N: Logits of the targets.
        negative_NK: Logits of the negatives.
        valid_NK: Which negatives count; K is their number.

    Returns:
        Scalar.
    """
    terms_NK = torch.sigmoid(negative_NK - positive_N[:, None]) + torch.sigmoid(negative_NK**2)
    count_N = valid_NK.sum(1).clamp(min=1)
    return mean(terms_NK.masked_fill(~valid_NK, 0.0).sum(1) / count_N)


def bpr_max(
    positive_N: Tensor, negative_NK: Tensor, valid_NK: Tensor, penalty: float = 1.0
) -> Tensor:
    """-log sum_j w_j s(r_i - r_j) + penalty * sum_j w_j r_j ** 2, w the softmax of the r_j.

    GRU4Rec (Hidasi and Karatzoglou, CIKM 2018), s the sigmoid: the negatives are weighted by how
    likely each is the strongest of them.

    Args:
        positive_N: Logits of the targets.
        negative_NK: Logits of the negatives.
        valid_NK: Which negatives count.
        penalty: Weight of the score regularisation (lambda).

    Returns:
        Scalar.
    """
    positions = len(positive_N)
    some_N = valid_NK.any(1)
    if not bool(some_N.all()):
        # A softmax over nothing is undefined; without a negative there is nothing to learn from.
        positive_N, negative_NK, valid_NK = (
            positive_N[some_N],
            negative_NK[some_N],
            valid_NK[some_N],
        )
    # Finite, so that no gradient becomes inf * 0; exp of it is exactly 0.
    barred_NK = negative_NK.masked_fill(~valid_NK, torch.finfo(negative_NK.dtype).min)
    log_weight_NK = torch.log_softmax(barred_NK, dim=1)
    log_hit_NK = F.logsigmoid(positive_N[:, None] - negative_NK)
    loss_N = -torch.logsumexp(log_weight_NK + log_hit_NK, dim=1)
    loss_N = loss_N + penalty * (log_weight_NK.exp() * negative_NK**2).sum(1)
    return loss_N.sum() / max(positions, 1)


def sampled_softmax(positive_N: Tensor, negative_NK: Tensor, valid_NK: Tensor) -> Tensor:
    """-log(exp r_i / (exp r_i + sum_j exp r_j)): cross-entropy over the target and its negatives.

    GRU4Rec (Hidasi and Karatzoglou, CIKM 2018, without the constant that stabilises it there:
    logarithms do).  Not corrected for how often an item is drawn, as there.

    Args:
        positive_N: Logits of the targets.
        negative_NK: Logits of the negatives.
        valid_NK: Which negatives count.

    Returns:
        Scalar.
    """
    barred_NK = negative_NK.masked_fill(~valid_NK, torch.finfo(negative_NK.dtype).min)
    all_NK = torch.cat([positive_N[:, None], barred_NK], dim=1)
    return mean(torch.logsumexp(all_NK, dim=1) - positive_N)


def mean(loss_N: Tensor) -> Tensor:
    """Return the mean over the positions; 0 for no positions."""
    return loss_N.sum() / max(len(loss_N), 1)
