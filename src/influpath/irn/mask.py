"""The Personalized Impressionability Mask (PIM): what each position sees, and how strongly.

The mask is added to the attention logits (paper III-D3, Figure 5): ``w_h`` for items at or before
the query, ``r_u * w_t`` for the objective's column, minus infinity elsewhere.  Softmax does not
change when every visible logit moves alike, so the mask is split in two exact parts: which
positions are visible (a boolean), and how much more the objective weighs than an item
(``r_u * w_t - w_h``, a number per query).

No leak: the objective's own row attends to itself only.  If it saw the items (a literal reading of
Figure 5, and what the published code does), every position would from the second layer on see the
items it has to predict.

Shape suffixes: B batch, Q query positions, L key positions.
"""

from typing import Literal

import torch
from torch import Tensor

from influpath.native.operators import Pattern

MaskType = Literal[1, 2, 3]


def visible(items_BL: Tensor, objective_shown_B: Tensor, leak: bool = False) -> Tensor:
    """Return which key each query may attend to.

    Args:
        items_BL: Pre-padded windows with the objective in the last column; 0 is padding or an
            empty slot.
        objective_shown_B: False hides the objective's column from every other position.
        leak: The literal variant, for the ablation only: the objective's row sees every item.

    Returns:
        bool [B, L, L].  Items see themselves and earlier items, and the objective if it is shown.
        Every row sees itself, since a pad row would else have nothing to attend to.
    """
    length = items_BL.shape[1]
    causal_LL = torch.ones(length, length, dtype=torch.bool, device=items_BL.device).tril()
    seen_BLL = causal_LL & (items_BL > 0)[:, None, :]
    seen_BLL[:, :, -1] = objective_shown_B[:, None]
    if not leak:
        seen_BLL[:, -1, :] = False
    return seen_BLL | torch.eye(length, dtype=torch.bool, device=items_BL.device)


def as_numbers(
    items_BL: Tensor, objective_shown_B: Tensor, weight_BL: Tensor, leak: bool = False
) -> tuple[Tensor, Tensor]:
    """Return ``visible`` in the form that training multiplies by, and the objective's weight.

    Whether the objective is shown moves to its weight, so that rows without pads share one table.

    Args:
        items_BL: See ``visible``.
        objective_shown_B: See ``visible``.
        weight_BL: What the mask adds to the objective's logit.
        leak: See ``visible``.

    Returns:
        float [1 or B, 1, L, L], 1 where a query sees a key and else 0, the objective being shown;
        and the weights [B, L], minus infinity where it is hidden.
    """
    length = items_BL.shape[1]
    seen = torch.ones(length, length, device=items_BL.device).tril()[None]
    real_BL = items_BL > 0
    if not real_BL[:, :-1].all():
        seen = seen * real_BL[:, None, :].float()
        seen.diagonal(dim1=1, dim2=2).fill_(1.0)
    seen[:, :, -1] = 1.0
    if not leak:
        seen[:, -1, :-1] = 0.0
    return seen[:, None], shown_weight(objective_shown_B, weight_BL)


def as_pattern(items_BL: Tensor, objective_shown_B: Tensor, weight_BL: Tensor) -> Pattern | None:
    """Return ``visible``, without a leak, in the form of the compiled kernel.

    Args:
        items_BL: See ``visible``.
        objective_shown_B: See ``visible``.
        weight_BL: What the mask adds to the objective's logit.

    Returns:
        None where a window has empty slots between its items, which the kernel does not know.
    """
    first_B = (items_BL[:, :-1] == 0).sum(1)
    leading_BL = torch.arange(items_BL.shape[1] - 1) < first_B[:, None]
    if (items_BL[:, :-1] > 0)[leading_BL].any():
        return None
    return Pattern(True, first_B, shown_weight(objective_shown_B, weight_BL))


def shown_weight(objective_shown_B: Tensor, weight_BL: Tensor) -> Tensor:
    """Return the objective's weight [B, L], minus infinity where it is hidden."""
    shown_BL = objective_shown_B[:, None].expand(weight_BL.shape).clone()
    # Its own row sees itself.
    shown_BL[:, -1] = True
    return weight_BL.masked_fill(~shown_BL, -torch.inf)


def objective_weight(
    mask_type: MaskType, impressionability_B: Tensor, w_t_BQ: Tensor, w_h: float
) -> Tensor:
    """Return what the mask adds to the objective's logit relative to an item's: [B, Q].

    Args:
        mask_type: 1: the objective is visible but weighs like an item (w_h = w_t = 0); 2: a
            uniform weight w_t; 3: the personal weight r_u * w_t (Table V).
        impressionability_B: r_u.
        w_t_BQ: Aggressiveness at each query position.
        w_h: Weight of the history.
    """
    if mask_type == 1:
        return torch.zeros_like(w_t_BQ)
    if mask_type == 2:
        return w_t_BQ - w_h
    return impressionability_B[:, None] * w_t_BQ - w_h
