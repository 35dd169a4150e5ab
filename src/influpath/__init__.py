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
    from influpath.data import Dataset, SimulatedWorld, Split, leave_last_out, load_dataset
    from influpath.errors import InfluPathError
    from influpath.evaluation import calibrate, evaluate, evaluate_judges, sample_pairs
    from influpath.irn.model import IRN
    from influpath.planning.aims import Aim, aim, rate_pairs
    from influpath.planning.algorithm import plan
    from influpath.planning.audience import audience
    from influpath.planning.bridge import BridgePlanner
    from influpath.planning.dijkstra import DijkstraPlanner
    from influpath.planning.direct import DirectPlanner
    from influpath.planning.feasibility import Feasibility
    from influpath.planning.ipg import IPGPlanner
    from influpath.planning.irn import IRNPlanner
    from influpath.planning.lookahead import LookaheadPlanner
    from influpath.planning.mst import MSTPlanner
    from influpath.planning.objectives import Objective
    from influpath.planning.oracle import OraclePlanner
    from influpath.planning.paths import Paths
    from influpath.planning.reasons import explain
    from influpath.planning.rec2inf import Rec2InfPlanner
    from influpath.planning.sensitivity import Sensitivity
    from influpath.planning.session import Session
    from influpath.planning.vanilla import VanillaPlanner
    from influpath.recommenders.bert4rec import BERT4Rec
    from influpath.recommenders.bpr import BPR
    from influpath.recommenders.caser import Caser
    from influpath.recommenders.gru4rec import GRU4Rec
    from influpath.recommenders.pop import POP
    from influpath.recommenders.sasrec import SASRec
    from influpath.recommenders.transrec import TransRec
    from influpath.registry import load_model
    from influpath.simulation import JudgeUserModel, LoopConfig, TruthUserModel, simulate

__version__ = "0.1.0"

_HOMES = {
    "Dataset": "data",
    "SimulatedWorld": "data",
    "Split": "data",
    "leave_last_out": "data",
    "load_dataset": "data",
    "InfluPathError": "errors",
    "calibrate": "evaluation",
    "evaluate": "evaluation",
    "evaluate_judges": "evaluation",
    "sample_pairs": "evaluation",
    "IRN": "irn.model",
    "Aim": "planning.aims",
    "aim": "planning.aims",
    "rate_pairs": "planning.aims",
    "plan": "planning.algorithm",
    "audience": "planning.audience",
    "BridgePlanner": "planning.bridge",
    "DijkstraPlanner": "planning.dijkstra",
    "DirectPlanner": "planning.direct",
    "IPGPlanner": "planning.ipg",
    "Feasibility": "planning.feasibility",
    "IRNPlanner": "planning.irn",
    "LookaheadPlanner": "planning.lookahead",
    "MSTPlanner": "planning.mst",
    "Objective": "planning.objectives",
    "OraclePlanner": "planning.oracle",
    "Paths": "planning.paths",
    "explain": "planning.reasons",
    "Rec2InfPlanner": "planning.rec2inf",
    "VanillaPlanner": "planning.vanilla",
    "BERT4Rec": "recommenders.bert4rec",
    "BPR": "recommenders.bpr",
    "Caser": "recommenders.caser",
    "GRU4Rec": "recommenders.gru4rec",
    "POP": "recommenders.pop",
    "JudgeUserModel": "simulation",
    "LoopConfig": "simulation",
    "Sensitivity": "planning.sensitivity",
    "Session": "planning.session",
    "TruthUserModel": "simulation",
    "simulate": "simulation",
    "SASRec": "recommenders.sasrec",
    "TransRec": "recommenders.transrec",
    "load_model": "registry",
}

__all__ = [
    "BPR",
    "IRN",
    "POP",
    "Aim",
    "BERT4Rec",
    "BridgePlanner",
    "Caser",
    "Dataset",
    "DijkstraPlanner",
    "DirectPlanner",
    "Feasibility",
    "GRU4Rec",
    "IPGPlanner",
    "IRNPlanner",
    "InfluPathError",
    "JudgeUserModel",
    "LookaheadPlanner",
    "LoopConfig",
    "MSTPlanner",
    "Objective",
    "OraclePlanner",
    "Paths",
    "Rec2InfPlanner",
    "SASRec",
    "Sensitivity",
    "Session",
    "SimulatedWorld",
    "Split",
    "TransRec",
    "TruthUserModel",
    "VanillaPlanner",
    "aim",
    "audience",
    "calibrate",
    "evaluate",
    "evaluate_judges",
    "explain",
    "leave_last_out",
    "load_dataset",
    "load_model",
    "plan",
    "rate_pairs",
    "sample_pairs",
    "simulate",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'influpath' has no attribute {name!r}")
    return getattr(import_module(f"influpath.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
