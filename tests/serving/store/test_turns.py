"""One call works at a time, and none keeps its turn while it waits."""

import threading

import pytest

from influpath.serving.store.turns import Turns

CALLS = 8


def test_nobody_works_beside_another() -> None:
    turns, at_work, most = Turns(), 0, 0

    def call() -> None:
        nonlocal at_work, most
        for _ in range(50):
            with turns.taken():
                at_work += 1
                most = max(most, at_work)
                at_work -= 1
                with turns.left():
                    pass
                at_work += 1
                most = max(most, at_work)
                at_work -= 1

    threads = [threading.Thread(target=call) for _ in range(CALLS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert most == 1


def test_others_work_while_one_waits() -> None:
    turns, worked = Turns(), threading.Event()

    def call() -> None:
        with turns.taken():
            worked.set()

    with turns.taken():
        other = threading.Thread(target=call)
        other.start()
        assert not worked.wait(0.05)
        with turns.left():
            assert worked.wait(10)
        other.join(10)
        # It is this one's turn again.
        worked.clear()
        other = threading.Thread(target=call)
        other.start()
        assert not worked.wait(0.05)
    other.join(10)
    assert worked.is_set()


def test_a_turn_ends_whatever_happens() -> None:
    turns = Turns()
    with pytest.raises(RuntimeError), turns.taken(), turns.left():
        raise RuntimeError
    with turns.taken():
        pass


def test_waiting_without_a_turn_takes_none() -> None:
    turns = Turns()
    with turns.left():
        pass
    with turns.taken():
        pass
