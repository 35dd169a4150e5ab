"""`influpath recommenders` and `influpath planners`."""

import json

import pytest

from influpath.registry import PLANNERS, RECOMMENDERS, names

from .tiny_run import Outcome


@pytest.mark.parametrize(
    ("command", "group", "some"),
    [
        ("recommenders", RECOMMENDERS, ("pop", "bpr", "transrec", "gru4rec", "caser", "irn")),
        ("planners", PLANNERS, ("dijkstra", "mst", "bridge", "ipg", "lookahead", "irn")),
    ],
)
def test_what_there_is(command: str, group: str, some: tuple[str, ...]) -> None:
    outcome = Outcome(command, "--json")
    assert outcome.status == 0, outcome.errors
    listed = json.loads(outcome.output)
    assert list(listed) == names(group)
    assert set(some) <= set(listed)
    for about in listed.values():
        assert about["about"].endswith(".")
        assert isinstance(about["settings"], dict)
    printed = Outcome(command).output
    assert all(name in printed for name in listed)


def test_settings_come_with_their_defaults() -> None:
    recommenders = json.loads(Outcome("recommenders", "--json").output)
    assert recommenders["sasrec"]["settings"]["max_length"] == 200
    planners = json.loads(Outcome("planners", "--json").output)
    assert planners["rec2inf"]["settings"]["k"] == 50
    assert planners["direct"]["settings"] == {}
