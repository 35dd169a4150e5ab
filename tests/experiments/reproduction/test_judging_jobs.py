"""Planning and judging in helpers gives what this process gives."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from influpath.evaluation.judging import Judgement
from influpath.experiments import judging_jobs
from influpath.experiments.judging_jobs import Asked
from influpath.experiments.reproduction.bench import Bench
from influpath.experiments.reproduction.stages import Stages
from influpath.experiments.run import NEUTRAL


@pytest.fixture
def helped(stages: Stages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """The same models, no paths yet, and helpers for however little there is to do."""
    config = stages.config.model_copy(update={"workers": 2})
    shutil.copytree(stages.benches[0].workspace.root / "models", tmp_path / config.name / "models")
    monkeypatch.setattr(judging_jobs, "FEWEST_PAIRS", 0)
    bench = Bench(config, stages.data_dir, tmp_path)
    with bench.helpers:
        yield bench


def assert_same(found: Judgement, wanted: Judgement) -> None:
    assert found.judge == wanted.judge
    assert found.pair_ids.tolist() == wanted.pair_ids.tolist()
    assert found.paths.values.tolist() == wanted.paths.values.tolist()
    assert found.paths.offsets.tolist() == wanted.paths.offsets.tolist()
    np.testing.assert_allclose(found.item_log_probs, wanted.item_log_probs, rtol=0, atol=1e-5)
    np.testing.assert_allclose(
        found.objective_log_probs, wanted.objective_log_probs, rtol=0, atol=1e-5
    )


def test_helpers_plan_and_judge_as_this_process_does(helped: Bench, stages: Stages) -> None:
    alone = stages.benches[0]
    second = alone.evaluators[1]
    for judge in (alone.judge, second):
        (found,), (wanted,) = helped.judged_on_subset(judge), alone.judged_on_subset(judge)
        assert list(found) == list(wanted) == list(alone.config.planners)
        for label, judgement in found.items():
            assert_same(judgement, wanted[label])
    # What they planned is on record, as if this process had done it.
    times = helped.workspace.seconds
    for label in ("irn", "oracle", "bridge"):
        assert any(stage.startswith(f"plan {label} ") for stage in times)
    paths = {path.name for path in (helped.workspace.root / "paths").iterdir()}
    assert paths <= {path.name for path in (alone.workspace.root / "paths").iterdir()}


def test_helpers_keep_to_the_settings_of_whom_they_help(helped: Bench, stages: Stages) -> None:
    alone = stages.benches[0]
    for name in ("type-1", None):
        asked = [
            Asked("irn", NEUTRAL, alone.subset, alone.judge.name, max_length=3, temperatures=(2.0,))
        ]
        bench, other = helped.variant(name), alone.variant(name)
        (found,), (wanted,) = list(bench.judge_all(asked)), list(other.judge_all(asked))
        assert_same(found, wanted)
        assert found.lengths.max() <= 3
