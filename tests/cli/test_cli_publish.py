"""``influpath publish``."""

from pathlib import Path

from influpath.data import leave_last_out
from influpath.serving.bundles.bundle import Bundle

from .tiny_run import Outcome


def test_publish_makes_a_bundle_of_a_run(config: Path, trained: Path, tmp_path: Path) -> None:
    options = ["--runs-dir", trained.parent, "--bundles", tmp_path, "--version", "v1"]
    outcome = Outcome("publish", config, *options)
    assert outcome.status == 0, outcome.errors
    folder = tmp_path / "default" / "v1"
    assert outcome.output == f"bundle: {folder} (80 users, 50 items, planner irn)\n"
    bundle = Bundle.load(folder)
    assert bundle.feasibility is not None
    assert bundle.plain.name == "sasrec"
    assert bundle.planner.config.model_dump()["guidance"] == 2.0
    # Whole histories, not only what was trained on.
    assert bundle.model.trained_on.fingerprint != bundle.dataset.fingerprint
    train = leave_last_out(bundle.dataset).train
    assert bundle.model.trained_on.fingerprint == train.fingerprint
    assert list(folder.parent.iterdir()) == [folder]
    again = Outcome("publish", config, *options)
    assert again.status == 2
    assert "is there already; a version never changes" in again.errors
    wrong = Outcome("publish", config, *options[:-1], "a/b")
    assert wrong.status == 2
    assert "version 'a/b': takes letters" in wrong.errors
