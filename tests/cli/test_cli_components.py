"""`influpath recommenders` and `influpath planners`."""

import json
import sys
from types import ModuleType

import pytest

from influpath.cli.components import purpose
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
        # A purpose: neither a pointer to somewhere else nor the name over again.
        assert "docstring" not in about["about"]
        assert "`" not in about["about"]
        assert isinstance(about["settings"], dict)
    printed = Outcome(command).output
    assert all(name in printed for name in listed)


def test_settings_come_with_their_defaults() -> None:
    recommenders = json.loads(Outcome("recommenders", "--json").output)
    assert recommenders["sasrec"]["settings"]["max_length"] == 200
    # Model files name it only where it is set; who asks what there is to set is told.
    assert recommenders["irn"]["settings"]["training"]["precision"] == "float32"
    planners = json.loads(Outcome("planners", "--json").output)
    assert planners["rec2inf"]["settings"]["k"] == 50
    assert planners["direct"]["settings"] == {}


def test_the_purpose_is_the_first_paragraph_of_what_is_named_for_it() -> None:
    planners = json.loads(Outcome("planners", "--json").output)
    assert planners["dijkstra"]["about"].startswith("The shortest path in the item graph")
    recommenders = json.loads(Outcome("recommenders", "--json").output)
    # Over two lines of its module.
    assert recommenders["gru4rec"]["about"].endswith("CIKM 2018). Written from the papers.")
    # In a module that is named otherwise.
    assert recommenders["irn"]["about"].startswith("A sequence model that sees the objective")


def test_the_purpose_of_a_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = ModuleType("company_planners", "Planners of a company.")
    monkeypatch.setitem(sys.modules, plugin.__name__, plugin)

    class Base:
        """The parent."""

    class Mine(Base):
        """``mine``: shows what
        sells.

        And more.
        """

    class Silent(Base):
        pass

    Mine.__module__ = Silent.__module__ = plugin.__name__
    Silent.__doc__ = None
    assert purpose("mine", Mine) == "Shows what sells."
    assert purpose("silent", Silent) == "Planners of a company."
    plugin.__doc__ = None
    assert purpose("silent", Silent) == ""
