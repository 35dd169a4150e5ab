"""The output projection made ready says what torch's log-softmax says."""

import numpy as np
import pytest
import torch

from influpath.planning.base import best_allowed
from influpath.recommenders import blocks
from influpath.recommenders.output_layer import OutputLayer


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are taken in several chunks, the last of which is smaller."""
    monkeypatch.setattr(blocks, "CHUNK_BYTES", 16 * 4 * 30)


@pytest.mark.parametrize("biased", [True, False])
# The last two are beyond what exponentials as they are can hold.
@pytest.mark.parametrize("moved", [0.0, 200.0, -200.0])
@pytest.mark.parametrize("rows", [0, 1, 16, 41])
def test_the_same_as_log_softmax(biased: bool, moved: float, rows: int) -> None:
    generator = torch.Generator().manual_seed(rows)
    hidden, weight = (torch.randn(n, 8, generator=generator) for n in (rows, 30))
    hidden, weight = (torch.cat([part, torch.ones(len(part), 1)], 1) for part in (hidden, weight))
    hidden[:, -1] = moved
    bias = torch.randn(30, generator=generator) if biased else None
    expected = torch.log_softmax(torch.nn.functional.linear(hidden, weight, bias), dim=1)
    layer = OutputLayer(weight, bias)
    # Logits of hundreds are only as exact as float32 is there.
    atol = 1e-5 if moved == 0 else 1e-4
    torch.testing.assert_close(layer.log_probs(hidden), expected, atol=atol, rtol=0)
    column = torch.randint(0, 30, (rows,), generator=generator)
    found = layer.log_probs_at(hidden, column)
    torch.testing.assert_close(found, expected.gather(1, column[:, None])[:, 0], atol=atol, rtol=0)
    barred = torch.rand(rows, 30, generator=generator) < 0.6
    barred[5:7] = True
    kept = barred.clone()
    columns, best = layer.best(hidden, barred)
    proposal = best_allowed(expected, barred)
    some = proposal.items_B > 0
    assert columns[some].tolist() == (proposal.items_B[some] - 1).tolist()
    np.testing.assert_allclose(best, proposal.scores_B, atol=atol, rtol=0)
    assert torch.equal(barred, kept)
