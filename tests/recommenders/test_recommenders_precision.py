"""Training in bfloat16: its parts are near the float32 ones, and so is what comes of it."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from influpath.data.dataset import Dataset
from influpath.irn.model import IRN
from influpath.irn.network import weighted_attention
from influpath.recommenders.base import Recommender
from influpath.recommenders.bert4rec import BERT4Rec
from influpath.recommenders.blocks import causal_attention, masked_attention
from influpath.recommenders.bpr import BPR
from influpath.recommenders.caser import Caser
from influpath.recommenders.dropout import Dropout
from influpath.recommenders.gru4rec import GRU4Rec
from influpath.recommenders.sasrec import SASRec

bfloat16 = torch.autocast("cpu", torch.bfloat16)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).requires_grad_()


def assert_same_attention(exact: Callable[..., Tensor], inputs: list[Tensor]) -> None:
    """Outputs and gradients in bfloat16 are those of the float32 kernel up to rounding."""
    halves = [tensor.detach().bfloat16().requires_grad_() for tensor in inputs]
    results = []
    for tensors in (inputs, halves):
        out = exact(*tensors)
        upstream = torch.linspace(-1, 1, out.numel()).view(out.shape).to(out.dtype)
        results.append([out.detach(), *torch.autograd.grad(out, tensors, upstream)])
    for one, other in zip(*results, strict=True):
        assert other.dtype is torch.bfloat16
        # A gradient that is 0 is noise of rounding in float32, whose size the processor decides.
        assert float((one - other.float()).norm()) <= 0.03 * float(one.norm()) + 1e-5


@settings(deadline=None, max_examples=20)
@given(length=st.integers(1, 30), seed=st.integers(0, 1000))
def test_attention_in_bfloat16(length: int, seed: int) -> None:
    inputs = [normal(2, 3, length, 8, seed=seed + part) for part in range(3)]
    assert_same_attention(causal_attention, inputs)
    visible = torch.rand(2, 1, length, length) < 0.6
    assert_same_attention(masked_attention(visible | torch.eye(length, dtype=torch.bool)), inputs)


def test_the_objective_weighs_in_bfloat16_too() -> None:
    inputs = [normal(2, 3, 9, 8, seed=part) for part in range(3)]
    visible = torch.ones(9, 9, dtype=torch.bool).tril()
    visible[:, -1] = True

    def attend(q: Tensor, k: Tensor, v: Tensor, weight: Tensor) -> Tensor:
        return weighted_attention(q, k, v, weight, visible)

    assert_same_attention(attend, [*inputs, normal(2, 9, seed=4)])
    halves = [tensor.detach().bfloat16() for tensor in inputs]
    heavy = weighted_attention(halves[0], halves[1], halves[2], torch.full((2, 9), 50.0), visible)
    last = inputs[2][:, :, -1:].expand_as(heavy)
    torch.testing.assert_close(heavy.float(), last, atol=0.02, rtol=0.02)


@settings(deadline=None, max_examples=30)
@given(
    share=st.floats(0, 0.99),
    shape=st.lists(st.integers(1, 40), min_size=1, max_size=3),
    half=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_dropout_drops_its_share(share: float, shape: list[int], half: bool, seed: int) -> None:
    layer, x = Dropout(share), torch.ones(200, *shape, dtype=torch.bfloat16 if half else None)
    x.requires_grad_()
    with bfloat16:
        torch.manual_seed(seed)
        y = layer(x)
        torch.manual_seed(seed)
        assert torch.equal(layer(x), y)
    assert y.dtype == x.dtype
    kept = y != 0
    near = round(share * 65536) / 65536
    spread = (near * (1 - near) / x.numel()) ** 0.5
    assert abs(float((~kept).float().mean()) - near) <= 6 * spread
    torch.testing.assert_close(
        y[kept].float(), torch.full_like(y[kept].float(), 1 / (1 - near)), rtol=1e-2, atol=0
    )
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert torch.equal(gradient, y)


def test_dropout_is_the_same_in_every_precision() -> None:
    """A seed drops the same features; what is added is what is dropped from."""
    layer, x = Dropout(0.3), torch.ones(50, 4)
    results = []
    for half in (False, True):
        torch.manual_seed(2)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            results.append(layer(x))
    assert torch.equal(*results)
    torch.manual_seed(2)
    torch.testing.assert_close(layer.add(2 * x, x), results[0] + 2)
    torch.manual_seed(2)
    torch.testing.assert_close(layer.add(2 * x, x.bfloat16()), results[0] + 2, atol=0.01, rtol=0)
    assert torch.equal(layer.eval()(x), x)
    assert torch.equal(layer.eval().add(x, x), 2 * x)
    assert not Dropout(1.0)(x).any()


SIZES: dict[str, Any] = {"embedding_size": 16, "dropout": 0.0}
MODELS: list[tuple[type[Recommender], dict[str, Any]]] = [
    (SASRec, {**SIZES, "heads": 2}),
    (GRU4Rec, SIZES),
    (BERT4Rec, {**SIZES, "heads": 2}),
    (Caser, SIZES),
    (IRN, {**SIZES, "heads": 2, "l_max": 10, "l_min": 3, "horizon": 4, "item2vec": False}),
    (BPR, {"embedding_size": 16, "loss": "softmax"}),
]


@pytest.mark.parametrize(("recommender", "config"), MODELS, ids=[model.name for model, _ in MODELS])
def test_training_in_bfloat16_is_near(
    tiny: Dataset, recommender: type[Recommender], config: dict[str, Any]
) -> None:
    """Without dropout every epoch's loss agrees to the stated tolerance; weights are float32."""
    models = {}
    for precision in ("float32", "bfloat16"):
        training = {"epochs": 3, "learning_rate": 3e-3, "precision": precision}
        models[precision] = recommender(**config, training=training).fit(tiny)
    exact, half = (
        [epoch["loss"] for epoch in models[precision].history["epochs"]]
        for precision in ("float32", "bfloat16")
    )
    assert half != exact
    assert half == pytest.approx(exact, rel=1e-3)
    assert {tensor.dtype for tensor in models["bfloat16"]._weights().values()} == {torch.float32}


def test_a_saved_model_says_its_precision_only_where_it_matters(tiny: Dataset) -> None:
    """So that what was named by a hash of its settings keeps its name."""
    plain = SASRec().config.model_dump(mode="json")
    assert not {"precision", "softmax_sample"} & plain["training"].keys()
    set_config = SASRec(training={"precision": "bfloat16", "softmax_sample": 9}).config
    dumped = set_config.model_dump(mode="json")
    assert dumped["training"]["precision"] == "bfloat16"
    assert SASRec(**dumped).config == set_config
    assert set_config.to_toml().count("softmax_sample = 9") == 1
