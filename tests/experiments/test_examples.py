import json
import math
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import polars as pl
import pytest

from influpath.data.dataset import Dataset
from influpath.data.ids import IdMap
from influpath.data.sequences import Sequences
from influpath.errors import ResultError
from influpath.evaluation.judging import Judgement
from influpath.experiments.examples import (
    Example,
    choose_by_kind,
    choose_rows,
    dump_examples,
    example_of,
    example_paths,
    odds,
    print_example,
)
from influpath.experiments.run import Run

ITEMS = 30


def make_judgement(gains: list[float], ranks: list[int]) -> Judgement:
    """Paths of two items; the objective (item 30) is the second where its rank is over 0."""
    pairs = len(gains)
    paths = Sequences.from_rows([[10, 30 if rank else 11] for rank in ranks])
    objective = [
        [-6.0, -6.0 + (gain if rank else gain / 2), -6.0 + gain]
        for gain, rank in zip(gains, ranks, strict=True)
    ]
    return Judgement(
        judge="fake",
        pair_ids=np.arange(pairs) + 100,
        user_rows=np.arange(pairs),
        paths=paths,
        reached=np.array(ranks) > 0,
        repeated=np.zeros(2 * pairs, dtype=bool),
        item_log_probs=np.full(2 * pairs, -3.0),
        item_ranks=np.array([[5, rank or 9] for rank in ranks]).ravel(),
        objective_log_probs=np.array(objective).ravel(),
        objective_ranks=np.ones(3 * pairs, dtype=np.int64),
        item_count=ITEMS,
    )


@dataclass
class FakeRun:
    judgements: dict[str, Judgement]
    genres: list[str] | None = field(default_factory=lambda: ["Crime", "[bold]Musical[/bold]"])

    @property
    def config(self) -> Any:
        return SimpleNamespace(seed=3)

    @property
    def split(self) -> Any:
        users = max((len(judgement) for judgement in self.judgements.values()), default=0)
        items = [f"i{number}" for number in range(1, ITEMS + 1)]
        titles = [
            f"Title {number} [red]" if number != 11 else None for number in range(1, ITEMS + 1)
        ]
        return SimpleNamespace(
            train=Dataset(
                name="toy",
                preset="custom",
                sequences=Sequences.from_rows([[1, 2, 1, 3, 4, 5, 6]] * users),
                users=IdMap([f"u{row}" for row in range(users)], 0, "user"),
                items=IdMap(items, 1, "item"),
                catalogue=pl.DataFrame(
                    {"item_id": items, "title": titles, "genres": [self.genres] * ITEMS}
                ),
            )
        )

    @property
    def report_pairs(self) -> pl.DataFrame:
        users = len(next(iter(self.judgements.values())))
        return pl.DataFrame({"pair_id": np.arange(users) + 100, "objective_id": ["i30"] * users})


def run_of(**judgements: Judgement) -> Run:
    return cast(Run, FakeRun(judgements))


def test_the_best_come_first_accepted_ones_before_all_others() -> None:
    gains = [5.0, 1.0, 2.0, 0.0, -1.0, 0.4, 0.5, 0.6, 3.0, -2.0, 0.3, 0.2]
    ranks = [0, 20, 3, 21, 0, 0, 0, 0, 0, 0, 0, 0]
    chosen = choose_rows(make_judgement(gains, ranks), 10, seed=3)
    assert [kind for kind, _ in chosen] == ["best"] * 4 + ["median"] * 3 + ["random"] * 3
    rows = [row for _, row in chosen]
    assert rows[:4] == [2, 1, 0, 8]
    # The median gain is 0.45; 0.3 and 0.6 are as near to it.
    assert set(rows[4:6]) == {5, 6}
    assert rows[6] in (7, 10)
    assert len(set(rows)) == 10
    assert chosen == choose_rows(make_judgement(gains, ranks), 10, seed=3)


def test_so_many_of_each_kind_as_wanted() -> None:
    gains = [5.0, 1.0, 2.0, 0.0, -1.0]
    judgement = make_judgement(gains, [0, 0, 0, 0, 0])
    chosen = choose_by_kind(judgement, {"best": 1, "median": 1, "random": 1}, seed=3)
    assert chosen[:2] == [("best", 0), ("median", 1)]
    kind, drawn = chosen[2]
    assert kind == "random"
    assert drawn in (2, 3, 4)
    assert choose_by_kind(judgement, {"median": 2}, seed=3) == [("median", 1), ("median", 2)]


def test_fewer_pairs_give_fewer_examples_and_none_twice() -> None:
    chosen = choose_rows(make_judgement([1.0, 2.0], [0, 1]), 10, seed=0)
    assert chosen == [("best", 1), ("best", 0)]
    assert choose_rows(make_judgement([], []), 10, seed=0) == []


def test_an_example_says_what_the_judge_said() -> None:
    (example,) = example_paths(run_of(irn=make_judgement([2.0], [3])), count=1)
    assert (example.user_id, example.planner, example.judge) == ("u0", "irn", "fake")
    assert [item.title for item in example.history] == [
        f"Title {number} [red]" for number in (1, 3, 4, 5, 6)
    ]
    assert example.history_length == 7
    first, second = example.steps
    # 30 items without the 6 distinct ones of the history, then without the item shown.
    assert (first.rank, first.candidates, second.rank, second.candidates) == (5, 24, 3, 23)
    assert (first.objective_log_prob, second.objective_log_prob) == (-6.0, -4.0)
    assert not first.is_objective
    assert second.is_objective
    assert example.gain == pytest.approx(2.0)
    assert example.accepted
    assert example.outcome == "objective shown and accepted"


def test_an_example_shows_as_much_of_the_history_as_is_wanted() -> None:
    run = run_of(irn=make_judgement([2.0], [3]))
    example = example_of(
        run.judgements["irn"], 0, "best", "irn", "i30", run.split.train, history_shown=2
    )
    assert [item.title for item in example.history] == ["Title 5 [red]", "Title 6 [red]"]
    assert example.history_length == 7


def test_a_failed_path_ends_after_its_last_item() -> None:
    (example,) = example_paths(run_of(irn=make_judgement([2.0], [0])), count=1)
    assert (example.reached, example.accepted) == (False, False)
    assert example.end_log_prob == -4.0
    assert example.steps[1].objective_log_prob == -5.0
    assert example.steps[1].item.title == "i11"  # an item without a title
    assert "not shown" in print_example(example)


def test_it_prints_titles_as_they_are() -> None:
    (example,) = example_paths(run_of(irn=make_judgement([2.0], [3])), count=1)
    text = print_example(example, width=160)
    for part in ("Title 6 [red]", "Title 10 [red]", "Title 30 [red]", "[bold]Musical[/bold]"):
        assert part in text
    for part in ("rank 5 of 24", "rank 3 of 23", "1 in 400", "1 in 55", "+2.00 nats"):
        assert part in text


def test_examples_survive_json() -> None:
    examples = example_paths(run_of(irn=make_judgement([2.0, 1.0], [3, 0])))
    entries = json.loads(json.dumps(dump_examples(examples)))
    assert [Example.parse(entry, "file") for entry in entries] == examples


def test_the_planner_may_be_another_but_must_be_there() -> None:
    run = run_of(mine=make_judgement([2.0], [3]))
    assert example_paths(run)[0].planner == "mine"
    with pytest.raises(ResultError, match="no planner 'oracle' in this run; it has mine"):
        example_paths(run, planner="oracle")
    assert example_paths(run_of()) == []


@pytest.mark.parametrize(
    ("probability", "said"),
    [
        (1.0, "1 in 1"),
        (0.5, "1 in 2"),
        (0.4, "1 in 2.5"),
        (1 / 12.4, "1 in 12"),
        (1 / 812, "1 in 810"),
        (1 / 24_900, "1 in 25,000"),
        (1e-20, "next to never"),
    ],
)
def test_odds(probability: float, said: str) -> None:
    assert odds(math.log(probability)) == said


def test_odds_of_nothing() -> None:
    assert odds(None) == odds(math.nan) == "–"
    assert odds(0.1) == "1 in 1"
