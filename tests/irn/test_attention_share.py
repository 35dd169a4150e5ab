"""The objective's share of attention equals a softmax worked out entry by entry."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from irn_networks import random_irn
from torch import Tensor

from influpath.data.sequences import Sequences
from influpath.irn.attention_share import even_share, objective_share
from influpath.irn.model import IRN

HISTORIES = [[3, 9, 4, 12, 7, 30, 2, 5], [8, 1], [], [6]]
OBJECTIVES = [11, 20, 5, 28]
USERS = [0, 3, -1, 4]
M = 6


def share(model: IRN, **dials: Any) -> Tensor:
    return objective_share(
        model, Sequences.from_rows(HISTORIES), np.array(OBJECTIVES), np.array(USERS), M, **dials
    )


def by_hand(model: IRN, row: int, w_t: float, pace: int) -> list[list[float]]:
    """Layer by layer and head by head, from the weights and the words of III-D."""
    config, net = model.config, model.module
    slots = (M - 1) // pace if config.aligned else 0
    room = config.l_max - 1 - slots
    items = [0] * room + HISTORIES[row]
    items = items[len(items) - room :] + [0] * slots + [OBJECTIVES[row]]
    known = net.user.weight if USERS[row] < 0 else net.user.weight[USERS[row] : USERS[row] + 1]
    r_u = float((known @ net.impressionability.weight.T).mean())
    push = {1: 0.0, 2: w_t - config.w_h, 3: r_u * w_t - config.w_h}[config.mask_type]
    length, last, at = config.l_max, config.l_max - 1, room - 1
    x = net.item(torch.tensor(items)) * math.sqrt(config.embedding_size) + net.position.weight
    result = []
    for block in net.blocks:
        normal: Any = block
        packed = normal.query_key_value(normal.norm_attention(x))
        q, k, v = packed.view(length, 3, config.heads, -1).unbind(1)
        layer, mixed = [], torch.zeros_like(q)
        for head in range(config.heads):
            for query in range(length):
                seen = {key for key in range(query + 1) if items[key] > 0} | {query, last}
                if query == last:
                    seen = {last}
                logits = {
                    key: float(q[query, head] @ k[key, head]) / math.sqrt(q.shape[-1])
                    + (push if key == last and query != last else 0.0)
                    for key in seen
                }
                total = sum(math.exp(value) for value in logits.values())
                weights = {key: math.exp(value) / total for key, value in logits.items()}
                for key, weight in weights.items():
                    mixed[query, head] += weight * v[key, head]
                if query == at:
                    layer.append(weights[last])
        result.append(layer)
        x = x + normal.output(mixed.reshape(length, -1))
        fed = normal.feed_in(normal.norm_feed(x))
        x = x + normal.feed_out(torch.nn.functional.gelu(fed, approximate="tanh"))
    return result


@pytest.mark.parametrize(
    ("config", "dials"),
    [
        ({"mask_type": 3}, {"w_t": 2.5}),
        ({"mask_type": 3, "layers": 1, "w_h": 0.4}, {"w_t": 0.0, "pace": 2}),
        ({"mask_type": 2, "w_h": 0.3}, {"w_t": 1.0, "pace": 9}),
        ({"mask_type": 1, "aligned": False}, {"w_t": 3.0}),
    ],
)
def test_it_is_the_softmax_weight_on_the_objective(
    config: dict[str, Any], dials: dict[str, Any]
) -> None:
    model = random_irn(seed=1, **config)
    found = share(model, **dials)
    assert found.shape == (4, model.config.layers, model.config.heads)
    with torch.no_grad():
        for row in range(4):
            expected = by_hand(model, row, dials["w_t"], dials.get("pace", 1))
            torch.testing.assert_close(found[row], torch.tensor(expected), atol=2e-6, rtol=1e-4)


def test_more_weight_is_more_attention_in_the_first_layer() -> None:
    model = random_irn(seed=2)
    little, much = share(model, w_t=0.0), share(model, w_t=4.0)
    assert (much[:, 0] > little[:, 0]).all()
    assert (share(model, w_t=60.0)[:, 0] > 0.99).all()


def test_equal_keys_get_an_even_share() -> None:
    """Without queries every visible position counts the same."""
    model = random_irn(seed=3, scale=0.0, mask_type=1)
    for pace in (1, 3):
        found = share(model, pace=pace)
        even = even_share(model, Sequences.from_rows(HISTORIES), M, pace)
        torch.testing.assert_close(found, even[:, None, None].expand_as(found))


def test_it_leaves_the_model_as_it_was() -> None:
    model = random_irn(seed=4)
    histories, objectives = Sequences.from_rows(HISTORIES), np.array(OBJECTIVES)
    before = model.log_probs_toward(histories, objectives)
    share(model)
    assert torch.equal(model.log_probs_toward(histories, objectives), before)
    assert all(not block._forward_pre_hooks for block in model.module.blocks)


def test_no_rows() -> None:
    none = np.empty(0, dtype=np.int64)
    found = objective_share(random_irn(seed=1), Sequences.from_rows([]), none, none, M)
    assert found.shape == (0, 3, 2)
