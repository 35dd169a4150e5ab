"""A tiny run file, and a way to call commands."""

from typing import Any

from typer.testing import CliRunner

from influpath.cli.main import app

WORLD: dict[str, Any] = {"users": 80, "items": 50, "shortest": 10, "longest": 16}
CONFIG = """
name = "tiny"
seed = 7
workers = 1
max_length = 4
planners = [
    "irn", "vanilla/sasrec", "rec2inf/sasrec", "direct", "mst", "lookahead/sasrec", "oracle"
]
subset_planners = ["lookahead/sasrec", "oracle"]
spread_seeds = { mst = [0, 1, 2] }

[data]
source = "simulated"
options = { users = 80, items = 50, shortest = 10, longest = 16 }

[pairs]
subset = 20

[evaluators.sasrec]
seed = 11
embedding_size = 8
training = { epochs = 1 }

[evaluators.bert4rec]
seed = 12
embedding_size = 8
training = { epochs = 1 }

[models.irn]
seed = 13
embedding_size = 8
layers = 1
heads = 2
l_max = 12
l_min = 3
horizon = 4
item2vec = false
training = { epochs = 1 }

[models.sasrec]
seed = 14
embedding_size = 8
training = { epochs = 1 }

[dials]
guidance = [2.0]
pace = [1]
floor = [20]

[sweep]
guidance = [1.0]
rec2inf_k = [5]
oracle_k = [5]
"""
# What a user must never see.
TRACEBACK = "Traceback (most recent call last)"


class Outcome:
    """What a command did: exit status, standard output and standard error."""

    def __init__(self, *arguments: object) -> None:
        result = CliRunner().invoke(app, [str(part) for part in arguments])
        self.status, self.output, self.errors = result.exit_code, result.stdout, result.stderr
        assert TRACEBACK not in self.output + self.errors
        assert result.exception is None or isinstance(result.exception, SystemExit)
