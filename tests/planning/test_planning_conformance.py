"""The conformance class over every planner of the package, at several dials."""

from pathlib import Path

import pytest

from influpath.data.dataset import Dataset
from influpath.irn.model import IRN
from influpath.planning.base import Planner
from influpath.planning.direct import DirectPlanner
from influpath.planning.irn import IRNPlanner
from influpath.planning.last_offer import LastOfferPlanner
from influpath.planning.oracle import OraclePlanner
from influpath.planning.rec2inf import Rec2InfPlanner
from influpath.planning.vanilla import VanillaPlanner
from influpath.recommenders.bert4rec import BERT4Rec
from influpath.recommenders.sasrec import SASRec
from influpath.testing import PlannerConformance


class TestDirect(PlannerConformance):
    @pytest.fixture
    def planner(self, dataset: Dataset) -> Planner:
        return DirectPlanner(dataset.items)


class TestVanilla(PlannerConformance):
    @pytest.fixture
    def planner(self, sasrec: SASRec) -> Planner:
        return VanillaPlanner(sasrec)


class TestRec2Inf(PlannerConformance):
    @pytest.fixture
    def planner(self, sasrec: SASRec) -> Planner:
        return Rec2InfPlanner(sasrec, k=(3, 3, 5))


class TestOracle(PlannerConformance):
    @pytest.fixture
    def planner(self, sasrec: SASRec) -> Planner:
        return OraclePlanner(sasrec, k=4)


class TestOracleWithoutBranches(PlannerConformance):
    """On a judge that looks ahead by asking once per candidate."""

    @pytest.fixture
    def planner(self, bert4rec: BERT4Rec) -> Planner:
        return OraclePlanner(bert4rec, k=3)


class TestIRN(PlannerConformance):
    @pytest.fixture
    def planner(self, irn: IRN) -> Planner:
        return IRNPlanner(irn)


class TestGuidedIRN(PlannerConformance):
    @pytest.fixture
    def planner(self, irn: IRN) -> Planner:
        return IRNPlanner(irn, guidance=(1.0, 3.0), pace=2, floor=8, w_t=(0.5, 1.0, 2.0))


class TestIRNLookingAhead(PlannerConformance):
    @pytest.fixture
    def planner(self, irn: IRN) -> Planner:
        return IRNPlanner(irn, guidance=2.0, pace=2, floor=8, lookahead=(0.0, 2.0), delivery=1)


class TestIRNGuidedByAnother(PlannerConformance):
    """p(i | s) of guidance and floor comes from SASRec."""

    @pytest.fixture
    def planner(self, irn: IRN, sasrec: SASRec) -> Planner:
        return IRNPlanner(irn, base=sasrec, guidance=(1.0, 3.0), pace=2, floor=8)

    def make_again(self, planner: Planner, folder: Path) -> Planner:
        assert isinstance(planner, IRNPlanner)
        assert planner.base is not None
        planner.model.save(folder / "irn")
        planner.base.save(folder / "base")
        return IRNPlanner(
            IRN.load(folder / "irn"), planner.config, base=SASRec.load(folder / "base")
        )


class TestLastOffer(PlannerConformance):
    @pytest.fixture
    def planner(self, sasrec: SASRec) -> Planner:
        return LastOfferPlanner(VanillaPlanner(sasrec))

    def make_again(self, planner: Planner, folder: Path) -> Planner:
        assert isinstance(planner, LastOfferPlanner)
        return LastOfferPlanner(super().make_again(planner.planner, folder))
