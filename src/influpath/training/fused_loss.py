"""Full-catalogue cross-entropy that never stores the logits.

Logits are made, reduced and differentiated chunk by chunk, in a chunk that stays in the processor's
cache, so memory does not grow with batch x catalogue.  Shared by every neural model.

In float32, where no exponential can overflow, the compiled kernel does it in training, if there is
one.  Without it only what must be done is done to a chunk: one product, exponentials in place, and
one product for each gradient.  The bias multiplies the odds, so it goes to the narrow sides, where
it becomes one more column: exp(h w + b) = exp(h w) exp(b).  The same column gives the sums over the
catalogue and the bias' gradient.

Under autocast (``training.precision = "bfloat16"``) the three matrix products and the exponentials
are bfloat16; sums over the catalogue, the targets' own logits and the gradients are float32.

Shape suffixes: N supervised positions, C positions of one chunk, D width, V catalogue items.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from influpath.native.cross_entropy import cross_entropy
from influpath.native.operators import takes
from influpath.native.output import SAFE_LOGIT
from influpath.training.device import chunk_bytes

CHUNK_BYTES = 3 << 18
# In bfloat16 a product costs less than what is done once a chunk, so chunks are larger.
HALF_CHUNK_BYTES = 4 << 20
HALF_CHUNK_ROWS = 128
# Powers of 2 up to these exponents, and sums of them, neither overflow nor vanish.
SAFE_EXPONENT = 90.0
# Rows of a product for large catalogues, and the multiple that its width is filled up to.
LEAST_ROWS, MULTIPLE = 32, 8
LOG2_E = math.log2(math.e)


def fused_cross_entropy(
    hidden_ND: Tensor,
    weight_VD: Tensor,
    target_N: Tensor,
    bias_V: Tensor | None = None,
    own_N: Tensor | None = None,
) -> Tensor:
    """Mean cross-entropy of ``softmax(hidden @ weight.T + bias)`` against the targets.

    Equals ``F.cross_entropy(hidden @ weight.T + bias, target)``, gradients included, up to
    rounding.  Pads are left out by the caller: only supervised positions come in.

    Args:
        hidden_ND: Outputs of the network at the supervised positions [N, D].
        weight_VD: Output projection, float32 [V, D].
        target_N: Indices into the V rows, int64 [N].
        bias_V: Output bias, float32 [V], or None.
        own_N: Where the V rows are a sample: the logits of the targets [N], which are counted once
            whether sampled or not.  ``target_N`` is then -1 where the target was not sampled.

    Returns:
        Scalar mean loss (formula 9 of the paper, averaged over positions); 0 for no positions.
    """
    apply = cast(Callable[..., Tensor], _FusedCrossEntropy.apply)
    # Within the function gradients are never enabled.
    wanted = torch.is_grad_enabled()
    return apply(hidden_ND.to(weight_VD.dtype), weight_VD, bias_V, target_N, own_N, wanted)


class _Inputs(NamedTuple):
    """What comes in; see ``fused_cross_entropy``."""

    hidden_ND: Tensor
    weight_VD: Tensor
    bias_V: Tensor | None
    target_N1: Tensor
    own_N1: Tensor | None


class _Chunk(NamedTuple):
    """Odds of some positions: exp(logit - shift), one shift per row.

    Attributes:
        rows: The positions.
        odds_CV: Odds of the catalogue rows.
        own_C1: Odds of the target where it is counted apart, else None.
        total_C1: Sum of the odds.
        loss: Sum of the positions' losses.
    """

    rows: slice
    odds_CV: Tensor
    own_C1: Tensor | None
    total_C1: Tensor
    loss: Tensor


class _FusedCrossEntropy(torch.autograd.Function):
    """Computes the gradients along with the loss, so that each logit is made only once."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden_ND: Tensor,
        weight_VD: Tensor,
        bias_V: Tensor | None,
        target_N: Tensor,
        own_N: Tensor | None,
        wanted: bool,
    ) -> Tensor:
        own_N1 = None if own_N is None else own_N[:, None]
        inputs = _Inputs(hidden_ND, weight_VD, bias_V, target_N[:, None], own_N1)
        half = torch.is_autocast_enabled(hidden_ND.device.type)
        with torch.autocast(hidden_ND.device.type, enabled=False):
            wanted = wanted and any(ctx.needs_input_grad)
            if not half and len(hidden_ND) and float(_bound(inputs)) < SAFE_LOGIT:
                loss, *gradients = _bounded(inputs, wanted)
            else:
                chunks = _half_chunks(inputs) if half else _exact_chunks(inputs)
                if wanted:
                    loss, *gradients = _differentiated(inputs, chunks, half)
                else:
                    loss, gradients = sum((c.loss for c in chunks), hidden_ND.new_zeros(())), []
        ctx.count = max(len(hidden_ND), 1)
        ctx.save_for_backward(*gradients)
        mean: Tensor = loss / ctx.count
        return mean

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        scale = grad_outputs[0] / ctx.count
        d_hidden_ND, d_weight_VD, d_bias_V, d_own_N = (
            None if gradient is None else gradient * scale for gradient in ctx.saved_tensors
        )
        return d_hidden_ND, d_weight_VD, d_bias_V, None, d_own_N, None


def _bound(inputs: _Inputs) -> Tensor:
    """Return a bound on the size of every logit."""
    hidden_ND, weight_VD, bias_V, _, own_N1 = inputs
    largest = hidden_ND.norm(dim=1).amax() * weight_VD.norm(dim=1).amax()
    if bias_V is not None:
        largest = largest + bias_V.abs().amax()
    return largest if own_N1 is None else torch.maximum(largest, own_N1.abs().amax())


def _picked(inputs: _Inputs) -> Tensor:
    """Return the logits of the targets, [N, 1]."""
    hidden_ND, weight_VD, bias_V, target_N1, own_N1 = inputs
    if own_N1 is not None:
        return own_N1
    picked_N1 = (hidden_ND * weight_VD[target_N1[:, 0]]).sum(1, keepdim=True)
    return picked_N1 if bias_V is None else picked_N1 + bias_V[target_N1]


def _bounded(inputs: _Inputs, wanted: bool) -> tuple[Tensor | None, ...]:
    """Return the summed loss and, where wanted, its gradients; no exponential can overflow.

    X is D and one more column, for the bias and the sums, filled up with zeros.
    """
    hidden_ND, weight_VD, bias_V, target_N1, own_N1 = inputs
    if wanted and own_N1 is None and takes(hidden_ND):
        return *cross_entropy(hidden_ND, weight_VD, target_N1[:, 0], bias_V), None
    (count, width), items = hidden_ND.shape, len(weight_VD)
    raised_V1 = torch.ones_like(weight_VD[:, :1]) if bias_V is None else bias_V.exp()[:, None]
    filled = -(-(width + 1) // MULTIPLE) * MULTIPLE
    factor_VX, d_weight_VX = weight_VD.new_zeros(2, items, filled).unbind()
    torch.mul(weight_VD, raised_V1, out=factor_VX[:, :width])
    factor_VX[:, width:][:, :1] = raised_V1
    mixed_NX = hidden_ND.new_empty(count, filled)
    weight_DV = weight_VD.T.contiguous()
    room = chunk_bytes(weight_VD.device, CHUNK_BYTES)
    size = max(LEAST_ROWS, room // (items * weight_VD.element_size()))
    buffer_CV = weight_VD.new_empty(min(size, count), items)
    scaled_CX = hidden_ND.new_zeros(len(buffer_CV), filled)
    total_N1 = mixed_NX[:, width : width + 1]
    for rows in _slices(count, size):
        odds_CV = _logits(hidden_ND[rows], weight_DV.T, None, buffer_CV)
        if own_N1 is not None:
            _bar(target_N1[rows], odds_CV)
        odds_CV.exp_()
        if not wanted:
            torch.mm(odds_CV, raised_V1, out=total_N1[rows])
        else:
            torch.mm(odds_CV, factor_VX, out=mixed_NX[rows])
        if own_N1 is not None:
            total_N1[rows] += own_N1[rows].exp()
        if wanted:
            scaled_CX = scaled_CX[: len(odds_CV)]
            inverse_C1 = torch.reciprocal(total_N1[rows], out=scaled_CX[:, width : width + 1])
            torch.mul(hidden_ND[rows], inverse_C1, out=scaled_CX[:, :width])
            d_weight_VX.addmm_(odds_CV.T, scaled_CX)
    loss = (total_N1.log() - _picked(inputs)).sum()
    if not wanted:
        return (loss,)
    d_hidden_ND = mixed_NX[:, :width] / total_N1
    d_weight_VD = d_weight_VX[:, :width] * raised_V1
    d_bias_V = None if bias_V is None else d_weight_VX[:, width] * raised_V1[:, 0]
    if own_N1 is not None:
        return loss, d_hidden_ND, d_weight_VD, d_bias_V, (own_N1.exp() / total_N1 - 1.0)[:, 0]
    d_hidden_ND -= weight_VD[target_N1[:, 0]]
    _count_targets(inputs, d_weight_VD, d_bias_V)
    return loss, d_hidden_ND, d_weight_VD, d_bias_V, None


def _count_targets(inputs: _Inputs, d_weight_VD: Tensor, d_bias_V: Tensor | None) -> None:
    """Take the targets' own part from the gradients, in place."""
    hidden_ND, _, _, target_N1, _ = inputs
    d_weight_VD.index_add_(0, target_N1[:, 0], hidden_ND, alpha=-1.0)
    if d_bias_V is not None:
        d_bias_V.index_add_(0, target_N1[:, 0], torch.ones_like(hidden_ND[:, 0]), alpha=-1.0)


def _exact_chunks(inputs: _Inputs) -> Iterator[_Chunk]:
    """Make the odds in the precision of what comes in, whatever the size of the logits."""
    hidden_ND, weight_VD, bias_V, target_N1, own_N1 = inputs
    room = chunk_bytes(weight_VD.device, CHUNK_BYTES)
    size = max(16, room // (len(weight_VD) * weight_VD.element_size()))
    buffer_CV = weight_VD.new_empty(min(size, len(hidden_ND)), len(weight_VD))
    for rows in _slices(len(hidden_ND), size):
        logits_CV = _logits(hidden_ND[rows], weight_VD, bias_V, buffer_CV)
        if own_N1 is None:
            picked_C1 = logits_CV.gather(1, target_N1[rows])
            peak_C1 = logits_CV.amax(1, keepdim=True)
        else:
            picked_C1 = own_N1[rows]
            _bar(target_N1[rows], logits_CV)
            peak_C1 = torch.maximum(logits_CV.amax(1, keepdim=True), picked_C1)
        odds_CV, own_C1 = logits_CV.sub_(peak_C1).exp_(), None
        total_C1 = odds_CV.sum(1, keepdim=True)
        if own_N1 is not None:
            own_C1 = (picked_C1 - peak_C1).exp()
            total_C1 = total_C1 + own_C1
        loss = (total_C1.log() + peak_C1 - picked_C1).sum()
        yield _Chunk(rows, odds_CV, own_C1, total_C1, loss)


def _half_chunks(inputs: _Inputs) -> Iterator[_Chunk]:
    """Make the odds in bfloat16, as powers of 2, which are the fastest."""
    hidden_ND, weight_VD, bias_V, target_N1, own_N1 = inputs
    if not len(hidden_ND):
        return
    # The targets' own logits decide the loss: they are exact.
    picked_N1 = _picked(inputs)
    # Most models' logits are bounded by so little that no peak has to be looked for.
    bounded = float(_bound(inputs)) * LOG2_E < SAFE_EXPONENT
    weight_VD = weight_VD.bfloat16()
    bias_V = None if bias_V is None else (bias_V * LOG2_E).bfloat16()
    room = chunk_bytes(weight_VD.device, HALF_CHUNK_BYTES)
    size = max(HALF_CHUNK_ROWS, room // (2 * len(weight_VD)))
    buffer_CV = weight_VD.new_empty(min(size, len(hidden_ND)), len(weight_VD))
    for rows in _slices(len(hidden_ND), size):
        hidden_CD, picked_C1 = (hidden_ND[rows] * LOG2_E).bfloat16(), picked_N1[rows]
        logits_CV = _logits(hidden_CD, weight_VD, bias_V, buffer_CV)
        if own_N1 is not None:
            _bar(target_N1[rows], logits_CV)
        shift_C1 = torch.zeros_like(picked_C1)
        if not bounded:
            peak_C1 = torch.maximum(logits_CV.amax(1, keepdim=True), picked_C1 * LOG2_E)
            logits_CV -= (shift_half_C1 := peak_C1.bfloat16())
            shift_C1 = shift_half_C1.float()
        odds_CV, own_C1 = logits_CV.exp2_(), None
        total_C1 = odds_CV.sum(1, keepdim=True).float()
        if own_N1 is not None:
            own_C1 = (picked_C1 * LOG2_E - shift_C1).exp2()
            total_C1 = total_C1 + own_C1
        loss = (total_C1.log() + shift_C1 / LOG2_E - picked_C1).sum()
        yield _Chunk(rows, odds_CV, own_C1, total_C1, loss)


def _differentiated(
    inputs: _Inputs, chunks: Iterator[_Chunk], half: bool
) -> tuple[Tensor | None, ...]:
    """Return the summed loss and its gradients for hidden states, weights, bias and own logits."""
    hidden_ND, weight_VD, bias_V, target_N1, own_N1 = inputs
    loss = hidden_ND.new_zeros(())
    d_hidden_ND, d_weight_VD = torch.empty_like(hidden_ND), torch.zeros_like(weight_VD)
    d_bias_V = None if bias_V is None else torch.zeros_like(bias_V)
    d_own_N1 = None if own_N1 is None else torch.empty_like(own_N1)
    factor_VD = weight_VD.bfloat16() if half else weight_VD
    for rows, odds_CV, own_C1, total_C1, chunk_loss in chunks:
        loss += chunk_loss
        # Scaling the narrow sides instead of dividing the wide matrix saves a pass over it.
        inverse_C1 = total_C1.reciprocal()
        d_hidden_ND[rows] = (odds_CV @ factor_VD) * inverse_C1
        if d_own_N1 is None or own_C1 is None:
            d_hidden_ND[rows] -= weight_VD[target_N1[rows, 0]]
        else:
            d_own_N1[rows] = own_C1 * inverse_C1 - 1.0
        scaled_CD = hidden_ND[rows] * inverse_C1
        if half:
            d_weight_VD += odds_CV.T @ scaled_CD.bfloat16()
        else:
            d_weight_VD.addmm_(odds_CV.T, scaled_CD)
        if d_bias_V is not None and half:
            d_bias_V += (odds_CV.T @ inverse_C1.bfloat16())[:, 0]
        elif d_bias_V is not None:
            d_bias_V.addmv_(odds_CV.T, inverse_C1[:, 0])
    if d_own_N1 is not None:
        return loss, d_hidden_ND, d_weight_VD, d_bias_V, d_own_N1[:, 0]
    if len(hidden_ND):
        _count_targets(inputs, d_weight_VD, d_bias_V)
    return loss, d_hidden_ND, d_weight_VD, d_bias_V, None


def _logits(
    hidden_CD: Tensor, weight_VD: Tensor, bias_V: Tensor | None, buffer_CV: Tensor
) -> Tensor:
    """Return hidden @ weight.T + bias, written over the buffer's first rows."""
    logits_CV = buffer_CV[: len(hidden_CD)]
    if bias_V is None:
        return torch.mm(hidden_CD, weight_VD.T, out=logits_CV)
    return torch.addmm(bias_V, hidden_CD, weight_VD.T, out=logits_CV)


def _bar(column_C1: Tensor, logits_CV: Tensor) -> None:
    """Leave one column of each row out of the softmax, in place; none where the column is -1."""
    rows_C = torch.nonzero(column_C1[:, 0] >= 0)[:, 0]
    logits_CV[rows_C, column_C1[rows_C, 0]] = -torch.inf


def _slices(count: int, size: int) -> Iterator[slice]:
    """Cut 0..count into slices of at most ``size``."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
