"""Watching the training loop: it counts what is trained, and changes nothing."""

from typing import Any

import numpy as np
import pytest
import torch

from influpath.benchmarks.epochs import EnoughError, Epoch, training_epoch, watched_epochs
from influpath.data.dataset import Dataset
from influpath.errors import NotFittedError
from influpath.irn.config import IRNConfig
from influpath.irn.examples import training_pieces
from influpath.irn.model import IRN
from influpath.recommenders.base import Recommender
from influpath.recommenders.gru4rec import GRU4Rec
from influpath.recommenders.sasrec import SASRec
from influpath.recommenders.validation import Validation
from influpath.training import loop

SASREC: dict[str, Any] = {
    **{"embedding_size": 8, "heads": 2, "max_length": 8, "batch_tokens": 64},
    "training": {"epochs": 2},
}
GRU: dict[str, Any] = {
    **{"embedding_size": 8, "hidden_size": 8, "max_length": 8, "batch_tokens": 64},
    "training": {"epochs": 2},
}
IRN_TINY: dict[str, Any] = {
    **{"embedding_size": 8, "heads": 2, "layers": 1, "l_max": 14, "l_min": 4, "horizon": 6},
    **{"batch_size": 8, "item2vec": False, "training": {"epochs": 2}},
}


def targets(kind: type[Recommender], dataset: Dataset) -> int:
    """What there is to predict in one epoch, by the definition of each model."""
    if kind is IRN:
        pieces, _ = training_pieces(dataset.sequences, IRNConfig(**IRN_TINY))
        return int((pieces.sequences.lengths - 1).sum())
    return len(Validation.of(dataset.sequences).train.values)


@pytest.mark.parametrize(("kind", "settings"), [(SASRec, SASREC), (GRU4Rec, GRU), (IRN, IRN_TINY)])
def test_a_watched_training_is_the_same_training(
    tiny: Dataset, kind: type[Recommender], settings: dict[str, Any]
) -> None:
    alone = kind(**settings).fit(tiny)
    with watched_epochs() as epochs:
        watched = kind(**settings).fit(tiny)
    assert [epoch.targets for epoch in epochs] == [targets(kind, tiny)] * 2
    assert all(epoch.seconds > 0 and epoch.batches > 1 for epoch in epochs)
    assert all(
        torch.equal(alone._weights()[name], tensor) for name, tensor in watched._weights().items()
    )


def test_some_batches_are_trained_and_the_first_does_not_count(tiny: Dataset) -> None:
    whole = targets(SASRec, tiny)
    epoch = training_epoch(SASRec, SASREC, tiny, batches=3)
    assert epoch.batches == 3
    assert 0 < epoch.targets <= 3 * 64 < whole
    assert epoch.rate == epoch.targets / epoch.seconds
    assert loop.run_epoch.__module__ == loop.__name__


def test_a_training_ends_when_it_was_watched_enough(tiny: Dataset) -> None:
    model = SASRec(**SASREC)
    seen: list[np.ndarray[Any, Any]] = []

    def look(epoch: Epoch) -> None:
        # In the midst of a training the model can be asked already.
        seen.append(model.log_probs(tiny.sequences.take(np.arange(3))).numpy())
        raise EnoughError

    with watched_epochs(each=look) as epochs:
        model.fit(tiny)
    assert len(epochs) == len(seen) == 1
    assert np.allclose(np.exp(seen[0]).sum(axis=1), 1, atol=1e-4)
    with pytest.raises(NotFittedError):
        model.items  # noqa: B018 - raises


def test_the_loop_is_as_before_after_an_error(tiny: Dataset) -> None:
    before = loop.run_epoch
    with pytest.raises(RuntimeError), watched_epochs():
        raise RuntimeError
    assert loop.run_epoch is before
