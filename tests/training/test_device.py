"""Training on an accelerator: the same model but for rounding, back on the processor afterwards."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from influpath.data.dataset import Dataset
from influpath.errors import ConfigError
from influpath.irn.model import IRN
from influpath.recommenders.base import Recommender
from influpath.recommenders.bert4rec import BERT4Rec
from influpath.recommenders.bpr import BPR
from influpath.recommenders.caser import Caser
from influpath.recommenders.gru4rec import GRU4Rec
from influpath.recommenders.sasrec import SASRec
from influpath.recommenders.transrec import TransRec
from influpath.registry import load_model
from influpath.training.device import DEVICE_VARIABLE, chunk_bytes, training_device

accelerated = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="this machine has no GPU that PyTorch can use"
)
SMALL: dict[str, Any] = {
    "embedding_size": 16,
    "seed": 5,
    "training": {"epochs": 4, "learning_rate": 1e-2},
}
WINDOW: dict[str, Any] = {"max_length": 8, "batch_tokens": 64}
MODELS: dict[str, Recommender] = {
    "sasrec": SASRec(**SMALL, **WINDOW),
    "bert4rec": BERT4Rec(**SMALL, **WINDOW),
    "irn": IRN(**SMALL, l_max=14, l_min=4, horizon=6, heads=2, layers=2, batch_size=8),
    "gru4rec": GRU4Rec(**SMALL, **WINDOW),
    "caser": Caser(**SMALL),
    "bpr": BPR(**SMALL),
    "transrec": TransRec(**SMALL),
}


@pytest.mark.parametrize("given", [None, "argument"])
def test_a_device_that_is_not_there_is_one_clear_sentence(
    given: str | None, tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    # "meta" holds no numbers on any machine.
    monkeypatch.setenv(DEVICE_VARIABLE, "cpu" if given else "meta")
    model = SASRec(**SMALL, **WINDOW)
    where = "device" if given else DEVICE_VARIABLE
    with pytest.raises(ConfigError, match=f"^{where} 'meta': cannot be trained on here"):
        model.fit(tiny, device="meta" if given else None)
    with pytest.raises(ConfigError, match="'nonsense'"):
        training_device("nonsense")


def test_the_argument_outranks_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DEVICE_VARIABLE, "meta")
    assert training_device("cpu") == torch.device("cpu")
    monkeypatch.delenv(DEVICE_VARIABLE)
    assert training_device() == torch.device("cpu")


def test_a_model_says_where_it_was_trained(sasrec: SASRec, tmp_path: Path) -> None:
    assert sasrec.history["device"] == "cpu"
    sasrec.save(tmp_path)
    assert load_model(tmp_path).history["device"] == "cpu"


def test_only_processors_have_a_cache_to_stay_in() -> None:
    assert chunk_bytes(torch.device("cpu"), 123) == 123
    assert chunk_bytes(torch.device("cuda"), 123) > 1 << 20


@accelerated
@pytest.mark.parametrize("name", MODELS)
def test_an_accelerator_trains_what_the_processor_trains(
    name: str, tiny: Dataset, tmp_path: Path
) -> None:
    model = type(MODELS[name])(MODELS[name].config)
    model.fit(tiny, checkpoint=tmp_path / "checkpoint.safetensors", device="cuda")
    assert model.history["device"].startswith("cuda")
    assert all(tensor.device.type == "cpu" for tensor in model._weights().values())
    # The same data and order of batches, another stream of random numbers.
    own = type(MODELS[name])(MODELS[name].config).fit(tiny, device="cpu")
    assert model.history["best"] == pytest.approx(own.history["best"], rel=0.5)
    histories = tiny.sequences.take(np.arange(5))
    assert torch.isfinite(model.log_probs(histories)).all()


@accelerated
def test_a_training_on_an_accelerator_can_be_resumed(tiny: Dataset, tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.safetensors"
    whole = SASRec(**SMALL, **WINDOW).fit(tiny, checkpoint=checkpoint, device="cuda")
    again = SASRec(**SMALL, **WINDOW).fit(tiny, checkpoint=checkpoint, device="cuda")
    assert again.history["best"] == whole.history["best"]
    torch.testing.assert_close(again._weights(), whole._weights())
