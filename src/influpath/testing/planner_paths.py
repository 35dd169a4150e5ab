"""What must hold for the paths of every planner."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from influpath.data.dataset import Dataset
from influpath.errors import ConfigError, DataError, UnknownIdError
from influpath.planning import algorithm
from influpath.planning.algorithm import plan
from influpath.planning.base import Planner
from influpath.planning.paths import Paths
from influpath.testing.planner_case import PlannerCase, assert_same_paths, renumbered


class PathConformance(PlannerCase):
    """Paths of ``plan``: what they are, what may not matter, and what is refused."""

    def test_paths_are_paths(self, planner: Planner, pairs: pl.DataFrame, dataset: Dataset) -> None:
        """At most M items, none seen, none twice, and the objective ends the path."""
        paths = self.plan(planner, pairs, dataset)
        assert paths.outcomes["pair_id"].to_list() == pairs["pair_id"].to_list()
        shown_in_order = paths.steps["pair_id"].unique(maintain_order=True).to_list()
        assert shown_in_order == [p for p in pairs["pair_id"] if p in set(shown_in_order)]
        outcomes = {row[0]: row[1:] for row in paths.outcomes.iter_rows()}
        for pair, user, objective in pairs.iter_rows():
            path = paths.items_of(pair)
            steps = paths.steps.filter(pl.col("pair_id") == pair)["step"].to_list()
            row = dataset.sequences.row(int(dataset.rows_of([user])[0]))
            history = dataset.items.decode(row)
            assert steps == list(range(1, len(path) + 1))
            assert len(path) <= self.max_length
            assert len(set(path)) == len(path)
            assert not set(path) & set(history)
            assert objective not in path[:-1]
            assert outcomes[pair] == (path[-1:] == [objective], len(path))
        # A planner that shows nothing would pass all of the above.
        assert paths.steps.height >= pairs.height

    @pytest.mark.parametrize("batch_size", [1, 5])
    def test_batch_size_does_not_matter(
        self, planner: Planner, pairs: pl.DataFrame, dataset: Dataset, batch_size: int
    ) -> None:
        """Batches bound memory and change nothing."""
        whole = self.plan(planner, pairs, dataset)
        parts = self.plan(planner, pairs, dataset, batch_size=batch_size)
        assert_same_paths(parts, whole)

    def test_threads_do_not_matter(
        self,
        planner: Planner,
        pairs: pl.DataFrame,
        dataset: Dataset,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Batches that are planned at a time do not meet."""
        whole = self.plan(planner, pairs, dataset)
        before = torch.get_num_threads()
        monkeypatch.setattr(algorithm, "ROWS_PER_THREAD", 3)
        torch.set_num_threads(4)
        try:
            parts = self.plan(planner, pairs, dataset)
        finally:
            torch.set_num_threads(before)
        assert_same_paths(parts, whole)

    def test_order_of_pairs_does_not_matter(
        self, planner: Planner, pairs: pl.DataFrame, dataset: Dataset
    ) -> None:
        """Shuffled pairs get the same paths, in their own order."""
        shuffled = pairs.sample(fraction=1.0, shuffle=True, seed=4)
        whole, other = (self.plan(planner, p, dataset) for p in (pairs, shuffled))
        assert other.outcomes["pair_id"].to_list() == shuffled["pair_id"].to_list()
        assert_same_paths(other.of_pairs(pairs), whole)

    def test_histories_may_be_a_mapping_and_users_unknown(
        self, planner: Planner, dataset: Dataset
    ) -> None:
        """Users nobody has seen are planned for, those with an empty history too."""
        items = dataset.items.ids
        histories = {"new": items[:3], "newer": [], dataset.users.ids[0]: items[4:5]}
        pairs = pl.DataFrame(
            {
                "pair_id": [3, 1, 2],
                "user_id": list(histories),
                "objective_id": [items[9], items[8], items[7]],
            }
        )
        paths = self.plan(planner, pairs, histories)
        assert (paths.outcomes["length"] > 0).all()

    def test_datasets_of_another_order(
        self, planner: Planner, pairs: pl.DataFrame, dataset: Dataset
    ) -> None:
        """What counts are the outside ids, not how a dataset numbers them."""
        expected = self.plan(planner, pairs, dataset)
        assert_same_paths(self.plan(planner, pairs, renumbered(dataset)), expected)

    def test_refused_pairs(self, planner: Planner, pairs: pl.DataFrame, dataset: Dataset) -> None:
        """Pairs that make no sense are refused by name."""
        seen = dataset.items.decode(dataset.sequences.row(0)[:1])[0]

        def refused(error: type[Exception], match: str, *changes: pl.Expr, **options: Any) -> None:
            with pytest.raises(error, match=match):
                plan(planner, pairs.with_columns(*changes), dataset, **options)

        refused(DataError, f"objective '{seen}'.* already", pl.lit(seen).alias("objective_id"))
        refused(UnknownIdError, "nobody", pl.lit("nobody").alias("user_id"))
        refused(UnknownIdError, "no film", pl.lit("no film").alias("objective_id"))
        refused(DataError, "more than once", pl.lit(1).alias("pair_id"))
        refused(DataError, "whole numbers", pl.col("pair_id").cast(pl.String))
        refused(ConfigError, "max_length is 0", max_length=0)
        for column in ("pair_id", "user_id", "objective_id"):
            with pytest.raises(DataError, match=f"{column!r} is missing"):
                plan(planner, pairs.drop(column), dataset)
        with pytest.raises(UnknownIdError, match="no history"):
            plan(planner, pairs, {})

    def test_no_pairs(self, planner: Planner, pairs: pl.DataFrame, dataset: Dataset) -> None:
        """Nothing in, nothing out, with the same columns."""
        paths, none = (self.plan(planner, p, dataset) for p in (pairs, pairs.clear()))
        assert (none.steps.height, none.outcomes.height) == (0, 0)
        assert none.steps.columns == paths.steps.columns
        assert none.outcomes.columns == paths.outcomes.columns

    def test_paths_survive_a_file(
        self, planner: Planner, pairs: pl.DataFrame, dataset: Dataset, tmp_path: Path
    ) -> None:
        """Written and read back, paths are the same."""
        paths = self.plan(planner, pairs, dataset)
        paths.write(tmp_path / "paths.parquet")
        assert_same_paths(Paths.read(tmp_path / "paths.parquet", pairs), paths, tolerance=1e-3)

    def test_config_round_trip(self, planner: Planner, tmp_path: Path) -> None:
        """The dials survive TOML."""
        path = tmp_path / "dials.toml"
        path.write_text(planner.config.to_toml())
        assert type(planner.config).from_toml(path) == planner.config

    def test_made_again(
        self, planner: Planner, pairs: pl.DataFrame, dataset: Dataset, tmp_path: Path
    ) -> None:
        """A planner on the saved and loaded model gives identical paths and scores."""
        again = self.make_again(planner, tmp_path / "model")
        assert again.label == planner.label
        paths, expected = (self.plan(p, pairs, dataset) for p in (again, planner))
        assert paths.steps.equals(expected.steps)
        assert paths.outcomes.equals(expected.outcomes)
