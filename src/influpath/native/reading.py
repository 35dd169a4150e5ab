"""The kernels of reading and planning, where no gradients are wanted.

Each function says in ``None`` or False that the kernels are not there or not meant for what it was
given; the caller then goes on in PyTorch.

Shape suffixes: B rows, L positions, Q queries, D width, F features, H heads, E width of a head, N
rows times heads, or rows, I catalogue items.
"""

import torch
from torch import Tensor

from influpath.native.operators import address, takes, usable, usable_kernels


def reads(*tensors: Tensor) -> bool:
    """Say whether the kernels are meant for tensors, of which no gradients are wanted."""
    if torch.is_grad_enabled() and any(x.requires_grad for x in tensors):
        return False
    return all(map(takes, tensors))


def normalise(x: Tensor, eps: float, out: Tensor) -> bool:
    """Write features [..., D], normalised along the last dimension, to ``out``.

    Args:
        x: Features, contiguous.
        eps: Added to the variance.
        out: Of the same shape, its rows at equal distances.
    """
    place = _distance(out)
    if not place or not x.is_contiguous() or not reads(x, out):
        return False
    width = x.shape[-1]
    rows = x.numel() // width
    usable_kernels().normalise(
        *(rows, width, eps, address(x), None, None, address(out), place, None)
    )
    return True


def gelu_(x: Tensor) -> bool:
    """Apply GELU, by its tanh approximation, in place."""
    if not x.is_contiguous() or not reads(x):
        return False
    usable_kernels().gelu_forward(1, x.numel(), address(x), None, address(x))
    return True


def group_size(heads: int) -> int:
    """Return how many features ``mix_last`` takes at a time, for so many heads; 0 for none."""
    return next((size for size in (4, 2, 1) if heads * size <= lanes()), 0)


def lanes() -> int:
    """Return how many numbers the kernels compute at a time on this processor; 0 without them."""
    library = usable()
    return 0 if library is None else int(library.lanes())


def for_mix_last(query_FFH: Tensor) -> Tensor | None:
    """Return what maps states to queries as ``mix_last`` reads them, [F, N].

    Args:
        query_FFH: What maps them to each feature's query, of every head.
    """
    _, features, heads = query_FFH.shape
    size = group_size(heads)
    if not size or features < size:
        return None
    groups = -(-features // size)
    # The last group may overlap the one before it; what is in both counts once.
    first = [min(group * size, features - size) for group in range(groups)]
    laid_FGHS = query_FFH.new_zeros(features, groups, lanes() // size, size)
    for group, start in enumerate(first):
        fresh = slice(group * size - start, size)
        own_FSH = query_FFH[:, start + fresh.start : start + size]
        laid_FGHS[:, group, :heads, fresh] = own_FSH.mT
    return laid_FGHS.flatten(1)


def mix_last(states_BLF: Tensor, query_FN: Tensor | None, heads: int) -> Tensor | None:
    """Let each row's last state ask all of the row's states, and mix them: [B, H, F].

    Args:
        states_BLF: States, their last feature but one 1; each row contiguous.
        query_FN: From ``for_mix_last``.
        heads: H.
    """
    batch, length, features = states_BLF.shape
    if query_FN is None or states_BLF.stride()[1:] != (features, 1) or not reads(states_BLF):
        return None
    query_BN = torch.mm(states_BLF[:, -1], query_FN)
    mixed_BHF = states_BLF.new_empty(batch, heads, features)
    check(
        usable_kernels().mix_last(
            *(batch, length, features, heads, group_size(heads)),
            *(address(states_BLF), states_BLF.stride(0), address(query_BN), address(mixed_BHF)),
        )
    )
    return mixed_BHF


def mix_each(
    q_NEQ: Tensor,
    k_NEL: Tensor,
    v_NEL: Tensor,
    bias_BLQ: Tensor,
    itself: tuple[Tensor, Tensor] | None = None,
) -> Tensor | None:
    """Return mixtures of values, [B, D, Q], by softmax to the base of two.

    Args:
        q_NEQ: Queries.
        k_NEL: Keys.
        v_NEL: Values.
        bias_BLQ: What is added to the logits of all heads; with one for all queries [B, L, 1].
        itself: Key and value [N, E, Q] that each query alone sees; the last column counts no more.
    """
    count, width, queries = q_NEQ.shape
    batch, stride, steps = bias_BLQ.shape
    alone = () if itself is None else itself
    inner = ((q_NEQ, queries), (k_NEL, stride), (v_NEL, stride), *((x, queries) for x in alone))
    if any(x.stride()[1:] != (size, 1) for x, size in inner):
        return None
    if any(x.stride(0) != q_NEQ.stride(0) for x in alone):
        return None
    if not reads(bias_BLQ, *(x for x, _ in inner)):
        return None
    mixed_BDQ = q_NEQ.new_empty(batch, count // batch * width, queries)
    row, place, step = bias_BLQ.stride()
    check(
        usable_kernels().mix_each(
            *(batch, count // batch, width, queries, stride - bool(alone)),
            *(address(q_NEQ), q_NEQ.stride(0), address(k_NEL), k_NEL.stride(0)),
            *(address(v_NEL), v_NEL.stride(0), stride),
            *(address(bias_BLQ), row, place, step if steps > 1 else 0),
            *(map(address, alone) if alone else (None, None)),
            address(mixed_BDQ),
        )
    )
    return mixed_BDQ


def log_totals(logits_NI: Tensor) -> Tensor | None:
    """Return the logarithm of each row's sum of exponentials, [N, 1]."""
    if not logits_NI.is_contiguous() or not reads(logits_NI):
        return None
    peak_N1, sum_N1 = logits_NI.new_empty(2, len(logits_NI), 1)
    given = address(logits_NI), address(peak_N1), address(sum_N1)
    usable_kernels().exponential_sums(*logits_NI.shape, *given)
    return torch.log(sum_N1).add_(peak_N1)


def highest_allowed(logits_NI: Tensor, barred_NI: Tensor) -> tuple[Tensor, Tensor] | None:
    """Return the first column of each row's highest logit that is not barred, and the logit, [N].

    Where all are barred the logit is minus infinity, and the column of no meaning.

    Args:
        logits_NI: Finite.
        barred_NI: bool.
    """
    if not logits_NI.is_contiguous() or not reads(logits_NI):
        return None
    barred_NI = barred_NI.contiguous()
    column_N = torch.empty(len(logits_NI), dtype=torch.int64)
    best_N = torch.empty(len(logits_NI))
    given = address(logits_NI), address(barred_NI)
    usable_kernels().highest_allowed(*logits_NI.shape, *given, address(column_N), address(best_N))
    return column_N, best_N


def _distance(x: Tensor) -> int:
    """Return how far rows are from one to the next; 0 where that differs, or they are not whole."""
    if x.dim() < 2 or x.stride(-1) != 1:
        return 0
    distance = x.stride(-2)
    inner = x.shape[-2] * distance
    for size, stride in zip(x.shape[-3::-1], x.stride()[-3::-1], strict=True):
        if size > 1 and stride != inner:
            return 0
        inner *= size
    return distance


def check(failed: int) -> None:
    """Raise what a kernel says in its result: that there was no memory."""
    if failed:
        raise MemoryError("no memory for attention")
