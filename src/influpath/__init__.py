"""Influential recommendation: lead a user, step by acceptable step, to an objective item.

The whole job in Python:

    import influpath as ip

    split = ip.leave_last_out(ip.load_dataset("simulated"))
    irn, judge = ip.IRN(seed=1).fit(split.train), ip.SASRec(seed=2).fit(split.train)
    pairs = ip.sample_pairs(split.train, seed=3)
    paths = ip.plan(ip.IRNPlanner(irn, guidance=4, pace=3, floor=50), pairs, split.train)
    print(ip.evaluate(judge, pairs, paths, split.train).text())

Names are imported when first used, so that ``import influpath`` is fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from influpath.data import (
        Dataset,
        SimulatedWorld,
        Split,
        leave_last_out,
        load_dataset,
    )
    from influpath.errors import InfluPathError
    from influpath.evaluation import evaluate, sample_pairs
    from influpath.irn.model import IRN
    from influpath.planning.algorithm import plan
    from influpath.planning.direct import DirectPlanner
    from influpath.planning.irn import IRNPlanner
    from influpath.planning.oracle import OraclePlanner
    from influpath.planning.paths import Paths
    from influpath.planning.rec2inf import Rec2InfPlanner
    from influpath.planning.vanilla import VanillaPlanner
    from influpath.recommenders.bert4rec import BERT4Rec
    from influpath.recommenders.sasrec import SASRec
    from influpath.registry import load_model

__version__ = "0.1.0"

_HOMES = {
    "Dataset": "data",
    "SimulatedWorld": "data",
    "Split": "data",
    "leave_last_out": "data",
    "load_dataset": "data",
    "InfluPathError": "errors",
    "evaluate": "evaluation",
    "sample_pairs": "evaluation",
    "IRN": "irn.model",
    "plan": "planning.algorithm",
    "Paths": "planning.paths",
    "DirectPlanner": "planning.direct",
    "IRNPlanner": "planning.irn",
    "OraclePlanner": "planning.oracle",
    "Rec2InfPlanner": "planning.rec2inf",
    "VanillaPlanner": "planning.vanilla",
    "BERT4Rec": "recommenders.bert4rec",
    "SASRec": "recommenders.sasrec",
    "load_model": "registry",
}

__all__ = [
    "IRN",
    "BERT4Rec",
    "Dataset",
    "DirectPlanner",
    "IRNPlanner",
    "InfluPathError",
    "OraclePlanner",
    "Paths",
    "Rec2InfPlanner",
    "SASRec",
    "SimulatedWorld",
    "Split",
    "VanillaPlanner",
    "evaluate",
    "leave_last_out",
    "load_dataset",
    "load_model",
    "plan",
    "sample_pairs",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'influpath' has no attribute {name!r}")
    return getattr(import_module(f"influpath.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
