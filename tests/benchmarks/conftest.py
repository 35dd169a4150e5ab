"""Settings of a run that is over in a moment."""

from typing import Any

import pytest

from influpath.benchmarks.config import BenchConfig

IRN: dict[str, Any] = {
    **{"l_max": 14, "l_min": 4, "horizon": 6, "embedding_size": 12, "heads": 3, "layers": 2},
    "batch_size": 8,
}
SIZE: dict[str, Any] = {
    **{"embedding_size": 8, "blocks": 1, "heads": 2, "max_length": 8, "dropout": 0.2},
}


@pytest.fixture(scope="session")
def small() -> BenchConfig:
    few = dict.fromkeys(("irn", "plain", "sasrec", "gru4rec", "bert4rec"), 1)
    return BenchConfig(
        repeats=2,
        matrix_size=16,
        batches={**few, "rectools": 1, "recbole": 1},
        paper_irn=IRN,
        shipped_irn={**IRN, "layers": 1},
        compared=SIZE,
        compared_gru={"hidden_size": 8, "layers": 1},
        judge_settings={"sasrec": SIZE, "bert4rec": SIZE},
        max_length=5,
        plan_pairs=6,
        plan_shipped_pairs=2,
        plain_pairs=2,
        plain_shipped_pairs=1,
        judged_share=0.2,
        judged_one_by_one=3,
    )
