"""A training that was cut off anywhere ends, resumed, with the bits of one that was not."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from influpath.data.dataset import Dataset
from influpath.errors import ModelFileError
from influpath.files import write_tensors
from influpath.irn.model import IRN
from influpath.recommenders.base import Recommender
from influpath.recommenders.bert4rec import BERT4Rec
from influpath.recommenders.sasrec import SASRec
from influpath.training import loop
from influpath.training.checkpoints import read_state

SIZES: dict[str, Any] = {"embedding_size": 8, "heads": 2, "dropout": 0.2, "seed": 4}
COSINE: dict[str, Any] = {"epochs": 5, "learning_rate": 1e-2, "weight_decay": 0.1}
# Stagnates at once, so that the rate is halved before and after the interruption.
PLATEAU: dict[str, Any] = {
    "epochs": 5,
    "learning_rate": 0.3,
    "schedule": "plateau",
    "plateau_patience": 0,
    "patience": 9,
}
SASREC: dict[str, Any] = {**SIZES, "max_length": 8, "batch_tokens": 64}
WINDOW: dict[str, Any] = {"l_max": 10, "l_min": 3, "horizon": 4, "layers": 2, "batch_size": 16}
MODELS: list[tuple[type[Recommender], dict[str, Any]]] = [
    (SASRec, {**SASREC, "training": COSINE}),
    (SASRec, {**SASREC, "training": PLATEAU}),
    (BERT4Rec, {**SASREC, "training": COSINE}),
    (IRN, {**SIZES, **WINDOW, "training": COSINE}),
    (
        IRN,
        {**SIZES, **WINDOW, "item2vec": False, "tied": False, "recut": True, "training": PLATEAU},
    ),
    (SASRec, {**SASREC, "training": {**COSINE, "precision": "bfloat16", "softmax_sample": 7}}),
]
every_model = pytest.mark.parametrize(
    ("recommender", "config"),
    MODELS,
    ids=["sasrec-cosine", "sasrec-plateau", "bert4rec", "irn", "irn-plateau", "sasrec-sampled"],
)


class CutError(Exception):
    """Stands for whatever ends a process."""


@contextmanager
def cut(place: str, after: float) -> Iterator[None]:
    """Fail in a batch, in validation or in saving, once ``after`` epochs are done."""
    with pytest.MonkeyPatch.context() as patch:
        calls = {"validated": 0, "save_checkpoint": 0}

        def in_batch(config: Any, rate: float, epochs_done: float) -> float:
            if epochs_done > after:
                raise CutError
            return scheduled(config, rate, epochs_done)

        def at_call(*args: Any) -> Any:
            calls[place] += 1
            if calls[place] > after:
                raise CutError
            return original(*args)

        scheduled = loop.scheduled
        original: Any = getattr(loop, place)
        patch.setattr(loop, place, in_batch if place == "scheduled" else at_call)
        yield


def weights_of(model: Recommender) -> dict[str, torch.Tensor]:
    return model._weights()


def assert_same_model(found: Recommender, expected: Recommender) -> None:
    assert weights_of(found).keys() == weights_of(expected).keys()
    for name, tensor in weights_of(expected).items():
        assert torch.equal(weights_of(found)[name], tensor), name

    def without_time(model: Recommender) -> list[dict[str, float]]:
        return [
            {key: value for key, value in entry.items() if key != "seconds"}
            for entry in model.history["epochs"]
        ]

    assert without_time(found) == without_time(expected)
    assert found.history["best_epoch"] == expected.history["best_epoch"]


@every_model
@pytest.mark.parametrize(
    ("place", "after"), [("scheduled", 2.4), ("validated", 3), ("save_checkpoint", 1)]
)
def test_resumed_equals_uninterrupted(
    tiny: Dataset,
    tmp_path: Path,
    recommender: type[Recommender],
    config: dict[str, Any],
    place: str,
    after: float,
) -> None:
    file = tmp_path / "checkpoint.safetensors"
    with cut(place, after), pytest.raises(CutError):
        recommender(**config).fit(tiny, checkpoint=file)
    assert len(read_state(file)["history"]["epochs"]) == int(after)
    # Whatever else happened to the generator in between plays no part.
    torch.rand(17)
    resumed = recommender(**config).fit(tiny, checkpoint=file)
    assert_same_model(resumed, recommender(**config).fit(tiny))


@every_model
def test_a_finished_training_is_not_repeated(
    tiny: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    recommender: type[Recommender],
    config: dict[str, Any],
) -> None:
    file = tmp_path / "checkpoint.safetensors"
    first = recommender(**config).fit(tiny, checkpoint=file)
    monkeypatch.setattr(loop, "run_epoch", None)
    assert_same_model(recommender(**config).fit(tiny, checkpoint=file), first)


def test_an_early_stop_stays_stopped(tiny: Dataset, tmp_path: Path) -> None:
    training = {**PLATEAU, "epochs": 40, "patience": 1}
    file = tmp_path / "checkpoint.safetensors"
    first = SASRec(**{**SASREC, "training": training}).fit(tiny, checkpoint=file)
    assert len(first.history["epochs"]) < 40
    again = SASRec(**{**SASREC, "training": training}).fit(tiny, checkpoint=file)
    assert_same_model(again, first)


KILLED = """
import os, signal, sys
import torch
torch.set_num_threads(1)
from influpath.recommenders.sasrec import SASRec
from influpath.testing import tiny_dataset
from influpath.training import loop
from influpath.training.checkpoints import read_state
scheduled = loop.scheduled

def kill(config, rate, epochs_done):
    if epochs_done > 1.5:
        os.kill(os.getpid(), signal.SIGKILL)
    return scheduled(config, rate, epochs_done)

loop.scheduled = kill
config = SASRec.config_class.from_toml(sys.argv[1])
SASRec(config).fit(tiny_dataset(), checkpoint=sys.argv[2])
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_resumed_after_a_kill(tiny: Dataset, tmp_path: Path) -> None:
    config = SASRec(**{**SASREC, "training": COSINE}).config
    (tmp_path / "config.toml").write_text(config.to_toml())
    file = tmp_path / "checkpoint.safetensors"
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "config.toml"), str(file)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert len(read_state(file)["history"]["epochs"]) == 1
    resumed = SASRec(config).fit(tiny, checkpoint=file)
    assert_same_model(resumed, SASRec(config).fit(tiny))


def test_a_failed_write_leaves_the_previous_checkpoint(
    tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "checkpoint.safetensors"
    with cut("validated", 2), pytest.raises(CutError):
        SASRec(**SASREC, training=COSINE).fit(tiny, checkpoint=file)
    before = file.read_bytes()

    def fails(*args: Any) -> None:
        raise CutError

    monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(CutError):
        SASRec(**SASREC, training=COSINE).fit(tiny, checkpoint=file)
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_checkpoints_of_another_run_are_refused(tiny: Dataset, tmp_path: Path) -> None:
    file = tmp_path / "checkpoint.safetensors"
    short: dict[str, Any] = {**COSINE, "epochs": 1}
    SASRec(**SASREC, training=short).fit(tiny, checkpoint=file)
    before = file.read_bytes()
    fewer = tiny.with_sequences(tiny.sequences.drop_last())
    attempts: list[tuple[Recommender, Dataset]] = [
        (SASRec(**SASREC, training=COSINE), tiny),
        (SASRec(**{**SASREC, "seed": 5}, training=short), tiny),
        (SASRec(**{**SASREC, "embedding_size": 12}, training=short), tiny),
        (BERT4Rec(**SASREC, training=short), tiny),
        (IRN(**SIZES, **WINDOW, training=short), tiny),
        (SASRec(**SASREC, training=short), fewer),
    ]
    for model, data in attempts:
        with pytest.raises(ModelFileError, match="another configuration, seed or dataset") as error:
            model.fit(data, checkpoint=file)
        assert str(file) in str(error.value)
    assert file.read_bytes() == before


@pytest.mark.parametrize("damage", ["empty", "truncated", "garbage", "no state", "other state"])
def test_damaged_checkpoints_are_refused(tiny: Dataset, tmp_path: Path, damage: str) -> None:
    file = tmp_path / "checkpoint.safetensors"
    model = SASRec(**SASREC, training={**COSINE, "epochs": 1}).fit(tiny, checkpoint=file)
    content = file.read_bytes()
    if damage == "empty":
        file.write_bytes(b"")
    elif damage == "truncated":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "garbage":
        file.write_bytes(b"\x7f" * 500)
    elif damage == "no state":
        write_tensors(file, {"module/x": torch.zeros(1)})
    else:
        write_tensors(file, {"module/x": torch.zeros(1)}, {"state": json.dumps({"epoch": 1})})
    with pytest.raises(ModelFileError, match="delete it") as error:
        SASRec(model.config).fit(tiny, checkpoint=file)
    assert str(file) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_checkpoint_changes_nothing(tiny: Dataset, tmp_path: Path) -> None:
    config: dict[str, Any] = {**SASREC, "training": {**COSINE, "epochs": 2}}
    with_file = SASRec(**config).fit(tiny, checkpoint=tmp_path / "c.safetensors")
    assert_same_model(with_file, SASRec(**config).fit(tiny))
    assert json.loads(json.dumps(read_state(tmp_path / "c.safetensors")))["identity"]


@every_model
def test_another_seed_is_another_model(
    tiny: Dataset, recommender: type[Recommender], config: dict[str, Any]
) -> None:
    short = {**config, "training": {**config["training"], "epochs": 1}}
    first = recommender(**short).fit(tiny)
    other = recommender(**{**short, "seed": 99}).fit(tiny)
    assert any(
        not torch.equal(tensor, weights_of(other)[name])
        for name, tensor in weights_of(first).items()
    )
