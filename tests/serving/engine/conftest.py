"""A folder of tiny bundles, and an engine on it."""

from pathlib import Path

import pytest

from influpath.irn.model import IRN
from influpath.recommenders.bert4rec import BERT4Rec
from influpath.recommenders.sasrec import SASRec
from influpath.serving.engine.engine import LocalEngine

from .tiny_bundle import AHEAD, AHEAD_VERSION, VERSION, tiny_bundle


@pytest.fixture(scope="session")
def bundles(
    tmp_path_factory: pytest.TempPathFactory, irn: IRN, sasrec: SASRec, bert4rec: BERT4Rec
) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    tiny_bundle(irn, sasrec, bert4rec).save(folder / VERSION)
    tiny_bundle(irn, sasrec, bert4rec, AHEAD).save(folder / AHEAD_VERSION)
    return folder


@pytest.fixture(scope="session")
def engine(bundles: Path) -> LocalEngine:
    return LocalEngine(bundles)
