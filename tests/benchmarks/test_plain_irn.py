"""The straightforward IRN that speed is measured by is the same model as the package's."""

from typing import Any

import numpy as np
import pytest
import torch

from influpath.benchmarks.plain_irn import PlainIRN, PlainTraining
from influpath.benchmarks.plain_planning import PlainPlanner
from influpath.data.dataset import Dataset
from influpath.evaluation import sample_pairs
from influpath.irn.config import IRNConfig
from influpath.irn.examples import InfluenceTask, training_pieces
from influpath.irn.model import IRN
from influpath.irn.network import IRNNetwork
from influpath.planning.algorithm import encode_pairs, plan
from influpath.planning.irn import IRNDials, IRNPlanner

DIALS: dict[str, dict[str, Any]] = {
    "neutral": {},
    "guided": {"guidance": 3.0, "pace": 2},
    "floor": {"guidance": 2.0, "floor": 5},
    "shipped": {"guidance": "2..0", "pace": 3, "floor": 8, "lookahead": "0..2"},
    "no floor": {"guidance": 1.5, "pace": 5, "lookahead": 1.0, "lookahead_top": 6},
}


def network_of(dataset: Dataset, **settings: Any) -> IRNNetwork:
    config = IRNConfig(
        **{"l_max": 14, "l_min": 4, "horizon": 6, "embedding_size": 12, "heads": 3, "layers": 3},
        **{"dropout": 0.0, "objective_dropout": 0.0, **settings},
    )
    torch.manual_seed(5)
    network = IRNNetwork(config, len(dataset.items), len(dataset.users))
    for weights in network.parameters():
        torch.nn.init.normal_(weights, std=0.3)
    return network


@pytest.mark.parametrize("settings", [{}, {"w_h": 0.4, "w_t": 0.3}], ids=["shipped", "weights"])
def test_the_loss_is_that_of_the_package(tiny: Dataset, settings: dict[str, Any]) -> None:
    network = network_of(tiny, **settings)
    pieces, rest = training_pieces(tiny.sequences, network.config)
    batch = np.arange(min(16, len(pieces.users)))
    own, count = InfluenceTask(network, pieces, rest).loss(batch, np.random.default_rng(0))
    plain = PlainIRN.of(network)
    windows = torch.from_numpy(pieces.take(batch).sequences.window(network.config.l_max))
    shown = torch.ones(len(batch), dtype=torch.bool)
    loss, targets = plain.loss(windows, torch.from_numpy(pieces.take(batch).users), shown)
    assert targets == count
    torch.testing.assert_close(loss, own, rtol=0, atol=1e-4)
    # So are the gradients, that of the impressionability among them.
    own.backward()  # type: ignore[no-untyped-call]
    loss.backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(plain.item.weight.grad, network.item.weight.grad, rtol=0, atol=1e-4)
    torch.testing.assert_close(plain.user.weight.grad, network.user.weight.grad, rtol=0, atol=1e-4)
    assert network.user.weight.grad is not None
    assert float(network.user.weight.grad.abs().max()) > 1e-4


@pytest.mark.parametrize("dials", DIALS.values(), ids=DIALS)
def test_the_paths_are_those_of_the_package(
    tiny: Dataset, learned_irn: IRN, dials: dict[str, Any]
) -> None:
    pairs = sample_pairs(tiny, seed=4)[:12]
    planner = IRNPlanner(learned_irn, **dials)
    histories, objectives, users = encode_pairs(planner, pairs, tiny)
    plain = PlainPlanner(PlainIRN.of(learned_irn.module), IRNDials.parse(dials, "dials"), 6)
    made = plain.plan(
        [histories.row(row).tolist() for row in range(len(histories))],
        objectives.tolist(),
        users.tolist(),
    )
    paths = plan(planner, pairs, tiny, max_length=6)
    wanted = [paths.items_of(pair_id) for pair_id in pairs["pair_id"]]
    assert [tiny.items.decode(np.array(path)) for path in made] == wanted


def test_the_plain_loop_learns(tiny: Dataset) -> None:
    network = network_of(tiny, training={"learning_rate": 1e-2}, batch_size=8)
    pieces, _ = training_pieces(tiny.sequences, network.config)
    plain = PlainIRN.of(network)
    training = PlainTraining(plain, pieces, seed=1)
    windows = torch.from_numpy(pieces.sequences.window(network.config.l_max))
    users, shown = torch.from_numpy(pieces.users), torch.ones(len(windows), dtype=torch.bool)
    before = float(plain.loss(windows, users, shown)[0].detach())
    assert sum(training.batch() for _ in range(20)) > 0
    assert float(plain.loss(windows, users, shown)[0].detach()) < before - 0.1


def test_variants_are_refused(tiny: Dataset) -> None:
    with pytest.raises(ValueError, match="as shipped"):
        PlainIRN(IRNConfig(leak=True), 10, 10)
