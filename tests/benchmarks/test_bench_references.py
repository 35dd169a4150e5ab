"""Reference libraries as processes that answer questions."""

import shutil
import sys
from pathlib import Path

import pytest

from influpath.benchmarks.references import ReferenceError, missing, references
from influpath.data.dataset import Dataset

PROTOCOL = Path(__file__).parents[2] / "benchmarks" / "protocol.py"
LIBRARY = """
import sys
from pathlib import Path
from protocol import Clock, read_log, serve

users, items = read_log(Path(sys.argv[1]))
print("what a library likes to say")


def train(question):
    clock = Clock(warm_up=1)
    for _ in range(question["batches"] + 1):
        clock.count(len(users))
    return {**clock.answer(), "seconds": 2.0}


def epoch(question):
    if question["model"] != "sasrec":
        raise ValueError("no such model")
    return {"seconds": 1.0, "top": {int(user): [int(items[0])] for user in set(users.tolist())}}


serve(["numpy"], {"train": train, "epoch": epoch})
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A benchmarks/ with one library of our own making."""
    python = tmp_path / "envs" / "rectools" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    shutil.copy(PROTOCOL, tmp_path)
    (tmp_path / "rectools_server.py").write_text(LIBRARY)
    # A link to the interpreter is no environment of its own without this.
    (python.parents[1] / "pyvenv.cfg").write_text(
        f"home = {Path(sys.executable).resolve().parent}\ninclude-system-site-packages = true\n"
    )
    (python.parents[1] / "lib").symlink_to(Path(sys.prefix) / "lib")
    return tmp_path


def test_a_library_is_asked(folder: Path, tiny: Dataset, tmp_path: Path) -> None:
    assert list(missing(folder)) == ["recbole"]
    with references(folder, tiny, tmp_path / "work") as libraries:
        assert list(libraries) == ["rectools"]
        library = libraries["rectools"]
        assert "numpy" in library.versions
        values = len(tiny.sequences.values)
        assert library.rate("sasrec", 3, {}, 0) == 3 * values / 2
        top = library.ask(do="epoch", model="sasrec")["top"]
        assert top["0"] == [int(tiny.sequences.values[0])]
        with pytest.raises(ReferenceError, match="no such model"):
            library.ask(do="epoch", model="other")
        # An error ends nothing.
        assert library.ask(do="epoch", model="sasrec")["seconds"] == 1.0
        process = library.process
    assert process.returncode == 0
    assert "likes to say" in library.log.read_text()


def test_a_library_that_breaks_is_left_out(folder: Path, tiny: Dataset, tmp_path: Path) -> None:
    (folder / "rectools_server.py").write_text("raise SystemExit('broken')")
    with references(folder, tiny, tmp_path / "work") as libraries:
        assert libraries == {}


def test_without_environments_there_are_no_libraries(tmp_path: Path, tiny: Dataset) -> None:
    assert list(missing(tmp_path)) == ["rectools", "recbole"]
    with references(tmp_path, tiny, tmp_path / "work") as libraries:
        assert libraries == {}
