"""The conformance class over every recommender of the package."""

import numpy as np
import pytest
import torch

from influpath.data.sequences import Sequences
from influpath.irn.model import IRN
from influpath.recommenders import bert4rec as bert4rec_module
from influpath.recommenders import causal as causal_module
from influpath.recommenders.base import Recommender
from influpath.recommenders.bert4rec import BERT4Rec
from influpath.recommenders.sasrec import SASRec
from influpath.testing import RecommenderConformance


class TestSASRec(RecommenderConformance):
    recommender = SASRec

    @pytest.fixture
    def model(self, sasrec: SASRec) -> Recommender:
        return sasrec


class TestBERT4Rec(RecommenderConformance):
    recommender = BERT4Rec

    @pytest.fixture
    def model(self, bert4rec: BERT4Rec) -> Recommender:
        return bert4rec


class TestIRN(RecommenderConformance):
    recommender = IRN

    @pytest.fixture
    def model(self, irn: IRN) -> Recommender:
        return irn


@pytest.mark.parametrize("tokens", [1, 40])
def test_predictions_do_not_depend_on_how_windows_are_batched(
    sasrec: SASRec, bert4rec: BERT4Rec, monkeypatch: pytest.MonkeyPatch, tokens: int
) -> None:
    rng = np.random.default_rng(1)
    histories = Sequences.from_rows([rng.integers(1, 25, size=n) for n in (5, 0, 30, 5, 1, 8, 9)])
    paths = histories.take(np.arange(6, -1, -1))
    candidates, targets = rng.integers(1, 25, size=(7, 4)), rng.integers(1, 25, size=7)

    def predict() -> list[torch.Tensor]:
        found = [model.log_probs(histories) for model in (sasrec, bert4rec)]
        found += [log_probs for _, _, log_probs in sasrec.read_paths(histories, paths)]
        return [*found, sasrec.log_prob_after(histories, candidates, targets)]

    expected = predict()
    for module in (causal_module, bert4rec_module):
        monkeypatch.setattr(module, "ENCODE_TOKENS", tokens)
    torch.testing.assert_close(predict(), expected, atol=1e-5, rtol=0)


def test_bert4rec_encodes_the_asked_position_alone(bert4rec: BERT4Rec) -> None:
    items = torch.tensor([[0, 0, 3, 25], [4, 5, 6, 25], [0, 0, 0, 25]])
    with torch.no_grad():
        whole, last = bert4rec.module(items), bert4rec.module(items, only_last=True)
    torch.testing.assert_close(last, whole[:, -1:], atol=1e-5, rtol=0)
