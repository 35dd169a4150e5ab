"""AdamW for large embeddings: of a sparse gradient only the rows that have one cost anything.

Shape suffixes: R rows with a gradient, D width.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


class RowwiseAdamW(torch.optim.AdamW):
    """AdamW whose step leaves rows without a gradient alone, where the gradient is sparse.

    Moments and weights of the other rows stay ("lazy Adam", as ``torch.optim.SparseAdam``), so a
    step costs what the batch touches, whatever the size of the embedding.  Dense gradients are
    PyTorch's own AdamW.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None and parameter.grad.is_sparse:
                    self._step_rows(parameter, parameter.grad.coalesce(), group)
                    parameter.grad = None
        return super().step(closure)

    def _step_rows(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros(())
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        state["step"] += 1
        (beta1, beta2), rate, steps = group["betas"], float(group["lr"]), float(state["step"])
        rows_R, gradient_RD = gradient.indices()[0], gradient.values()
        mean_RD = state["exp_avg"][rows_R].lerp_(gradient_RD, 1 - beta1)
        square_RD = state["exp_avg_sq"][rows_R].mul_(beta2)
        square_RD.addcmul_(gradient_RD, gradient_RD, value=1 - beta2)
        state["exp_avg"][rows_R], state["exp_avg_sq"][rows_R] = mean_RD, square_RD
        spread_RD = square_RD.div(1 - beta2**steps).sqrt_().add_(group["eps"])
        kept_RD = parameter[rows_R].mul_(1 - rate * group["weight_decay"])
        parameter[rows_R] = kept_RD.addcdiv_(mean_RD, spread_RD, value=-rate / (1 - beta1**steps))


def clip_gradients(parameters: Iterable[Tensor], bound: float) -> None:
    """Scale all gradients so that their joint norm is at most ``bound``, sparse ones among them."""
    values = []
    for parameter in parameters:
        if parameter.grad is None:
            continue
        if parameter.grad.is_sparse:
            # Entries of the same row must be summed before their norm means anything.
            parameter.grad = parameter.grad.coalesce()
            values.append(parameter.grad.values())
        else:
            values.append(parameter.grad)
    factor = (bound / (torch.nn.utils.get_total_norm(values) + 1e-6)).clamp(max=1.0)
    for value in values:
        value.mul_(factor)
