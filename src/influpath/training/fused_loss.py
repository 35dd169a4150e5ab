"""Full-catalogue cross-entropy that never stores the logits.

Logits are made, reduced and differentiated chunk by chunk, in a chunk that stays in the processor's
cache, so memory does not grow with batch x catalogue.  Shared by every neural model.

Shape suffixes: N supervised positions, C positions of one chunk, D width, V catalogue items.
"""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor

CHUNK_BYTES = 2 << 20


def fused_cross_entropy(
    hidden_ND: Tensor, weight_VD: Tensor, target_N: Tensor, bias_V: Tensor | None = None
) -> Tensor:
    """Mean cross-entropy of ``softmax(hidden @ weight.T + bias)`` against the targets.

    Equals ``F.cross_entropy(hidden @ weight.T + bias, target)``, gradients included, up to
    rounding.  Pads are left out by the caller: only supervised positions come in.

    Args:
        hidden_ND: Outputs of the network at the supervised positions, float32 [N, D].
        weight_VD: Output projection, float32 [V, D].
        target_N: Indices into the V rows, int64 [N].
        bias_V: Output bias, float32 [V], or None.

    Returns:
        Scalar mean loss (formula 9 of the paper, averaged over positions); 0 for no positions.
    """
    apply = cast(Callable[..., Tensor], _FusedCrossEntropy.apply)
    return apply(hidden_ND, weight_VD, target_N, bias_V)


class _FusedCrossEntropy(torch.autograd.Function):
    """Computes the gradients along with the loss, so that each logit is made only once."""

    @staticmethod
    def forward(
        ctx: Any, hidden_ND: Tensor, weight_VD: Tensor, target_N: Tensor, bias_V: Tensor | None
    ) -> Tensor:
        count, catalogue = len(hidden_ND), len(weight_VD)
        chunk = max(16, CHUNK_BYTES // (catalogue * hidden_ND.element_size()))
        wants_gradient = any(ctx.needs_input_grad)
        loss = hidden_ND.new_zeros(())
        d_hidden_ND = torch.empty_like(hidden_ND) if wants_gradient else None
        d_weight_VD = torch.zeros_like(weight_VD) if wants_gradient else None
        d_bias_V = torch.zeros_like(bias_V) if wants_gradient and bias_V is not None else None
        for start in range(0, count, chunk):
            rows = slice(start, min(start + chunk, count))
            hidden_CD, target_C1 = hidden_ND[rows], target_N[rows, None]
            if bias_V is None:
                logits_CV = hidden_CD @ weight_VD.T
            else:
                logits_CV = torch.addmm(bias_V, hidden_CD, weight_VD.T)
            picked_C1 = logits_CV.gather(1, target_C1)
            peak_C1 = logits_CV.amax(1, keepdim=True)
            odds_CV = logits_CV.sub_(peak_C1).exp_()
            total_C1 = odds_CV.sum(1, keepdim=True)
            loss += (total_C1.log() + peak_C1 - picked_C1).sum()
            if d_hidden_ND is None or d_weight_VD is None:
                continue
            # Scaling the narrow sides instead of dividing the wide matrix saves a pass over it.
            inverse_C1 = total_C1.reciprocal()
            d_hidden_ND[rows] = (odds_CV @ weight_VD) * inverse_C1 - weight_VD[target_N[rows]]
            d_weight_VD.addmm_(odds_CV.T, hidden_CD * inverse_C1)
            if d_bias_V is not None:
                d_bias_V.addmv_(odds_CV.T, inverse_C1[:, 0])
        if d_weight_VD is not None and count:
            d_weight_VD.index_add_(0, target_N, hidden_ND, alpha=-1.0)
            if d_bias_V is not None:
                ones_N = torch.ones(count, dtype=d_bias_V.dtype, device=d_bias_V.device)
                d_bias_V.index_add_(0, target_N, ones_N, alpha=-1.0)
        ctx.count = max(count, 1)
        ctx.save_for_backward(d_hidden_ND, d_weight_VD, d_bias_V)
        mean: Tensor = loss / ctx.count
        return mean

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        d_hidden_ND, d_weight_VD, d_bias_V = ctx.saved_tensors
        scale = grad_outputs[0] / ctx.count
        return (
            d_hidden_ND * scale,
            d_weight_VD * scale,
            None,
            None if d_bias_V is None else d_bias_V * scale,
        )
