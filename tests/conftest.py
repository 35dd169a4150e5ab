"""Small data and small fitted models, made once."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from influpath.data.dataset import Dataset
from influpath.irn.model import IRN
from influpath.recommenders.bert4rec import BERT4Rec
from influpath.recommenders.sasrec import SASRec
from influpath.testing import tiny_dataset

SIZES: dict[str, Any] = {"embedding_size": 16, "heads": 2}
TRAINING: dict[str, Any] = {"epochs": 4, "learning_rate": 1e-2}
TINY_SASREC: dict[str, Any] = {
    **SIZES,
    "max_length": 8,
    "batch_tokens": 64,
    "seed": 1,
    "training": TRAINING,
}
TINY_BERT4REC: dict[str, Any] = {**TINY_SASREC, "seed": 2}
TINY_IRN: dict[str, Any] = {
    **SIZES,
    "l_max": 14,
    "l_min": 4,
    "horizon": 6,
    "layers": 2,
    "batch_size": 8,
    "item2vec_epochs": 5,
    "seed": 3,
    "training": TRAINING,
}


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Bit-reproducible, and as fast as any number of threads on models this small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tiny() -> Dataset:
    return tiny_dataset()


@pytest.fixture(scope="session")
def sasrec(tiny: Dataset) -> SASRec:
    return SASRec(**TINY_SASREC).fit(tiny)


@pytest.fixture(scope="session")
def bert4rec(tiny: Dataset) -> BERT4Rec:
    return BERT4Rec(**TINY_BERT4REC).fit(tiny)


@pytest.fixture(scope="session")
def irn(tiny: Dataset) -> IRN:
    return IRN(**TINY_IRN).fit(tiny)


@pytest.fixture(scope="session")
def learned_irn() -> IRN:
    """Trained long enough to head for its objective; knows the users and items of ``tiny``."""
    training = {"epochs": 14, "learning_rate": 1e-2, "patience": 14}
    return IRN(**{**TINY_IRN, "training": training}).fit(tiny_dataset(users=100))
