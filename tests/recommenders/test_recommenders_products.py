"""Attention as plain products, and GELU, are PyTorch's, in value and in every gradient."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from influpath.recommenders import products
from influpath.recommenders.products import gelu_product, pays, product_attention


@settings(deadline=None, max_examples=60)
@given(
    batch=st.integers(1, 5),
    queries=st.integers(1, 20),
    keys=st.integers(1, 20),
    width=st.sampled_from([1, 5, 8]),
    # At 12 exponentials overflow, and the call is repeated with the largest logits taken off.
    scale=st.sampled_from([0.5, 2.0, 12.0]),
    weighted=st.booleans(),
    masked=st.sampled_from(["not", "all rows alike", "row by row"]),
    chunk=st.sampled_from([1, 1 << 20]),
    seed=st.integers(0, 2**20),
)
def test_attention(
    batch: int,
    queries: int,
    keys: int,
    width: int,
    scale: float,
    weighted: bool,
    masked: str,
    chunk: int,
    seed: int,
) -> None:
    rng = torch.Generator().manual_seed(seed)
    q, k, v = (
        (torch.randn(batch, 2, count, width, generator=rng) * factor).requires_grad_()
        for count, factor in ((queries, scale), (keys, scale), (keys, 1.0))
    )
    weight = torch.randn(batch, queries, generator=rng).requires_grad_() if weighted else None
    seen = None
    if masked != "not":
        rows = 1 if masked == "all rows alike" else batch
        seen = (torch.rand(rows, 1, queries, keys, generator=rng) < 0.6).float()
        seen[..., 0] = 1.0
    added = torch.zeros(1, 1, queries, keys)
    if weight is not None:
        added = added + F.pad(weight[:, None, :, None], (keys - 1, 0))
    if seen is not None:
        added = added.masked_fill(seen == 0, -torch.inf)
    added = added.expand(batch, 1, queries, keys)
    leaves = [q, k, v] if weight is None else [q, k, v, weight]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(products, "CACHE_BYTES", chunk)
        out = product_attention(q, k, v, seen, weight)
        upstream = torch.randn(out.shape, generator=rng)
        found = [out, *torch.autograd.grad(out, leaves, upstream)]
    plain = F.scaled_dot_product_attention(q, k, v, attn_mask=added)
    expected = [plain, *torch.autograd.grad(plain, leaves, upstream)]
    share = 5e-6 * max(4.0, scale**2)
    for one, other in zip(found, expected, strict=True):
        apart = float((one - other).detach().abs().max())
        assert apart <= share * max(1.0, float(other.detach().abs().max()))


def test_a_hidden_key_gets_no_gradient() -> None:
    q, k, v = (torch.randn(2, 1, 4, 3, requires_grad=True) for _ in range(3))
    hidden = torch.full((2, 4), -torch.inf)
    out = product_attention(q, k, v, None, hidden)
    d_k, d_v = torch.autograd.grad(out.sum(), (k, v))
    assert not d_k[:, :, -1].any()
    assert not d_v[:, :, -1].any()
    torch.testing.assert_close(
        out, F.scaled_dot_product_attention(q, k[:, :, :3], v[:, :, :3]), atol=1e-6, rtol=1e-5
    )


def test_gelu() -> None:
    x = torch.cat([torch.linspace(-12, 12, 4001), torch.tensor([-1e4, 0.0, 1e4])])
    x.requires_grad_()
    upstream = torch.linspace(-1, 2, len(x))
    results = []
    for function in (gelu_product, lambda y: F.gelu(y, approximate="tanh")):
        y = function(x)
        results.append([y, *torch.autograd.grad(y, x, upstream)])
    torch.testing.assert_close(*results, atol=2e-6, rtol=2e-6)


def test_long_windows_are_left_to_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    q = torch.randn(2, 2, 6, 3, requires_grad=True)
    assert pays(q, q)
    assert not pays(q.detach(), q.detach())
    assert not pays(q.bfloat16(), q.bfloat16())
    monkeypatch.setattr(products, "KEPT_BYTES", 4 * 2 * 2 * 6 * 6 - 1)
    assert not pays(q, q)
