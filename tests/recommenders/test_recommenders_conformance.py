"""The conformance class over every recommender of the package."""

import numpy as np
import pytest
import torch

from influpath.data.sequences import Sequences
from influpath.irn.model import IRN
from influpath.recommenders import bert4rec as bert4rec_module
from influpath.recommenders import sasrec as sasrec_module
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
