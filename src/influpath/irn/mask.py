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
