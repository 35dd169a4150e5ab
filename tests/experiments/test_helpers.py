"""Helping processes: results in order, nothing left behind."""

import math
import multiprocessing
import time

import pytest

from influpath.experiments.helpers import Helpers


def nobody_is_left() -> bool:
    end = time.monotonic() + 20
    while multiprocessing.active_children() and time.monotonic() < end:
        time.sleep(0.05)
    return not multiprocessing.active_children()


def test_results_come_in_order_and_helpers_go_at_the_end() -> None:
    with Helpers(2) as helpers:
        numbers = [9.0, 4.0, 1.0, 16.0]
        assert list(helpers.each(math.sqrt, numbers)) == [3.0, 2.0, 1.0, 4.0]
        assert list(helpers.each(math.sqrt, [])) == []
        at_work = {process.pid for process in multiprocessing.active_children()}
        last = helpers.each(math.sqrt, numbers[:1])
        assert next(last) == 3.0
        last.close()
        assert list(helpers.each(math.sqrt, numbers[:1])) == [3.0]
        assert {process.pid for process in multiprocessing.active_children()} == at_work
    assert nobody_is_left()


def test_an_error_ends_the_helpers_and_new_ones_can_be_had() -> None:
    helpers = Helpers(1)
    with pytest.raises(ValueError, match="math domain"):
        list(helpers.each(math.sqrt, [1.0, -1.0, 4.0]))
    assert nobody_is_left()
    assert list(helpers.each(math.sqrt, [4.0])) == [2.0]
    helpers.close()
    assert nobody_is_left()


def give_up() -> None:
    with Helpers(1) as helpers:
        results = helpers.each(time.sleep, [0.0, 300.0])
        next(results)
        raise KeyError


def test_whoever_gives_up_does_not_wait() -> None:
    began = time.monotonic()
    with pytest.raises(KeyError):
        give_up()
    assert nobody_is_left()
    assert time.monotonic() - began < 60


def test_who_stops_asking_does_not_wait() -> None:
    helpers = Helpers(1)
    results = helpers.each(time.sleep, [0.0, 300.0])
    next(results)
    began = time.monotonic()
    results.close()
    assert nobody_is_left()
    assert time.monotonic() - began < 60
