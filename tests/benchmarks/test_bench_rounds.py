"""Rounds: everything once per round, ratios within a round, medians over them."""

from collections.abc import Callable
from statistics import median

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from influpath.benchmarks import flops
from influpath.benchmarks.plain_irn import PlainIRN
from influpath.benchmarks.rounds import Measure, Rounds, matrix_peaks, measure_rounds
from influpath.irn.config import IRNConfig

RATES = st.lists(st.tuples(st.floats(1e-3, 1e6), st.floats(1e-3, 1e6)), min_size=1, max_size=7)


def scripted(log: list[str], name: str, values: list[float]) -> Callable[[], float]:
    rest = iter(values)

    def run() -> float:
        log.append(name)
        return next(rest)

    return run


def test_every_round_measures_everything_once_in_order() -> None:
    log: list[str] = []
    measures = [
        Measure("slow", "things/s", scripted(log, "slow", [1.0, 2.0, 4.0])),
        Measure("fast", "things/s", scripted(log, "fast", [3.0, 20.0, 8.0]), 1e6, "slow"),
    ]
    rounds = measure_rounds("test", measures, 3, matrix_size=16)
    assert log == ["slow", "fast"] * 3
    slow, fast = rounds.rows(measures)
    assert (slow["value"], slow["ratio"], slow["share_of_peak"]) == (2.0, None, None)
    # Ratios 3, 10 and 2: not the ratio of the medians, which is 4.
    assert (fast["value"], fast["reference"], fast["ratio"]) == (8.0, "slow", 3.0)
    peaks = [at["bf16"] for at in rounds.peaks]
    expected = median(rate * 1e6 / peak for rate, peak in zip([3.0, 20.0, 8.0], peaks, strict=True))
    assert fast["share_of_peak"]["bf16"] == pytest.approx(expected, rel=1e-3)


@given(RATES)
def test_a_machine_that_slows_down_changes_no_ratio(rates: list[tuple[float, float]]) -> None:
    slower = [(a / (n + 2), b / (n + 2)) for n, (a, b) in enumerate(rates)]
    ratios = []
    for taken in (rates, slower):
        rounds = Rounds({"a": [a for a, _ in taken], "b": [b for _, b in taken]})
        ratios.append(rounds.ratio("a", "b"))
    assert ratios[0] == pytest.approx(ratios[1], rel=2e-3)


def test_what_was_not_measured_has_no_ratio() -> None:
    rounds = Rounds({"a": [1.0]}, [matrix_peaks(16)])
    assert rounds.ratio("a", "b") is None
    row = rounds.row(Measure("a", "x/s", float, reference="b"))
    assert (row["reference"], row["ratio"]) == (None, None)


def test_peaks_are_rates() -> None:
    assert all(1e6 < rate < 1e17 for rate in matrix_peaks(64).values())


def test_the_arithmetic_of_a_network_is_what_torch_counts() -> None:
    length, items, batch = 20, 300, 3
    config = IRNConfig(
        **{"l_max": length, "l_min": 4, "horizon": 6, "embedding_size": 32, "heads": 4},
        **{"layers": 3, "dropout": 0.0},
    )
    # Attention by plain products, so that torch counts it.
    plain = PlainIRN(config, items, 5).train()
    windows = torch.from_numpy(np.random.default_rng(0).integers(1, items, (batch, length)))
    users, shown = torch.zeros(batch, dtype=torch.int64), torch.ones(batch, dtype=torch.bool)
    with (
        FlopCounterMode(display=False) as counter,
        torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH),
    ):
        loss, _ = plain.loss(windows, users, shown)
        loss.backward()  # type: ignore[no-untyped-call]
    layer = flops.layer_flops(32, attended=length)
    output = flops.output_flops(32, items)
    wanted = batch * length * flops.training_flops(layer * config.layers, 1.0, output)
    # The last position is read and has no target, and the inputs of the first layer need no
    # gradient through its products; hence not to the last digit.
    assert counter.get_total_flops() == pytest.approx(wanted, rel=0.03)


def test_a_recurrent_layer_counts_its_gates() -> None:
    width, hidden = 10, 16
    gates = 3 * hidden * (width + hidden)
    assert flops.recurrent_flops(width, hidden, 1) == 2 * (gates + hidden * width)
    second = 3 * hidden * (hidden + hidden)
    assert flops.recurrent_flops(width, hidden, 2) == 2 * (gates + second + hidden * width)


def test_a_path_is_history_steps_and_candidates() -> None:
    # One layer of cost 1, output 10: 5 history items, 3 steps.
    assert flops.planning_flops(1, 1, 5, 3, 10, readings=1, ahead=0) == 8 + 30
    assert flops.planning_flops(1, 1, 5, 3, 10, readings=2, ahead=4) == 16 + 3 * (20 + 44)
