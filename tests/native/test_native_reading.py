"""The compiled kernels of reading compute what PyTorch does, whatever the shapes."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from influpath.native import operators, reading
from influpath.recommenders.mixing import UNSEEN

compiled = pytest.mark.skipif(operators.usable() is None, reason="no C compiler here")
seeds = st.integers(0, 2**20)


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def powers(logits: Tensor, dim: int) -> Tensor:
    """Return softmax to the base of two."""
    return (logits.double() * 0.6931471805599453).softmax(dim).float()


@compiled
@settings(deadline=None, max_examples=60)
@given(rows=st.integers(1, 5), width=st.integers(1, 70), room=st.integers(0, 5), seed=seeds)
def test_normalising(rows: int, width: int, room: int, seed: int) -> None:
    x = normal(seed, rows, 2, width) * 3 + 1
    out = torch.full((rows, 2, width + room), torch.nan)
    with torch.no_grad():
        assert reading.normalise(x, 1e-5, out[..., :width])
    torch.testing.assert_close(out[..., :width], F.layer_norm(x, (width,)), atol=3e-6, rtol=3e-6)
    assert out[..., width:].isnan().all()


@compiled
def test_rows_at_unequal_distances_are_left_to_pytorch() -> None:
    x, out = normal(1, 3, 4, 8), torch.empty(3, 6, 8)
    with torch.no_grad():
        assert not reading.normalise(x, 1e-5, out[:, :4])
        assert not reading.normalise(x.mT, 1e-5, torch.empty(3, 8, 4))
        assert reading.normalise(x, 1e-5, out[:, :4].transpose(0, 1).reshape(3, 4, 8))


@compiled
@settings(deadline=None, max_examples=100)
@given(
    batch=st.integers(1, 4),
    length=st.integers(1, 40),
    features=st.integers(3, 90),
    heads=st.integers(1, 16),
    hidden=st.booleans(),
    scale=st.sampled_from([0.3, 3.0]),
    seed=seeds,
)
def test_the_last_state_asks_all(
    batch: int, length: int, features: int, heads: int, hidden: bool, scale: float, seed: int
) -> None:
    states = normal(seed, batch, length + 2, features)[:, 1:-1]
    states[..., -2] = 1.0
    states[..., -1] = 0.0
    query = normal(seed + 1, features, features, heads) * scale / features
    # The mask is a feature that is asked for as it is.
    query[:, -1] = 0.0
    query[-2, -1] = 1.0
    if hidden and length > 1:
        states[:, 0, -1] = UNSEEN
    laid = reading.for_mix_last(query)
    asked = torch.einsum("bf,fgh->bgh", states[:, -1], query)
    weights = powers(torch.einsum("blf,bfh->blh", states, asked), 1)
    wanted = torch.einsum("blh,blf->bhf", weights, states)
    with torch.no_grad():
        found = reading.mix_last(states, laid, heads)
    if laid is None:
        size = reading.group_size(heads)
        assert not size or features < size
        assert found is None
        return
    assert found is not None
    torch.testing.assert_close(found, wanted, atol=2e-5, rtol=2e-5)


@compiled
@settings(deadline=None, max_examples=100)
@given(
    batch=st.integers(1, 3),
    heads=st.integers(1, 3),
    width=st.integers(1, 20),
    length=st.integers(2, 30),
    queries=st.integers(1, 150),
    apart=st.booleans(),
    own_bias=st.booleans(),
    seed=seeds,
)
def test_many_queries(
    batch: int,
    heads: int,
    width: int,
    length: int,
    queries: int,
    apart: bool,
    own_bias: bool,
    seed: int,
) -> None:
    rows = batch * heads
    q, own_k, own_v = normal(seed, rows, 3 * width, queries).chunk(3, dim=1)
    k, v = normal(seed + 1, rows, 2 * width, length).chunk(2, dim=1)
    bias = normal(seed + 2, batch, length, queries if own_bias else 1)
    bias[:, 0] = UNSEEN
    logits = torch.einsum("neq,nel->nlq", q, k).view(batch, heads, length, queries)
    logits = (logits + bias[:, None]).flatten(0, 1)
    if apart:
        logits[:, -1] = (q * own_k).sum(1)
    weights = powers(logits, 1)
    seen = weights[:, :-1] if apart else weights
    wanted = torch.einsum("nlq,nel->neq", seen, v[..., : seen.shape[1]])
    if apart:
        wanted = wanted + weights[:, -1:] * own_v
    with torch.no_grad():
        found = reading.mix_each(q, k, v, bias, (own_k, own_v) if apart else None)
    assert found is not None
    torch.testing.assert_close(
        found, wanted.reshape(batch, heads * width, queries), atol=2e-5, rtol=2e-5
    )


@compiled
@settings(deadline=None, max_examples=100)
@given(
    rows=st.integers(1, 4),
    items=st.integers(1, 90),
    barred=st.sampled_from([0.0, 0.3, 0.97, 1.0]),
    levels=st.sampled_from([2, 1000]),
    seed=seeds,
)
def test_the_catalogue(rows: int, items: int, barred: float, levels: int, seed: int) -> None:
    """With few levels there are ties, of which the first wins."""
    logits = (normal(seed, rows, items) * levels).round() / levels * 20
    bars = torch.rand(rows, items, generator=torch.Generator().manual_seed(seed)) < barred
    with torch.no_grad():
        totals = reading.log_totals(logits)
        chosen = reading.highest_allowed(logits, bars)
    assert totals is not None
    assert chosen is not None
    torch.testing.assert_close(totals, logits.logsumexp(1, keepdim=True), atol=1e-5, rtol=1e-6)
    allowed = logits.masked_fill(bars, -torch.inf).numpy()
    assert chosen[1].tolist() == allowed.max(axis=1).tolist()
    for row in range(rows):
        if not bars[row].all():
            assert int(chosen[0][row]) == int(allowed[row].argmax())


@compiled
@pytest.mark.parametrize("scale", [1.0, 1e3])
def test_totals_beyond_what_powers_can_hold(scale: float) -> None:
    logits = normal(3, 5, 40) * scale
    with torch.no_grad():
        totals = reading.log_totals(logits)
    torch.testing.assert_close(totals, logits.logsumexp(1, keepdim=True))


@compiled
def test_gelu_in_place() -> None:
    x = torch.linspace(-9, 9, 77)
    wanted = F.gelu(x, approximate="tanh")
    with torch.no_grad():
        assert reading.gelu_(x)
    torch.testing.assert_close(x, wanted, atol=2e-6, rtol=2e-6)


@pytest.mark.parametrize(
    "change", [lambda x: x.double(), lambda x: x.bfloat16(), lambda x: x.requires_grad_()]
)
def test_other_tensors_are_left_to_pytorch(change: Callable[[Tensor], Tensor]) -> None:
    x = change(torch.ones(2, 3))
    assert not reading.reads(x)
    assert not reading.gelu_(x)
    assert not reading.normalise(x, 1e-5, torch.empty(2, 3))
    assert reading.log_totals(x) is None
    assert reading.highest_allowed(x, torch.zeros(2, 3, dtype=torch.bool)) is None
    assert reading.mix_last(x[None], torch.ones(3, 16), 1) is None
    assert reading.mix_each(x[None], x[None], x[None], x[None]) is None
