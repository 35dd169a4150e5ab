"""`influpath next-item`: recommenders compared on held-out items."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from influpath.data import leave_last_out, load_dataset
from influpath.evaluation import next_item_ranks, next_item_values
from influpath.registry import load_model

from .tiny_run import WORLD, Outcome

CONFIG = """
name = "compared"
workers = 1
seeds = [1, 2]

[data]
source = "simulated"
options = { users = 80, items = 50, shortest = 10, longest = 16 }

[recommenders.pop]

[recommenders.sasrec]
embedding_size = 8
training = { epochs = 1 }
"""


def test_metrics_by_hand() -> None:
    values = next_item_values(np.array([1, 3, 11, 50]))
    assert values["hr@10"].tolist() == [1, 1, 0, 0]
    assert values["hr@20"].tolist() == [1, 1, 1, 0]
    assert values["ndcg@10"].tolist() == pytest.approx([1, 0.5, 0, 0])
    assert values["mrr"].tolist() == pytest.approx([1, 1 / 3, 1 / 11, 1 / 50])


def test_the_table_says_what_the_models_do(tmp_path: Path) -> None:
    config = tmp_path / "compare.toml"
    config.write_text(CONFIG)
    outcome = Outcome("next-item", config, "--runs-dir", tmp_path)
    assert outcome.status == 0, outcome.errors
    assert all(name in outcome.output for name in ("pop", "sasrec", "HR@20"))
    document = json.loads((tmp_path / "compared" / "next_item.json").read_text())
    split = leave_last_out(load_dataset("simulated", **WORLD))
    ranks = pl.read_parquet(tmp_path / "compared" / "next_item.parquet")
    folders = sorted((tmp_path / "compared" / "models").glob("evaluator-sasrec-*"))
    assert len(folders) == 2
    assert len(list((tmp_path / "compared" / "models").glob("evaluator-pop-*"))) == 1
    by_seed = [next_item_ranks(load_model(folder), split) for folder in folders]
    recorded = [ranks[f"sasrec-{seed}"].to_list() for seed in (1, 2)]
    assert sorted(recorded) == sorted(each.tolist() for each in by_seed)
    expected = np.mean([next_item_values(each)["mrr"].mean() for each in by_seed])
    row = document["sasrec"]
    assert row["mrr"] == pytest.approx(expected)
    low, high = row["mrr_ci95"]
    assert low < row["mrr"] < high
    assert row["mrr_sd_of_seeds"] > 0
    assert document["pop"]["mrr_sd_of_seeds"] == 0
    assert [each["seed"] for each in row["seeds"]] == [1, 2]
    assert row["calibration"]["measured_on"] == document["users"] == 80
    figure = (tmp_path / "compared" / "next_item.svg").read_text()
    assert "sasrec" in figure


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("[recommenders.pop]", "[recommenders.no_such]"),
        ("embedding_size = 8", "embedding_size = 0"),
    ],
)
def test_wrong_files_are_refused_in_one_sentence(tmp_path: Path, change: str, message: str) -> None:
    config = tmp_path / "compare.toml"
    config.write_text(CONFIG.replace(change, message))
    outcome = Outcome("next-item", config, "--runs-dir", tmp_path)
    assert outcome.status == 2
    assert "Traceback" not in outcome.errors
    assert ("no_such" in outcome.errors) or ("embedding_size" in outcome.errors)
