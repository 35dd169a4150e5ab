"""`influpath data stats` and `influpath doctor`."""

import json
import subprocess
import sys
from pathlib import Path

from .tiny_run import Outcome


def test_json_of_the_simulated_world_stands_alone_on_stdout() -> None:
    outcome = Outcome("data", "stats", "simulated", "--json")
    document = json.loads(outcome.output)
    assert (document["users"], document["items"], document["interactions"]) == (2000, 600, 120660)
    assert outcome.output.startswith('{"users": 2000, "items": 600, "interactions": 120660')


def test_a_file_of_ones_own_with_the_report_of_what_was_dropped(tmp_path: Path) -> None:
    rows = [f"{u},{m},{t}" for u in range(6) for t, m in enumerate(range(10, 16))]
    rows += ["0,10,9", "7,99,1", ",10,1"]
    path = tmp_path / "log.csv"
    path.write_text("who,what,when\n" + "\n".join(rows) + "\n")
    columns = ("--user-column", "who", "--item-column", "what", "--timestamp-column", "when")
    outcome = Outcome("data", "stats", path, *columns, "--json")
    document = json.loads(outcome.output)
    assert (document["users"], document["items"], document["interactions"]) == (6, 6, 36)
    assert document["dropped"] == {
        "rows without a user or item id": 1,
        "repeated user-item pairs dropped": 1,
        "interactions of users or items with fewer than 5": 1,
        "users without interactions left": 1,
        "items without interactions left": 1,
    }
    table = Outcome("data", "stats", path, *columns)
    assert "repeated user-item pairs dropped" in table.output
    in_order = Outcome("data", "stats", path, *columns[:4], "--timestamp-column", "none", "--json")
    assert json.loads(in_order.output)["interactions"] == 36


def test_what_reads_the_output_may_stop_reading() -> None:
    program = "from influpath.cli.main import main; import sys; sys.argv = {!r}; main()"
    arguments = ["influpath", "data", "stats", "simulated", "--data-option", "users=30"]
    with subprocess.Popen(
        [sys.executable, "-c", program.format(arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        errors = process.stderr.read()
    assert "Traceback" not in errors
    assert "BrokenPipe" not in errors


def test_doctor_says_what_a_bug_report_needs(tmp_path: Path) -> None:
    facts = json.loads(Outcome("doctor", "--json", "--data-dir", tmp_path).output)
    assert set(facts) == {"versions", "hardware", "threads", "data", "plugins"}
    assert facts["data"]["folder"] == str(tmp_path)
    assert "irn" in facts["plugins"]["planners"]
    (tmp_path / "ml-1m.zip").touch()
    shown = Outcome("--data-dir", tmp_path, "doctor").output
    assert "ml-1m.zip" in "".join(shown.split())
    assert "torch" in shown
