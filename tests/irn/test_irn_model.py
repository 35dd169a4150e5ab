"""r_u, the loss on training pieces, and p(i | s, i_t) of a fitted model."""

from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
import torch.nn.functional as F
from irn_networks import random_irn

from influpath.data.dataset import Dataset
from influpath.data.ids import IdMap
from influpath.data.sequences import Sequences
from influpath.errors import ModelFileError
from influpath.irn.config import IRNConfig
from influpath.irn.examples import InfluenceTask, Pieces
from influpath.irn.model import IRN
from influpath.irn.network import IRNNetwork
from influpath.training.loop import seeded


@pytest.mark.parametrize("width", [1, 10, 40])
def test_r_u_starts_near_one_for_everyone(width: int) -> None:
    with seeded(1):
        network = IRNNetwork(IRNConfig(user_embedding_size=width), items=5, users=300)
    r_u = network.r_u(torch.arange(300))
    assert r_u.mean().item() == pytest.approx(1, abs=0.01)
    assert (r_u - 1).abs().max() < 0.15
    # Not the same for all, or users would learn in step.
    assert r_u.std() > 0.005


def test_an_unknown_user_gets_the_mean(irn: IRN) -> None:
    r_u = irn.impressionability()
    assert len(r_u) == len(irn.users)
    found = irn.module.r_u(torch.tensor([-1, 3, -1]))
    assert found[0].item() == pytest.approx(r_u.mean().item(), rel=1e-5)
    assert found[1] == r_u[3]
    assert found[2] == found[0]


def test_impressionability_is_learned(irn: IRN) -> None:
    fresh = IRNNetwork(irn.config, irn.item_count, len(irn.users))
    spread = fresh.r_u(torch.arange(len(irn.users))).std()
    assert irn.impressionability().std() > 1.5 * spread


def test_the_output_is_tied_to_the_items_by_a_switch() -> None:
    tied, free = random_irn(seed=1), random_irn(seed=1, tied=False)
    assert tied.module.output()[0].data_ptr() == tied.module.item.weight[1:].data_ptr()
    assert free.module.projection is not None
    assert free.module.output()[0] is free.module.projection.weight


def task_of(model: IRN, **changes: Any) -> InfluenceTask:
    pieces = Pieces(
        Sequences.from_rows([[1, 2, 3, 4, 5], [6, 7], [8, 9, 10, 11, 12, 13, 14]]),
        np.array([0, 1, 4]),
    )
    task = InfluenceTask(model.module, pieces, pieces)
    task.config = model.config.model_copy(update=changes)
    return task


@pytest.mark.parametrize("objective_in_loss", [True, False])
def test_loss_by_hand(objective_in_loss: bool) -> None:
    """Formula 9: every item of a piece but the first is predicted, position by position."""
    model = random_irn(seed=4)
    task = task_of(model, objective_in_loss=objective_in_loss, objective_dropout=0.0, w_t=0.8)
    losses = []
    for row, user in enumerate(task.training.users.tolist()):
        piece = task.training.sequences.row(row)
        items = torch.from_numpy(piece)[None]
        with torch.no_grad():
            hidden = model.module(
                items,
                torch.tensor([True]),
                model.module.r_u(torch.tensor([user])),
                torch.full(items.shape, 0.8),
            )
            logits = F.linear(hidden[0], *model.module.output())
        last = len(piece) - (0 if objective_in_loss else 1)
        for position in range(1, last):
            target = torch.tensor(int(piece[position]) - 1)
            losses.append(F.cross_entropy(logits[position - 1], target).item())
    with torch.no_grad():
        loss, count = task.loss(np.array([0, 1, 2]), np.random.default_rng(0))
    assert count == len(losses)
    assert loss.item() == pytest.approx(np.mean(losses), rel=1e-5)


def test_objectives_are_hidden_in_a_share_of_training_and_in_no_validation() -> None:
    model = random_irn(seed=4)
    shown: list[torch.Tensor] = []

    class Spy(InfluenceTask):
        def _loss(
            self, pieces: Pieces, shown_B: torch.Tensor, rng: np.random.Generator
        ) -> tuple[torch.Tensor, int]:
            shown.append(shown_B)
            return super()._loss(pieces, shown_B, rng)

    plain = task_of(model)
    task = Spy(model.module, plain.training, plain.validation)
    task.config = model.config.model_copy(update={"objective_dropout": 0.3})
    rng = np.random.default_rng(0)
    with torch.no_grad():
        for _ in range(300):
            task.loss(np.array([0, 1, 2]), rng)
        assert 1 - torch.cat(shown).float().mean().item() == pytest.approx(0.3, abs=0.05)
        shown.clear()
        figures = task.validate()
    assert [bool(part.all()) for part in shown] == [True, False]
    assert not shown[1].any()
    assert figures["validation_loss"] != figures["validation_loss_hidden"]


def bridged() -> Dataset:
    """Two items that tell nothing, then a bridge, then what it leads to: one of eight.

    Which bridge is next can be known from the objective alone: it is worth log 8 nats in one of the
    three predictions.
    """
    rng = np.random.default_rng(0)
    kind = rng.integers(8, size=240)
    noise = np.array([rng.choice(20, size=2, replace=False) for _ in kind])
    rows = np.column_stack([noise + 1, 21 + kind, 29 + kind])
    items = [f"item {number}" for number in range(1, 37)]
    return Dataset(
        name="bridged",
        preset="custom",
        sequences=Sequences.from_rows(list(rows)),
        users=IdMap([f"user {number}" for number in range(len(rows))], 0, "user"),
        items=IdMap(items, 1, "item"),
        catalogue=pl.DataFrame({"item_id": items, "title": items, "genres": None}),
    )


@pytest.mark.parametrize("seed", [3, 4])
def test_the_objective_tells_of_the_way_to_it(seed: int) -> None:
    sizes: dict[str, Any] = {"l_max": 8, "l_min": 4, "horizon": 3, "layers": 2, "heads": 2}
    training = {"epochs": 20, "learning_rate": 1e-2, "patience": 20}
    irn = IRN(
        embedding_size=16, batch_size=16, item2vec=False, seed=seed, training=training, **sizes
    ).fit(bridged())
    last = irn.history["epochs"][-1]
    known = last["validation_loss_hidden"] - last["validation_loss"]
    assert 0.5 * np.log(8) / 3 < known < 1.5 * np.log(8) / 3


def test_log_probs_toward(irn: IRN, tiny: Any) -> None:
    """0 hides the objective, rows do not mix, and the objective is raised by being one."""
    histories = tiny.sequences.take(np.arange(6))
    objectives = np.array([1, 0, 3, 0, 20, 7])
    users = np.array([0, 1, -1, 3, -1, 5])
    found = irn.log_probs_toward(histories, objectives, users)
    alone = irn.log_probs(histories, users)
    hidden = objectives == 0
    torch.testing.assert_close(found[hidden], alone[hidden], atol=1e-5, rtol=0)
    assert ((found - alone)[~hidden].abs().amax(1) > 1e-3).all()
    for row in range(6):
        one = np.array([row])
        torch.testing.assert_close(
            irn.log_probs_toward(histories.take(one), objectives[one], users[one])[0],
            found[row],
            atol=1e-5,
            rtol=0,
        )
    nearer = irn.log_probs_toward(histories, objectives, users, max_length=1)
    assert (nearer - found).abs().max() > 1e-3


def test_more_than_a_batch_of_rows(irn: IRN, tiny: Any) -> None:
    rows = np.arange(1100) % len(tiny.sequences)
    found = irn.log_probs(tiny.sequences.take(rows))
    torch.testing.assert_close(found[1024:], found[rows[1024:]], atol=1e-5, rtol=0)


def test_item2vec_initialises_the_items(tiny: Any) -> None:
    """Trained with a rate of almost nothing, the embedding is the initial one."""
    training: dict[str, Any] = {"epochs": 1, "learning_rate": 1e-9}
    config: dict[str, Any] = {"l_max": 10, "l_min": 3, "horizon": 4, "training": training}
    plain, started = (IRN(**config, item2vec=on).fit(tiny) for on in (False, True))
    random, vectors = plain.module.item.weight, started.module.item.weight
    assert torch.allclose(random[0], vectors[0], atol=1e-6)
    assert not torch.allclose(random[1:], vectors[1:], atol=1e-3)
    assert vectors[1:].std().item() == pytest.approx(random.std().item(), rel=0.2)


def test_the_literal_variant_is_a_model_too(tiny: Any) -> None:
    training: dict[str, Any] = {"epochs": 1}
    model = IRN(
        l_max=10, l_min=3, horizon=4, leak=True, aligned=False, mask_type=1, training=training
    ).fit(tiny)
    assert torch.isfinite(model.log_probs(tiny.sequences)).all()


def test_weights_of_other_sizes_are_refused(irn: IRN, tmp_path: Any) -> None:
    irn.config = irn.config.model_copy(update={"layers": 1})
    try:
        irn.save(tmp_path)
    finally:
        irn.config = irn.config.model_copy(update={"layers": 2})
    with pytest.raises(ModelFileError, match="do not fit the configuration"):
        IRN.load(tmp_path)
