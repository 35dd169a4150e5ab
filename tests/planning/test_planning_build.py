"""Planners made from their labels and from what there is."""

import pytest

from influpath.data.dataset import Dataset
from influpath.errors import ConfigError
from influpath.irn.model import IRN
from influpath.planning.parts import PlannerParts
from influpath.recommenders.bert4rec import BERT4Rec
from influpath.recommenders.sasrec import SASRec
from influpath.registry import make_planner


@pytest.fixture
def parts(tiny: Dataset, sasrec: SASRec, bert4rec: BERT4Rec, irn: IRN) -> PlannerParts:
    return PlannerParts({"sasrec": sasrec, "irn": irn}, tiny, judge=bert4rec)


def test_labels_find_their_parts(parts: PlannerParts) -> None:
    for label, attribute, expected in (
        ("vanilla/sasrec", "model", "sasrec"),
        ("rec2inf/sasrec", "model", "sasrec"),
        ("irn", "model", "irn"),
    ):
        planner = make_planner(label, parts)
        assert planner.label == label
        assert getattr(planner, attribute) is parts.models[expected]
    assert make_planner("oracle", parts, {"k": 3}).model is parts.judge  # type: ignore[attr-defined]
    for label in ("direct", "dijkstra", "mst", "bridge"):
        planner = make_planner(label, parts)
        assert (planner.label, planner.items) == (label, parts.dataset.items)


def test_dials_are_taken(parts: PlannerParts) -> None:
    assert make_planner("mst", parts, {"seed": "7"}).config.model_dump() == {"seed": 7}
    assert make_planner("rec2inf/sasrec", parts, {"k": 9}).config.model_dump()["k"] == 9


def test_guidance_may_come_from_a_model_at_hand(parts: PlannerParts) -> None:
    planner = make_planner("irn", parts, {"guidance_model": "sasrec", "guidance": 3.0})
    assert planner.base is parts.models["sasrec"]  # type: ignore[attr-defined]
    assert make_planner("irn", parts).base is None  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match=r"guidance_model.* needs a model named 'gru4rec'"):
        make_planner("irn", parts, {"guidance_model": "gru4rec"})


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("magic", "planner 'magic' is not installed; there are: .*dijkstra"),
        ("vanilla/pop", "'vanilla/pop' needs a model named 'pop'; .* at hand are irn, sasrec"),
        ("vanilla", "'vanilla' needs a model named 'vanilla'"),
        ("dijkstra/sasrec", "stands on no model; write 'dijkstra', not 'dijkstra/sasrec'"),
        ("direct/sasrec", "stands on no model; write 'direct'"),
    ],
)
def test_wrong_labels(parts: PlannerParts, label: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make_planner(label, parts)


def test_what_is_missing_or_wrong(parts: PlannerParts, tiny: Dataset) -> None:
    with pytest.raises(ConfigError, match="'oracle' looks through a judge; give one"):
        make_planner("oracle", PlannerParts(parts.models, tiny))
    with pytest.raises(ConfigError, match="models at hand are none"):
        make_planner("irn", PlannerParts({}, tiny))
    for label in ("direct", "mst", "vanilla/sasrec", "oracle"):
        with pytest.raises(ConfigError, match=f"dials of {label.partition('/')[0]}: speed"):
            make_planner(label, parts, {"speed": 1})
