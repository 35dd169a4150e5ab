"""Table VII: single paths with titles, and the genres along all of them."""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import pytest
from markdown_it import MarkdownIt

from influpath.data.dataset import Dataset
from influpath.data.sequences import Sequences
from influpath.evaluation.judging import Judgement
from influpath.experiments.reproduction.case_words import about_paper, beside, jumps, paper_path
from influpath.experiments.reproduction.genres import (
    GenreOverlap,
    overlap_at_ends,
    overlap_by_moment,
    overlap_of_genres,
)
from influpath.experiments.reproduction.recipes.table_7 import PLANNERS, Table7
from influpath.experiments.reproduction.stages import Stages
from influpath.testing import tiny_dataset

HOSTILE = "M|A|R*R*S & <b>_x_</b>\n[y](z) $1"


def with_genres(genres: list[list[str] | None]) -> Dataset:
    """A dataset whose first items have these genres, and the others none."""
    dataset = tiny_dataset()
    given = genres + [[]] * (len(dataset.items) - len(genres))
    catalogue = dataset.catalogue.with_columns(pl.Series("genres", given, dtype=pl.List(pl.String)))
    return Dataset(
        dataset.name, dataset.preset, dataset.sequences, dataset.users, dataset.items, catalogue
    )


def judgement_of(paths: list[list[int]], objectives: list[int]) -> Judgement:
    rows = Sequences.from_rows(paths)
    count = len(rows.values)
    return Judgement(
        judge="fake",
        pair_ids=np.arange(len(paths)),
        user_rows=np.arange(len(paths)),
        paths=rows,
        reached=np.array([o in path for path, o in zip(paths, objectives, strict=True)]),
        repeated=np.zeros(count, dtype=bool),
        item_log_probs=np.zeros(count),
        item_ranks=np.ones(count, dtype=np.int64),
        objective_log_probs=np.zeros(count + len(paths)),
        objective_ranks=np.ones(count + len(paths), dtype=np.int64),
        item_count=9,
    )


def test_the_overlap_is_that_of_sets() -> None:
    rng = np.random.default_rng(0)
    genres = [[g for g in "abcde" if rng.random() < 0.4] for _ in range(12)]
    overlap = GenreOverlap.of(with_genres([*genres]))
    assert overlap is not None
    a, b = rng.integers(1, 13, 60), rng.integers(1, 13, 60)
    expected = [
        math.nan if (value := overlap_of_genres(genres[x - 1], genres[y - 1])) is None else value
        for x, y in zip(a, b, strict=True)
    ]
    assert any(math.isnan(value) for value in expected)
    np.testing.assert_allclose(overlap.between(a, b), expected)
    # No item at all, such as the last of an empty history.
    assert np.isnan(overlap.between(np.array([0]), np.array([1]))).all()


def test_the_yardstick_is_the_mean_over_all_other_items() -> None:
    genres: list[list[str] | None] = [["a"], ["a", "b"], ["c"], [], ["a"]]
    overlap = GenreOverlap.of(with_genres(genres))
    assert overlap is not None
    found = overlap.with_catalogue(np.array([1, 3, 4, 1]))
    # Item 1 with items 2, 3 and 5; items without genres do not count.
    np.testing.assert_allclose(found, [(0.5 + 0 + 1) / 3, 0.0, np.nan, 0.5])


def test_without_any_genres_there_is_no_overlap() -> None:
    assert GenreOverlap.of(with_genres([[], None])) is None


def test_the_objective_is_no_item_of_its_path() -> None:
    overlap = GenreOverlap.of(with_genres([["a"], ["b"], ["a", "b"], ["a"], []]))
    assert overlap is not None
    paths = [[2, 3, 4], [4], [], [2, 3, 2], [5, 3]]
    judgement = judgement_of(paths, [4] * 5)
    last = np.array([1, 2, 3, 0, 2])
    table = overlap_by_moment(judgement, last, np.full(5, 4), overlap, longest=3)
    nan = math.nan
    expected = [
        [1, 0, 0.5, nan],
        [0, nan, nan, nan],
        [0.5, nan, nan, nan],
        [nan, 0, 0.5, 0],
        [0, nan, 0.5, nan],
    ]
    np.testing.assert_allclose(table, expected)
    ends = overlap_at_ends(judgement, table)
    np.testing.assert_allclose(ends["history"], [1, 0, 0.5, nan, 0])
    np.testing.assert_allclose(ends["first"], [0, nan, nan, 0, nan])
    np.testing.assert_allclose(ends["last"], [0.5, nan, nan, 0, 0.5])
    np.testing.assert_allclose(ends["change"], [-0.5, nan, nan, nan, 0.5])


@pytest.fixture(scope="module")
def document(stages: Stages) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(stages.path(Table7()).read_text())
    return found


def test_three_pairs_under_three_planners(document: Mapping[str, Any]) -> None:
    result = document["result"]
    assert [case["kind"] for case in result["paths"]] == ["best", "median", "random"]
    for case in result["paths"]:
        assert list(case["planners"]) == list(PLANNERS)
        for path in case["planners"].values():
            numbers = [n for n, step in enumerate(path["steps"]) if step["is_objective"]]
            assert numbers == ([len(path["steps"]) - 1] if path["reached"] else [])
            if path["reached"]:
                assert path["steps"][-1]["title"] == case["objective"]["title"]
                # What influence is measured at is the moment before the objective.
                assert path["end_log_prob"] == path["steps"][-1]["objective_log_prob"]
            for step in path["steps"]:
                of = (step["genres"], case["objective"]["genres"])
                assert step["overlap"] == overlap_of_genres(*of)


def test_nothing_of_a_user_is_shown_but_titles(document: Mapping[str, Any]) -> None:
    def keys(value: Any) -> set[str]:
        if isinstance(value, dict):
            return set(value) | set().union(*map(keys, value.values()), set())
        return set().union(*map(keys, value), set()) if isinstance(value, list) else set()

    cases = document["result"]["paths"]
    assert keys([case["planners"] for case in cases]) == {
        *PLANNERS,
        *("outcome", "reached", "start_log_prob", "end_log_prob", "steps"),
        *("title", "genres", "overlap", "rank", "objective_log_prob", "is_objective"),
    }
    for case in cases:
        assert set(case) == {"kind", "history", "objective", "planners"}
        assert len(case["history"]) <= 3
        assert keys(case["history"]) == {"title", "genres", "overlap"}


def test_the_means_are_those_of_the_planned_paths(
    document: Mapping[str, Any], stages: Stages
) -> None:
    """Recomputed with sets from the paths' frames."""
    bench = stages.benches[0]
    train = bench.split.train
    genres = {item: set(train.genres(item)) for item in train.items.ids}
    ends = document["result"]["genres"]["ends"]
    for label in PLANNERS:
        paths = bench.paths(label, bench.report_pairs, bench.dials_of(label), bench.judge)
        before, after = [], []
        for pair, user, objective in bench.report_pairs.select(
            "pair_id", "user_id", "objective_id"
        ).iter_rows():
            history = train.items.decode(train.sequences.row(int(train.rows_of([user])[0])))
            steps = paths.steps.filter(pl.col("pair_id") == pair).sort("step")["item_id"].to_list()
            between = [item for item in steps if item != objective]
            wanted = genres[objective]
            before.append(len(genres[history[-1]] & wanted) / len(genres[history[-1]] | wanted))
            if between:
                last = genres[between[-1]]
                after.append(len(last & wanted) / len(last | wanted))
        assert ends[label]["history"]["mean"] == pytest.approx(np.mean(before))
        assert ends[label]["last"]["n"] == len(after)
        if after:
            assert ends[label]["last"]["mean"] == pytest.approx(np.mean(after))
        else:
            assert ends[label]["last"]["mean"] is None


def test_words_say_every_step(document: Mapping[str, Any]) -> None:
    words = Table7().words(document)
    page = MarkdownIt("commonmark").enable("table").render(words)
    for case in document["result"]["paths"]:
        for item in (*case["history"], *case["planners"]["irn"]["steps"]):
            assert item["title"] in words
    assert page.count("<table>") == 3 * 2 + 1
    assert "| irn | " in words
    # The paper's example is of MovieLens.
    assert "paper" not in words


def changed(document: Mapping[str, Any], **genres: Any) -> dict[str, Any]:
    """The document with other genres."""
    copy: dict[str, Any] = json.loads(json.dumps(document))
    copy["result"]["genres"] |= genres
    return copy


def interval(low: float, high: float) -> dict[str, Any]:
    return {"mean": (low + high) / 2, "ci95": [low, high], "n": 60}


def test_words_claim_a_change_only_if_its_interval_excludes_zero(
    document: Mapping[str, Any],
) -> None:
    undefined = {"mean": None, "ci95": [None, None], "n": 0}
    some = dict.fromkeys(("history", "first", "last"), interval(0.1, 0.2))
    cases = zip(
        PLANNERS,
        (interval(0.01, 0.2), interval(-0.1, 0.1), undefined),
        strict=True,
    )
    words = Table7().words(
        changed(
            document,
            ends={label: {**some, "change": change} for label, change in cases},
            differences={
                "irn - rec2inf/sasrec": interval(-0.3, -0.1),
                "irn - vanilla/sasrec": interval(-0.1, 0.3),
            },
        )
    )
    assert "Under irn the overlap rises along the path (+0.11 [+0.01, +0.20])." in words
    assert "Under rec2inf/sasrec the overlap is not told apart from unchanged" in words
    assert "Under vanilla/sasrec the overlap is undefined." in words
    assert "irn is below rec2inf/sasrec (difference -0.20 [-0.30, -0.10])." in words
    # The tiny configuration lets it re-rank by genres.
    assert "rec2inf/sasrec re-ranks by these very genres" in words
    assert "irn is not told apart from vanilla/sasrec" in words


def test_a_jump_is_said_only_where_intervals_lie_apart() -> None:
    curve = [(0.1, 0.2), (0.14, 0.3), (0.4, 0.5), (0.55, 0.6)]
    steps = [{"step": number, **interval(*ends)} for number, ends in enumerate(curve)]
    assert jumps({"irn": steps}) == (
        "Where it grows most in a single step: irn at step 2 (0.22 to 0.45)."
    )
    assert jumps({"irn": steps[:2]}) == ""


def test_data_without_genres(document: Mapping[str, Any]) -> None:
    without = {**document, "result": {**document["result"], "genres": None}}
    assert "have no genres" in Table7().words(without)
    assert Table7().draw(without) is None


def test_the_figure_has_a_curve_and_a_count_per_planner(document: Mapping[str, Any]) -> None:
    figure = Table7().draw(document)
    assert figure is not None
    overlaps, counts = figure.axes
    steps = document["result"]["genres"]["steps"]
    for label, line, number in zip(PLANNERS, overlaps.lines, counts.lines, strict=False):
        assert np.asarray(line.get_ydata()).tolist() == [at["mean"] for at in steps[label]]
        assert np.asarray(number.get_ydata()).tolist() == [at["n"] for at in steps[label]]
    # And the yardstick.
    assert len(overlaps.lines) == len(counts.lines) + 1
    assert len({(line.get_marker(), line.get_linestyle()) for line in overlaps.lines}) == 4


def test_titles_are_shown_as_they_are() -> None:
    step = {"title": HOSTILE, "rank": 1234, "is_objective": True}
    text = beside({"a": {"steps": [step]}, "b": {"steps": []}})
    page = MarkdownIt("commonmark").enable("table").render(text)
    shown = "<td><strong>M|A|R*R*S &amp; &lt;b&gt;_x_&lt;/b&gt; [y](z) $1</strong></td>"
    assert f"{shown}\n<td>1,234</td>" in page
    assert page.count("<td>") == 5


def test_the_papers_example_stands_beside_ours() -> None:
    paper = paper_path("ml-1m")
    assert paper is not None
    assert (paper["history"], paper["first"], paper["last"]) == (0.0, 0.0, 0.5)
    assert paper["length"] == 11
    less = about_paper(paper, interval(0.1, 0.2), "irn")
    assert "On average irn's grows by less here." in less
    assert "has no rating in ML-1M" in less
    assert "On average" not in about_paper(paper, interval(0.4, 0.6), "irn")
    assert paper_path("lastfm") is None


def test_settings_hold_what_the_paths_depend_on(stages: Stages) -> None:
    settings = Table7().settings(stages.config)
    assert settings["planners"] == list(PLANNERS)
    assert set(settings["models"]) == {"irn", "sasrec"}
    assert settings["dials"]
    jobs = {job.label for job in Table7().jobs(stages.benches[0])}
    assert jobs == {f"evaluator {name}" for name in stages.config.evaluators} | {
        "model irn",
        "model sasrec",
    }
