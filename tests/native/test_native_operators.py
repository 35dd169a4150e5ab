"""The compiled kernels compute what PyTorch does; without a compiler nothing breaks."""

import platform
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from attention_patterns import added_by
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from influpath.irn.model import IRN
from influpath.native import agreement, library, operators, reading
from influpath.native.operators import Pattern, attend
from influpath.recommenders.base import Recommender
from influpath.recommenders.bert4rec import BERT4Rec
from influpath.recommenders.sasrec import SASRec

compiled = pytest.mark.skipif(operators.usable() is None, reason="no C compiler here")


def reference(packed_BLX: Tensor, bias_X: Tensor, heads: int, pattern: Pattern) -> Tensor:
    packed_BLX = packed_BLX + bias_X
    batch, length, width = packed_BLX.shape
    shape = batch, length, 3, heads, width // (3 * heads)
    q, k, v = packed_BLX.view(shape).permute(2, 0, 3, 1, 4)
    added_BLL = added_by(pattern, length)
    mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=added_BLL[:, None])
    return mixed.transpose(1, 2).reshape(batch, length, width // 3)


@compiled
@settings(deadline=None, max_examples=120)
@given(
    batch=st.integers(1, 4),
    length=st.integers(1, 70),
    heads=st.integers(1, 3),
    # Those with code of their own, and others.
    size=st.sampled_from([1, 3, 5, 8, 16, 20, 32, 40]),
    causal=st.booleans(),
    padded=st.booleans(),
    weighted=st.booleans(),
    scale=st.sampled_from([0.5, 2.0, 12.0]),
    seed=st.integers(0, 2**20),
)
def test_attention(
    batch: int,
    length: int,
    heads: int,
    size: int,
    causal: bool,
    padded: bool,
    weighted: bool,
    scale: float,
    seed: int,
) -> None:
    """To 2e-5 of the largest figure, less where logits are in the hundreds; pads do not count."""
    rng = torch.Generator().manual_seed(seed)
    packed = torch.randn(batch, length, 3 * heads * size, generator=rng) * scale
    packed.requires_grad_()
    bias = torch.randn(3 * heads * size, generator=rng).requires_grad_()
    first = torch.randint(length, (batch,), generator=rng) if padded else None
    weight = torch.randn(batch, length, generator=rng).requires_grad_()
    last = None
    weighted = weighted and causal
    if weighted:
        hidden = torch.rand(batch, 1, generator=rng) < 0.3
        # The objective's own row sees itself.
        hidden = hidden & (torch.arange(length) < length - 1)
        last = weight.masked_fill(hidden, -torch.inf)
    pattern = Pattern(causal, first, last)
    real = torch.ones(batch, length) if first is None else torch.arange(length) >= first[:, None]
    upstream = torch.randn(batch, length, heads * size, generator=rng) * real[:, :, None]
    results = []
    for function in (attend, reference):
        out = function(packed, bias, heads, pattern)
        leaves = (packed, bias, weight) if weighted else (packed, bias)
        found = torch.autograd.grad(out, leaves, upstream, retain_graph=True, allow_unused=True)
        shown = (out * real[:, :, None]).detach()
        results.append([shown, *(each for each in found if each is not None)])
    share = 5e-6 * max(4.0, scale**2)
    for one, other in zip(*results, strict=True):
        assert float((one - other).abs().max()) <= share * max(1.0, float(other.abs().max()))


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no GCC here")
def test_where_there_is_a_compiler_there_are_kernels() -> None:
    """Else the tests of kernels would all be skipped, and nobody would know."""
    assert operators.usable() is not None


def test_only_causal_patterns_have_an_objective() -> None:
    with pytest.raises(ValueError, match="causal"):
        Pattern(causal=False, last_BL=torch.zeros(1, 2))


@compiled
def test_the_same_bits_every_time() -> None:
    packed = torch.randn(3, 41, 3 * 30, generator=torch.Generator().manual_seed(1)).requires_grad_()
    runs = []
    for _ in range(2):
        out = attend(packed, torch.zeros(90), 6, Pattern(causal=True))
        runs.append([out, *torch.autograd.grad(out.square().sum(), packed)])
    assert all(map(torch.equal, *runs))


@compiled
@pytest.mark.parametrize("size", [5, 16])
def test_a_weight_that_is_no_number_stays_none(size: int) -> None:
    packed = torch.randn(1, 9, 3 * size, generator=torch.Generator().manual_seed(2))
    packed.requires_grad_()
    last = torch.zeros(1, 9)
    last[0, 4] = torch.nan
    last.requires_grad_()
    out = attend(packed, torch.zeros(3 * size), 1, Pattern(causal=True, last_BL=last))
    assert out[0].isnan().any(1).tolist() == [place == 4 for place in range(9)]
    gradients = torch.autograd.grad(out.sum(), [packed, last])
    assert all(each.isnan().any() for each in gradients)


@compiled
def test_pads_may_be_a_view_of_small_integers() -> None:
    packed = torch.randn(3, 9, 3 * 8, generator=torch.Generator().manual_seed(2)).requires_grad_()
    table = torch.tensor([[1, 5], [4, 6], [2, 7]], dtype=torch.int32)
    views = attend(packed, torch.zeros(24), 1, Pattern(True, table[:, 0]))
    assert torch.equal(
        views, attend(packed, torch.zeros(24), 1, Pattern(True, torch.tensor([1, 4, 2])))
    )


@compiled
def test_what_is_no_number_stays_none() -> None:
    packed = torch.randn(1, 9, 3 * 8, generator=torch.Generator().manual_seed(2))
    packed[0, 4] = torch.nan
    packed.requires_grad_()
    out = attend(packed, torch.zeros(24), 2, Pattern(causal=True))
    assert out[0, 4:].isnan().all()


@compiled
def test_what_is_compiled_is_kept(tmp_path: Path) -> None:
    compiler = next(filter(None, map(shutil.which, library.COMPILERS)))
    made = library.compiled(compiler, tmp_path)
    written = made.stat().st_mtime_ns
    assert library.compiled(compiler, tmp_path) == made
    assert made.stat().st_mtime_ns == written
    assert [each.name for each in tmp_path.iterdir()] == [made.name]


@pytest.fixture
def afresh(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Forget what was loaded, before and after."""
    for each in (library.kernels, operators.usable):
        each.cache_clear()
    yield monkeypatch
    monkeypatch.undo()
    for each in (library.kernels, operators.usable):
        each.cache_clear()


def test_there_is_a_switch(afresh: pytest.MonkeyPatch) -> None:
    afresh.setenv(library.SWITCH, "0")
    assert operators.usable() is None
    assert not operators.takes(torch.ones(3, requires_grad=True))


def test_no_compiler_is_no_error(afresh: pytest.MonkeyPatch) -> None:
    afresh.setattr(shutil, "which", lambda name: None)
    assert operators.usable() is None


def test_what_does_not_compile_is_no_error(afresh: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "broken.c"
    broken.write_text("int attention_forward(", encoding="utf-8")
    afresh.setattr(library, "SOURCES", (broken,))
    afresh.setattr(library, "folder", lambda: tmp_path)
    assert operators.usable() is None


@pytest.mark.skipif(platform.machine() != "x86_64", reason="its names are for another processor")
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_processors_and_compilers_of_other_kinds(
    compiler: str, afresh: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What the kernels compute is compared where they are loaded: with half as many lanes too."""
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler} here")
    plain = {"-march=native": "-march=x86-64-v3", "-O3": "-O1"}
    afresh.setattr(library, "FLAGS", tuple(plain.get(flag, flag) for flag in library.FLAGS))
    afresh.setattr(library, "COMPILERS", (compiler,))
    afresh.setattr(library, "folder", lambda: tmp_path)
    assert operators.usable() is not None
    assert reading.lanes() == 8


@compiled
@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad, torch.enable_grad])
def test_kernels_may_be_asked_for_first_anywhere(mode: Any, afresh: pytest.MonkeyPatch) -> None:
    """As in a process that plans with a model trained elsewhere."""
    with mode():
        assert operators.usable() is not None


@compiled
@pytest.mark.parametrize("wrong", ["block", "cross_entropy"])
def test_kernels_that_are_wrong_are_not_used(
    wrong: str, afresh: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    right = getattr(agreement, wrong)

    def nearly(*inputs: Any) -> Any:
        found = right(*inputs)
        return found * 1.001 if wrong == "block" else (found[0] * 1.001, *found[1:])

    afresh.setattr(agreement, wrong, nearly)
    assert operators.usable() is None
    assert "are not used" in caplog.text


def test_only_float32_uses_them() -> None:
    x = torch.ones(2, 3, 12)
    assert not operators.takes(x.double())
    assert not operators.takes(x.bfloat16())
    wide = torch.ones(1, 1, 200, requires_grad=True)
    assert not operators.fits(wide, 1)
    assert not operators.fits(x, 1)


@compiled
def test_training_is_the_same_without(tiny: Any, afresh: pytest.MonkeyPatch) -> None:
    """Losses of whole trainings agree to 1e-4 with and without the kernels."""
    sizes: dict[str, Any] = {"embedding_size": 12, "heads": 2, "training": {"epochs": 2}}
    window: dict[str, Any] = {"l_max": 10, "l_min": 3, "horizon": 4, "item2vec": False}
    models: list[tuple[type[Recommender], dict[str, Any]]] = [
        *((IRN, window), (SASRec, {}), (BERT4Rec, {})),
    ]
    for kind, more in models:
        losses = []
        for switch in ("1", "0"):
            afresh.setenv(library.SWITCH, switch)
            for each in (library.kernels, operators.usable):
                each.cache_clear()
            assert (operators.usable() is None) is (switch == "0")
            history = kind(**sizes, **more).fit(tiny).history
            losses.append([epoch["loss"] for epoch in history["epochs"]])
        np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)
