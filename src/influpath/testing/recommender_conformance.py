"""What must hold for every recommender."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

from influpath.data.dataset import Dataset
from influpath.data.sequences import Sequences
from influpath.errors import InfluPathError, ModelFileError, NotFittedError, UnknownIdError
from influpath.recommenders import base
from influpath.recommenders.base import Recommender
from influpath.recommenders.model_files import ABOUT, WEIGHTS
from influpath.testing.tiny import tiny_dataset

TOLERANCE = 1e-5
HALF_TOLERANCE = 0.05


class RecommenderConformance:
    """Subclass it as ``Test...`` and set the class and small settings of a recommender.

    Attributes:
        recommender: The class to test.
        settings: Keywords that make it train within a second or two.
        fitted: The fitted models of all subclasses.
    """

    recommender: ClassVar[type[Recommender]]
    settings: ClassVar[dict[str, Any]] = {}
    fitted: ClassVar[dict[type, Recommender]] = {}

    @pytest.fixture
    def dataset(self) -> Dataset:
        """The dataset to train on."""
        return tiny_dataset()

    @pytest.fixture
    def model(self, dataset: Dataset) -> Recommender:
        """A fitted model, trained once for all tests of a subclass."""
        if type(self) not in self.fitted:
            self.fitted[type(self)] = self.recommender(**self.settings).fit(dataset)
        return self.fitted[type(self)]

    @pytest.fixture
    def histories(self, dataset: Dataset) -> Sequences:
        """Histories of all lengths: the dataset's, an empty one, one item, and a long one."""
        rows = [dataset.sequences.row(r) for r in range(12)]
        long = np.arange(70) % (len(dataset.items) - 4) + 1
        return Sequences.from_rows([*rows, [], [3], long])

    @pytest.fixture
    def users(self, histories: Sequences) -> np.ndarray[Any, Any]:
        """Users of the histories: known ones, then unknown ones."""
        users = np.arange(len(histories))
        users[9:] = -1
        return users

    def test_log_probs_are_log_probabilities(
        self, model: Recommender, histories: Sequences, users: Any
    ) -> None:
        """Rows of log P sum to one over the whole catalogue; nothing is masked."""
        for known in (None, users):
            log_probs_RI = model.log_probs(histories, known)
            assert log_probs_RI.shape == (len(histories), model.item_count)
            assert log_probs_RI.dtype == torch.float32
            assert torch.isfinite(log_probs_RI).all()
            assert_close(log_probs_RI.exp().sum(1), torch.ones(len(histories)))

    def test_history_matters(self, model: Recommender, histories: Sequences) -> None:
        """Predictions are not the same for everyone (override it for a popularity model)."""
        log_probs_RI = model.log_probs(histories)
        assert (log_probs_RI - log_probs_RI[:1]).abs().max() > 1e-3

    def test_batch_of_one_equals_batch_of_many(
        self, model: Recommender, histories: Sequences, users: Any
    ) -> None:
        """A row's predictions do not depend on its neighbours."""
        together = model.log_probs(histories, users)
        for row in range(len(histories)):
            one = np.array([row])
            assert_close(model.log_probs(histories.take(one), users[one])[0], together[row])

    def test_order_of_rows_does_not_matter(
        self, model: Recommender, histories: Sequences, users: Any
    ) -> None:
        """Shuffled rows give shuffled predictions."""
        order = np.random.default_rng(3).permutation(len(histories))
        shuffled = model.log_probs(histories.take(order), users[order])
        assert_close(shuffled, model.log_probs(histories, users)[torch.from_numpy(order)])

    def test_no_histories(self, model: Recommender) -> None:
        """No rows in, no rows out, with the same columns."""
        none = Sequences.from_rows([])
        assert model.log_probs(none).shape == (0, model.item_count)
        assert model.recommend([]).columns == model.recommend([[]]).columns
        assert model.recommend([]).height == 0

    def test_results_are_plain_tensors(self, model: Recommender, histories: Sequences) -> None:
        """Predictions carry no gradient, can be changed in place and belong to the caller."""
        first = model.log_probs(histories)
        kept = first.clone()
        assert not first.requires_grad
        first[:, 0] = -torch.inf
        assert torch.equal(model.log_probs(histories), kept)

    def test_recommend_frame(self, model: Recommender, histories: Sequences) -> None:
        """Lists hold user_id, item_id, score and rank, best first, and the scores are log P."""
        rows = [model.items.decode(histories.row(r)) for r in range(len(histories))]
        frame = model.recommend(rows, k=4)
        assert frame.columns == ["user_id", "item_id", "score", "rank"]
        assert frame["user_id"].unique(maintain_order=True).to_list() == list(range(len(rows)))
        log_probs_RI = model.log_probs(histories)
        for (row,), part in frame.group_by("user_id", maintain_order=True):
            columns = model.items.encode(part["item_id"]) - 1
            assert part["rank"].to_list() == list(range(1, part.height + 1))
            scores = part["score"].to_list()
            assert scores == sorted(scores, reverse=True)
            assert_close(torch.tensor(scores), log_probs_RI[int(str(row)), columns])

    def test_filter_seen(self, model: Recommender, histories: Sequences) -> None:
        """Seen items never show; without the filter the whole catalogue does."""
        catalogue = set(model.items.ids)
        rows = [model.items.decode(histories.row(r)) for r in range(len(histories))]
        unseen = model.recommend(rows, k=model.item_count)
        everything = model.recommend(rows, k=model.item_count, filter_seen=False)
        for number, row in enumerate(rows):
            shown = unseen.filter(unseen["user_id"] == number)["item_id"].to_list()
            assert len(shown) == len(set(shown))
            assert set(shown) == catalogue - set(row)
            shown = everything.filter(everything["user_id"] == number)["item_id"].to_list()
            assert set(shown) == catalogue

    def test_unknown_item_is_named(self, model: Recommender) -> None:
        """An item that is not in the catalogue is an error that names it."""
        with pytest.raises(UnknownIdError, match="no such film"):
            model.recommend([[model.items.ids[0]], ["no such film"]])

    def test_unknown_users_are_served(self, model: Recommender) -> None:
        """Users the model was not trained on get lists too, beside those it was."""
        known = model.users.ids[0]
        frame = model.recommend([[model.items.ids[2]]] * 2 + [[]], users=[known, "new", "newer"])
        assert frame["user_id"].unique(maintain_order=True).to_list() == [known, "new", "newer"]
        with pytest.raises(InfluPathError, match="2 users were given for 1 histories"):
            model.recommend([[]], users=[known, "new"])

    def test_lists_do_not_depend_on_chunks(
        self, model: Recommender, histories: Sequences, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The bound on memory cuts the work, not the result."""
        whole = model.recommend(histories, k=5)
        monkeypatch.setattr(base, "CHUNK_ROWS", 2)
        monkeypatch.setattr(base, "CHUNK_BYTES", 0)
        parts = model.recommend(histories, k=5)
        assert parts.drop("score").equals(whole.drop("score"))

    @pytest.mark.parametrize("rows_at_once", [1, 7, 10_000])
    def test_read_paths_equals_log_probs_of_prefixes(
        self,
        model: Recommender,
        histories: Sequences,
        users: Any,
        monkeypatch: pytest.MonkeyPatch,
        rows_at_once: int,
    ) -> None:
        """Every row with every step once, the same as asking step by step."""
        monkeypatch.setattr(base, "CHUNK_ROWS", rows_at_once)
        monkeypatch.setattr(base, "CHUNK_BYTES", 0)
        rng = np.random.default_rng(5)
        paths = Sequences.from_rows(
            [
                rng.integers(1, model.item_count + 1, size=rng.integers(0, 9))
                for _ in range(len(histories) - 2)
            ]
            # A path that grows from little, and one that starts beyond any window.
            + [np.arange(40) % model.item_count + 1] * 2
        )
        asked = {(r, s) for r in range(len(paths)) for s in range(paths.lengths[r] + 1)}
        found: set[tuple[int, int]] = set()
        for rows, steps, log_probs_CI in model.read_paths(histories, paths, users):
            assert not torch.is_inference_mode_enabled()
            assert torch.is_grad_enabled()
            prefixes = Sequences.from_rows(
                [
                    np.concatenate([histories.row(r), paths.row(r)[:s]])
                    for r, s in zip(rows, steps, strict=True)
                ]
            )
            assert_close(log_probs_CI, model.log_probs(prefixes, users[rows]))
            some = set(zip(rows.tolist(), steps.tolist(), strict=True))
            assert len(some) == len(rows)
            assert not some & found
            found |= some
        assert found == asked

    def test_log_prob_after_equals_log_probs_of_the_longer_history(
        self,
        model: Recommender,
        histories: Sequences,
        users: Any,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Looking ahead through each candidate is the same as showing it and asking."""
        rng = np.random.default_rng(6)
        candidates = rng.integers(1, model.item_count + 1, size=(len(histories), 3))
        targets = rng.integers(1, model.item_count + 1, size=len(histories))
        for rows_at_once in (2, 10_000):
            monkeypatch.setattr(base, "CHUNK_ROWS", rows_at_once)
            monkeypatch.setattr(base, "CHUNK_BYTES", 0)
            found = model.log_prob_after(histories, candidates, targets, users)
            for column in range(candidates.shape[1]):
                longer = histories.extend(Sequences.from_rows(candidates[:, column, None]))
                log_probs_RI = model.log_probs(longer, users)
                expected = log_probs_RI[torch.arange(len(targets)), torch.from_numpy(targets - 1)]
                assert_close(found[:, column], expected)

    def test_item_vectors(self, model: Recommender) -> None:
        """Item vectors, where a model has any, are one per item."""
        vectors = model.item_vectors()
        if vectors is not None:
            assert vectors.shape[0] == model.item_count
            assert not vectors.requires_grad

    def test_not_fitted(self, dataset: Dataset, tmp_path: Path) -> None:
        """Everything that needs training says so in one sentence."""
        model = self.recommender(**self.settings)
        ones = np.ones((len(dataset.users), 2), dtype=np.int64)
        attempts: list[Callable[[], Any]] = [
            lambda: model.log_probs(dataset.sequences),
            lambda: model.recommend([["film 7"]]),
            lambda: list(model.read_paths(dataset.sequences, dataset.sequences)),
            lambda: model.log_prob_after(dataset.sequences, ones, ones[:, 0]),
            lambda: model.save(tmp_path / "model"),
            lambda: model.items,
            lambda: model.users,
            lambda: model.trained_on,
        ]
        for attempt in attempts:
            with pytest.raises(NotFittedError, match="not trained yet"):
                attempt()
        assert not (tmp_path / "model").exists()

    def test_training_is_reproducible(
        self, model: Recommender, dataset: Dataset, histories: Sequences
    ) -> None:
        """The same settings and data give the same model, and other randomness is left alone."""
        torch.manual_seed(7)
        np.random.seed(7)  # noqa: NPY002 - the global generator is what must not matter
        before = torch.random.get_rng_state()
        again = type(model)(model.config).fit(dataset)
        assert torch.equal(torch.random.get_rng_state(), before)
        assert torch.equal(again.log_probs(histories), model.log_probs(histories))

    def test_config_round_trip(self, model: Recommender, tmp_path: Path) -> None:
        """The configuration survives TOML."""
        (tmp_path / "model.toml").write_text(model.config.to_toml())
        assert self.recommender.config_class.from_toml(tmp_path / "model.toml") == model.config

    def test_save_and_load(
        self, model: Recommender, histories: Sequences, users: Any, tmp_path: Path
    ) -> None:
        """A loaded model is the saved one, to the bit; half precision is close."""
        model.save(tmp_path / "full")
        model.save(tmp_path / "half", half=True)
        full, half = (self.recommender.load(tmp_path / name) for name in ("full", "half"))
        expected = model.log_probs(histories, users)
        assert torch.equal(full.log_probs(histories, users), expected)
        assert torch.allclose(half.log_probs(histories, users), expected, atol=HALF_TOLERANCE)
        for loaded in (full, half):
            assert loaded.config == model.config
            assert loaded.items == model.items
            assert loaded.users == model.users
            assert loaded.trained_on == model.trained_on
            assert loaded.history == model.history
        assert weights_size(tmp_path / "half") < 0.8 * weights_size(tmp_path / "full")
        # Saving again replaces the folder as a whole.
        full.save(tmp_path / "half")
        again = self.recommender.load(tmp_path / "half")
        assert torch.equal(again.log_probs(histories, users), expected)

    @pytest.mark.parametrize("damage", ["missing", "about", "flipped", "truncated", "no weights"])
    def test_damaged_folders_are_refused(
        self, model: Recommender, tmp_path: Path, damage: str
    ) -> None:
        """A folder that is not whole is refused by name, never half read."""
        folder = tmp_path / "model"
        if damage != "missing":
            model.save(folder)
        weights = folder / WEIGHTS
        if damage == "about":
            text = (folder / ABOUT).read_text()
            (folder / ABOUT).write_text(text[: len(text) // 2])
        elif damage == "flipped":
            content = bytearray(weights.read_bytes())
            content[-1] ^= 1
            weights.write_bytes(content)
        elif damage == "truncated":
            weights.write_bytes(weights.read_bytes()[:-100])
        elif damage == "no weights":
            weights.unlink()
        self.refuses(folder)

    def test_other_folders_are_refused(self, model: Recommender, tmp_path: Path) -> None:
        """Another kind, format, configuration or catalogue than the weights' is refused."""
        model.save(tmp_path)
        about = json.loads((tmp_path / ABOUT).read_text())
        changes: list[dict[str, Any]] = [
            {"kind": "something else"},
            {"format": "influpath-model-0"},
            {"config": about["config"] | {"no_such_setting": 1}},
            {"items": [*about["items"], "one more"]},
            {"items": about["items"][:1] * 2},
            {"trained_on": {}},
        ]
        for change in changes:
            (tmp_path / ABOUT).write_text(json.dumps(about | change))
            self.refuses(tmp_path)
        for key in ("config", "items", "users", "history"):
            (tmp_path / ABOUT).write_text(json.dumps({k: about[k] for k in about if k != key}))
            self.refuses(tmp_path)

    def refuses(self, folder: Path) -> None:
        """Loading raises ModelFileError with one line that names the folder."""
        with pytest.raises(ModelFileError) as caught:
            self.recommender.load(folder)
        message = str(caught.value)
        assert str(folder) in message
        assert "\n" not in message
        assert message.endswith(".")


def assert_close(found: Tensor, expected: Tensor) -> None:
    """Equal up to the rounding that other batch shapes bring."""
    torch.testing.assert_close(found, expected, atol=TOLERANCE, rtol=0)


def weights_size(folder: Path) -> int:
    """Size of a model's weights in bytes."""
    return (folder / WEIGHTS).stat().st_size
