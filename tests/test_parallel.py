"""Parts in threads: every one once, in order, each with one of torch's."""

import threading
from collections.abc import Iterator

import pytest
import torch

from influpath.parallel import in_threads


@pytest.fixture(autouse=True)
def three_threads() -> Iterator[None]:
    """As on a machine with three cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("threads", [0, 1, 2, 3])
def test_results_are_in_order(threads: int) -> None:
    assert in_threads(lambda part: part * part, range(20), threads) == [n * n for n in range(20)]
    assert in_threads(lambda part: part, [], threads) == []
    assert torch.get_num_threads() == 3


def test_parts_are_worked_on_at_a_time_each_with_one_thread() -> None:
    together = threading.Barrier(2, timeout=20)

    def meet(part: int) -> tuple[int, str]:
        together.wait()
        return torch.get_num_threads(), threading.current_thread().name

    found = in_threads(meet, range(6), 2)
    assert {count for count, _ in found} == {1}
    assert len({name for _, name in found}) == 2
    assert torch.get_num_threads() == 3


def test_one_part_has_all_threads() -> None:
    assert in_threads(lambda part: torch.get_num_threads(), ["only"], 3) == [3]


def test_an_error_comes_through() -> None:
    def fail(part: int) -> int:
        if part == 3:
            raise ValueError("part 3")
        return part

    with pytest.raises(ValueError, match="part 3"):
        in_threads(fail, range(6), 2)
    assert torch.get_num_threads() == 3


def test_a_part_alone_may_have_one_thread_too() -> None:
    def threads(part: int) -> int:
        return torch.get_num_threads()

    assert in_threads(threads, [0], 3) == [3]
    assert in_threads(threads, [0], 3, same=True) == [1]
    assert in_threads(threads, range(2), 1, same=True) == [1, 1]
    assert torch.get_num_threads() == 3
