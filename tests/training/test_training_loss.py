"""The fused loss is ``F.cross_entropy``, in value and in every gradient."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from influpath.training import fused_loss
from influpath.training.fused_loss import fused_cross_entropy


def problem(
    positions: int, width: int, catalogue: int, biased: bool, seed: int, scale: float = 1.0
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return (torch.randn(shape, generator=generator) * scale).requires_grad_()

    target = torch.randint(catalogue, (positions,), generator=generator)
    bias = normal(catalogue) if biased else None
    return normal(positions, width), normal(catalogue, width), target, bias


def gradients(loss: Tensor, *leaves: Tensor | None) -> list[Tensor]:
    # A factor, so that what comes from above is not taken to be 1.
    return list(torch.autograd.grad(loss * 3.0, [leaf for leaf in leaves if leaf is not None]))


@settings(deadline=None, max_examples=80)
@given(
    positions=st.integers(1, 70) | st.sampled_from([1, 15, 16, 17, 32, 33]),
    width=st.integers(1, 9),
    catalogue=st.integers(1, 40),
    biased=st.booleans(),
    # The smallest chunk is 16 positions.
    chunk_positions=st.sampled_from([0, 16, 23, 10_000]),
    kernel=st.booleans(),
    seed=st.integers(0, 2**20),
)
def test_equals_cross_entropy(
    positions: int,
    width: int,
    catalogue: int,
    biased: bool,
    chunk_positions: int,
    kernel: bool,
    seed: int,
) -> None:
    hidden, weight, target, bias = problem(positions, width, catalogue, biased, seed)
    with pytest.MonkeyPatch.context() as patch:
        if not kernel:
            patch.setattr(fused_loss, "takes", lambda x: False)
        patch.setattr(fused_loss, "CHUNK_BYTES", chunk_positions * 4 * catalogue)
        fused = fused_cross_entropy(hidden, weight, target, bias)
        found = gradients(fused, hidden, weight, bias)
    plain = F.cross_entropy(F.linear(hidden, weight, bias), target)
    torch.testing.assert_close(fused, plain, atol=1e-5, rtol=1e-5)
    expected = gradients(plain, hidden, weight, bias)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("biased", [True, False])
def test_no_positions_are_no_loss(biased: bool) -> None:
    hidden, weight, target, bias = problem(0, 4, 5, biased, 0)
    loss = fused_cross_entropy(hidden, weight, target, bias)
    assert loss.item() == 0.0
    for gradient in gradients(loss, hidden, weight, bias):
        assert not gradient.any()


@pytest.mark.parametrize("biased", [True, False])
def test_gradcheck_in_double_precision(biased: bool) -> None:
    hidden, weight, target, bias = problem(19, 3, 6, biased, 1)
    inputs: list[Any] = [hidden, weight, target, bias]
    for place in (0, 1, 3):
        if inputs[place] is not None:
            inputs[place] = inputs[place].detach().double().requires_grad_()
    assert torch.autograd.gradcheck(fused_cross_entropy, inputs)


def test_extreme_logits_neither_overflow_nor_vanish() -> None:
    hidden, weight, target, bias = problem(40, 6, 12, True, 2, scale=30.0)
    fused = fused_cross_entropy(hidden, weight, target, bias)
    plain = F.cross_entropy(F.linear(hidden, weight, bias), target)
    assert plain > 100
    torch.testing.assert_close(fused, plain, rtol=1e-5, atol=0)
    found, expected = (gradients(loss, hidden, weight, bias) for loss in (fused, plain))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_the_gradient_reaches_a_tied_embedding() -> None:
    """The projection is a slice of the embedding, without the padding row."""
    embedding = torch.randn(8, 4, generator=torch.Generator().manual_seed(3)).requires_grad_()
    items = torch.tensor([1, 5, 5, 7])
    target = torch.tensor([4, 4, 0, 6])
    fused = fused_cross_entropy(embedding[items], embedding[1:], target)
    plain = F.cross_entropy(embedding[items] @ embedding[1:].T, target)
    torch.testing.assert_close(gradients(fused, embedding), gradients(plain, embedding))


def test_only_what_needs_a_gradient_gets_one() -> None:
    hidden, weight, target, bias = problem(20, 4, 6, True, 4)
    assert bias is not None
    loss = fused_cross_entropy(hidden.detach(), weight, target, bias.detach())
    assert loss.requires_grad
    loss.backward()  # type: ignore[no-untyped-call]
    plain = F.cross_entropy(F.linear(hidden, weight, bias), target)
    (expected,) = torch.autograd.grad(plain, weight)
    torch.testing.assert_close(weight.grad, expected)
    with torch.no_grad():
        assert not fused_cross_entropy(hidden, weight, target, bias).requires_grad


def reference(
    hidden_ND: Tensor, weight_VD: Tensor, target_N: Tensor, bias_V: Tensor | None
) -> list[Tensor]:
    """Return loss and gradients with the largest logit of every row taken off first."""
    d_hidden_ND, d_weight_VD = torch.empty_like(hidden_ND), torch.zeros_like(weight_VD)
    d_bias_V, loss = torch.zeros(len(weight_VD)), torch.zeros(())
    size = max(16, fused_loss.CHUNK_BYTES // (len(weight_VD) * 4))
    for start in range(0, len(hidden_ND), size):
        rows = slice(start, start + size)
        if bias_V is None:
            logits_CV = hidden_ND[rows] @ weight_VD.T
        else:
            logits_CV = torch.addmm(bias_V, hidden_ND[rows], weight_VD.T)
        peak_C1 = logits_CV.amax(1, keepdim=True)
        picked_C1 = logits_CV.gather(1, target_N[rows, None])
        odds_CV = (logits_CV - peak_C1).exp()
        total_C1 = odds_CV.sum(1, keepdim=True)
        loss += (total_C1.log() + peak_C1 - picked_C1).sum()
        inverse_C1 = total_C1.reciprocal()
        d_hidden_ND[rows] = (odds_CV @ weight_VD) * inverse_C1 - weight_VD[target_N[rows]]
        d_weight_VD.addmm_(odds_CV.T, hidden_ND[rows] * inverse_C1)
        d_bias_V.addmv_(odds_CV.T, inverse_C1[:, 0])
    d_weight_VD.index_add_(0, target_N, hidden_ND, alpha=-1.0)
    d_bias_V.index_add_(0, target_N, torch.ones(len(target_N)), alpha=-1.0)
    gradients = (
        [d_hidden_ND, d_weight_VD] if bias_V is None else [d_hidden_ND, d_weight_VD, d_bias_V]
    )
    scale = torch.tensor(3.0) / len(hidden_ND)
    return [loss / len(hidden_ND), *(gradient * scale for gradient in gradients)]


SIZES = [(300, 3416), (40, 17), (1, 2), (500, 40_000)]


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize(("positions", "catalogue"), SIZES)
def test_large_logits_are_shifted(
    positions: int, catalogue: int, biased: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit: the order of its sums is that of the reference."""
    monkeypatch.setattr(fused_loss, "SAFE_LOGIT", 0.0)
    hidden, weight, target, bias = problem(positions, 24, catalogue, biased, 5)
    loss = fused_cross_entropy(hidden, weight, target, bias)
    found = [loss.detach(), *gradients(loss, hidden, weight, bias)]
    with torch.no_grad():
        expected = reference(hidden, weight, target, bias)
    assert all(map(torch.equal, found, expected))


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize(("positions", "catalogue"), SIZES)
def test_bounded_logits_need_no_shift(positions: int, catalogue: int, biased: bool) -> None:
    """As in training: loss and gradients agree with the shifted ones to a few roundings."""
    hidden, weight, target, bias = problem(positions, 24, catalogue, biased, 5)
    hidden = F.layer_norm(hidden, (24,)).detach().requires_grad_()
    weight = (weight * 0.3).detach().requires_grad_()
    loss = fused_cross_entropy(hidden, weight, target, bias)
    found = [loss.detach(), *gradients(loss, hidden, weight, bias)]
    with torch.no_grad():
        expected = reference(hidden, weight, target, bias)
    assert found[0].item() == pytest.approx(expected[0].item(), rel=2e-6)
    for one, other in zip(found[1:], expected[1:], strict=True):
        assert float((one - other).norm()) <= 2e-5 * float(other.norm())
    with torch.no_grad(), pytest.MonkeyPatch.context() as patch:
        # What is not wanted is not computed.
        patch.setattr(fused_loss, "cross_entropy", None)
        alone = fused_cross_entropy(hidden, weight, target, bias)
    assert alone.item() == pytest.approx(found[0].item(), rel=2e-6)


def in_bfloat16(*inputs: Any) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        return fused_cross_entropy(*inputs)


def assert_near(found: list[Tensor], expected: list[Tensor], share: float) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype == torch.float32
        assert float((one - other).norm()) <= share * float(other.norm()) + 1e-6


@settings(deadline=None, max_examples=60)
@given(
    positions=st.integers(1, 300),
    # With fewer the gradients are small differences of large terms.
    width=st.integers(4, 16),
    catalogue=st.integers(20, 400),
    biased=st.booleans(),
    # At 8 the logits are too large for powers of 2 without a shift.
    scale=st.sampled_from([0.3, 1.0, 8.0]),
    seed=st.integers(0, 2**20),
)
def test_bfloat16_is_near(
    positions: int, width: int, catalogue: int, biased: bool, scale: float, seed: int
) -> None:
    """Gradients to 2%, single losses to the roundings of the operands of a logit."""
    hidden, weight, target, bias = problem(positions, width, catalogue, biased, seed, scale)
    loss = in_bfloat16(hidden, weight, target, bias)
    plain = F.cross_entropy(F.linear(hidden, weight, bias), target)
    with torch.no_grad():
        largest = float(F.linear(hidden.abs(), weight.abs(), bias).abs().max())
    # Two operands of every product are rounded, and so is every exponential of the sum.
    assert loss.item() == pytest.approx(plain.item(), abs=2**-7 * largest + 2**-7)
    if scale <= 1:
        found, expected = (gradients(each, hidden, weight, bias) for each in (loss, plain))
        assert_near(found, expected, 0.02)


def test_bfloat16_loss_of_a_batch_is_within_a_thousandth() -> None:
    """As in training: normalised hidden states against a catalogue of thousands."""
    hidden, weight, target, bias = problem(2000, 64, 3416, True, 6)
    assert bias is not None
    hidden = F.layer_norm(hidden, (64,))
    weight = (weight * 0.2).detach().requires_grad_()
    loss = in_bfloat16(hidden, weight, target, bias)
    exact = fused_cross_entropy(hidden, weight, target, bias)
    assert loss.item() == pytest.approx(exact.item(), rel=1e-4)
    found, expected = (gradients(each, weight, bias) for each in (loss, exact))
    assert_near(found, expected, 0.01)


@pytest.mark.parametrize("biased", [True, False])
def test_bfloat16_of_no_positions(biased: bool) -> None:
    hidden, weight, target, bias = problem(0, 4, 5, biased, 0)
    loss = in_bfloat16(hidden, weight, target, bias)
    assert loss.item() == 0.0
    assert not any(gradient.any() for gradient in gradients(loss, hidden, weight, bias))


@settings(deadline=None, max_examples=60)
@given(
    positions=st.integers(1, 60),
    catalogue=st.integers(2, 40),
    biased=st.booleans(),
    half=st.booleans(),
    scale=st.sampled_from([0.5, 6.0]),
    seed=st.integers(0, 2**20),
)
def test_a_target_apart_counts_once(
    positions: int, catalogue: int, biased: bool, half: bool, scale: float, seed: int
) -> None:
    """Sampled or not, the target is one term of the sum, with the logit given for it."""
    hidden, weight, target, bias = problem(positions, 5, catalogue, biased, seed, scale)
    own = (torch.randn(positions, generator=torch.Generator().manual_seed(seed)) * scale).detach()
    own.requires_grad_()
    column = torch.where(target % 2 == 0, target, -1)
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        loss = fused_cross_entropy(hidden, weight, column, bias, own)
    others = F.linear(hidden, weight, bias)
    others = others.masked_fill(
        F.one_hot(target, catalogue).bool() & (target % 2 == 0)[:, None], -torch.inf
    )
    plain = F.cross_entropy(
        torch.cat([own[:, None], others], dim=1), torch.zeros(positions, dtype=torch.int64)
    )
    found, expected = (gradients(each, hidden, weight, bias, own) for each in (loss, plain))
    if not half:
        torch.testing.assert_close(loss, plain, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    elif scale < 1:
        torch.testing.assert_close(loss, plain, atol=1e-2, rtol=2e-3)
        assert_near(found, expected, 0.02)


def test_gradcheck_with_a_target_apart() -> None:
    hidden, weight, target, bias = problem(19, 3, 6, True, 7)
    assert bias is not None
    column = torch.where(target < 3, target, -1)
    own = torch.randn(19, generator=torch.Generator().manual_seed(8)).double().requires_grad_()
    doubles = [leaf.detach().double().requires_grad_() for leaf in (hidden, weight, bias)]
    assert torch.autograd.gradcheck(
        lambda h, w, b, o: fused_cross_entropy(h, w, column, b, o), [*doubles, own]
    )
