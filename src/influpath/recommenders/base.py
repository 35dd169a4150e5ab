"""The one interface of every recommender: fit, recommend, log_probs, save, load.

Shape suffixes: R rows (histories), I catalogue items (column c is item number c + 1), K list length
or candidates, C rows of one chunk.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
import torch
from torch import Tensor

from influpath.config import FrozenConfig
from influpath.data.dataset import Dataset
from influpath.data.ids import IdMap
from influpath.data.sequences import IntArray, Sequences, count_up
from influpath.errors import ConfigError, InfluPathError, ModelFileError, NotFittedError
from influpath.recommenders.model_files import ModelFile, TrainedOn, read_model, write_model
from influpath.recommenders.ranking import mask_seen
from influpath.recommenders.reader import Reader
from influpath.training.device import device_name, training_device, training_on

# Predictions held at once while paths are read or lists are made: few, so that what is made of
# them finds them in the processor's cache, but enough rows for one product.
CHUNK_BYTES, CHUNK_ROWS = 4 << 20, 32


class Recommender(ABC):
    """A next-item model: P(i | s) over the whole catalogue.

    A subclass sets ``name`` and ``config_class``, trains in ``_fit`` and predicts in
    ``log_probs``; its tensors are what ``_weights`` returns and ``_restore`` takes.

    Args:
        config: The settings; or
        settings: the same as keywords, such as ``SASRec(embedding_size=32, seed=3)``.

    Attributes:
        name: As in labels.
        config_class: The settings.
        parallel: Whether it may be asked from several threads at a time: predicting changes
            nothing, and spends its time in torch.
    """

    name: ClassVar[str]
    config_class: ClassVar[type[FrozenConfig]]
    parallel: ClassVar[bool] = False

    def __init__(self, config: FrozenConfig | None = None, **settings: Any) -> None:
        if config is not None and settings:
            raise TypeError("give a config or keywords, not both")
        self.config = (
            config
            if config is not None
            else self.config_class.parse(settings, f"settings of {self.name}")
        )
        self.history: dict[str, Any] = {}
        self._items: IdMap | None = None
        self._users: IdMap | None = None
        self._trained_on: TrainedOn | None = None

    def fit(
        self,
        dataset: Dataset,
        checkpoint: str | Path | None = None,
        device: str | None = None,
    ) -> Self:
        """Train on every interaction of a dataset.

        Args:
            dataset: For an evaluation, the ``train`` part of a split.
            checkpoint: File to resume from and to update after every epoch.
            device: Where to train, such as "cuda"; ``INFLUPATH_DEVICE`` or the processor by
                default.  The trained model is on the processor.

        Raises:
            ModelFileError: The checkpoint is damaged or of another run.
            ConfigError: There is no such device here.
        """
        where = training_device(device)
        self._items, self._users = dataset.items, dataset.users
        self._trained_on = TrainedOn.of(dataset)
        try:
            with training_on(where):
                history = self._fit(dataset, Path(checkpoint) if checkpoint else None)
            self.history = {**history, "device": device_name(where)}
            if where.type != "cpu":
                self._restore({name: tensor.cpu() for name, tensor in self._weights().items()})
        except BaseException:
            # What a failed training leaves behind must not pass for a model.
            self._items = self._users = self._trained_on = None
            self.history = {}
            raise
        return self

    @abstractmethod
    def _fit(self, dataset: Dataset, checkpoint: Path | None) -> dict[str, Any]:
        """Train; return the training history."""

    @abstractmethod
    def log_probs(self, histories: Sequences, users: IntArray | None = None) -> Tensor:
        """Return log P(i | s), the raw log-softmax over the catalogue (formula 17).

        Args:
            histories: Item numbers, oldest first, one row each; a row may be empty.
            users: User row of each history, -1 where unknown; None for all unknown.

        Returns:
            float32 [R, I].  No item is masked.
        """

    @abstractmethod
    def _weights(self) -> dict[str, Tensor]:
        """Return everything learned, by name."""

    @abstractmethod
    def _restore(self, weights: dict[str, Tensor]) -> None:
        """Take what ``_weights`` returned; the id maps are set already."""

    def item_vectors(self) -> Tensor | None:
        """Return the model's own item embeddings [I, width], or None where it has none."""
        return None

    def user_vectors(self, histories: Sequences, users: IntArray | None = None) -> Tensor | None:
        """Return what stands for each user after a history, or None where nothing does.

        The vector lives in the space of ``item_vectors``: the higher its inner product with an
        item's vector, the more probable the item is next, up to a bias of the item.

        Args:
            histories: As in ``log_probs``.
            users: As in ``log_probs``.

        Returns:
            float32 [R, width].
        """
        return None

    def user_vectors_after(
        self, histories: Sequences, candidates_RK: IntArray, users: IntArray | None = None
    ) -> Tensor | None:
        """Return ``user_vectors`` after s + candidate for each candidate, [R, K, width].

        Args:
            histories: s, one row each.
            candidates_RK: Item numbers that might be shown next.
            users: As in ``log_probs``.
        """
        rows, k = candidates_RK.shape
        parts = []
        for _, extended, known in self._extended(histories, candidates_RK, users):
            vectors = self.user_vectors(extended, known)
            if vectors is None:
                return None
            parts.append(vectors)
        return torch.cat(parts).view(rows, k, -1) if parts else None

    def read_paths(
        self, histories: Sequences, paths: Sequences, users: IntArray | None = None
    ) -> Iterator[tuple[IntArray, IntArray, Tensor]]:
        """Predict before every path item and after the last one.

        Args:
            histories: One row per path.
            paths: The items shown after each history.
            users: As in ``log_probs``.

        Yields:
            rows [C], steps [C] and log-probabilities [C, I]: the prediction after
            ``histories.row(r)`` and the first ``step`` items of ``paths.row(r)``.  The chunks
            together hold every row with every step 0..len(path) once.
        """
        whole = histories.extend(paths)
        known, counts = histories.lengths, paths.lengths + 1
        rows = np.repeat(np.arange(len(histories)), counts)
        steps = count_up(counts)
        # Prefixes of similar length together.
        order = np.argsort(known[rows] + steps, kind="stable")
        rows, steps = rows[order], steps[order]
        size = self.chunk_rows()
        for start in range(0, len(rows), size):
            row, step = rows[start : start + size], steps[start : start + size]
            prefixes = whole.slice(row, np.zeros_like(row), known[row] + step)
            yield row, step, self.log_probs(prefixes, None if users is None else users[row])

    def log_prob_after(
        self,
        histories: Sequences,
        candidates_RK: IntArray,
        targets_R: IntArray,
        users: IntArray | None = None,
    ) -> Tensor:
        """Return log P(target | s + candidate) for each candidate, [R, K].

        Args:
            histories: s, one row each.
            candidates_RK: Item numbers that might be shown next.
            targets_R: Item numbers asked about.
            users: As in ``log_probs``.
        """
        rows, k = candidates_RK.shape
        result = torch.empty(rows * k)
        columns = torch.as_tensor(np.repeat(targets_R, k) - 1)
        for flat, extended, known in self._extended(histories, candidates_RK, users):
            log_probs = self.log_probs(extended, known)
            result[flat] = log_probs.gather(1, columns[flat][:, None])[:, 0]
        return result.view(rows, k)

    def reader(self, histories: Sequences, users: IntArray | None = None) -> Reader:
        """Return a reader, which goes on item by item from what it has read; see ``Reader``.

        Args:
            histories: As in ``log_probs``.
            users: As in ``log_probs``.
        """
        return Reader(self, histories, users)

    def _extended(
        self, histories: Sequences, candidates_RK: IntArray, users: IntArray | None
    ) -> Iterator[tuple[IntArray, Sequences, IntArray | None]]:
        """Yield places in [R x K], s + candidate and users, in parts that fit the memory bound."""
        rows, k = candidates_RK.shape
        for start in range(0, rows * k, self.chunk_rows()):
            flat = np.arange(start, min(start + self.chunk_rows(), rows * k))
            one = np.ones(len(flat), dtype=np.int64)
            extended = histories.take(flat // k).extend(
                Sequences.from_lengths(candidates_RK.reshape(-1)[flat], one)
            )
            yield flat, extended, None if users is None else users[flat // k]

    def recommend(
        self,
        histories: Sequences | Sequence[Sequence[Any]],
        k: int = 10,
        users: Sequence[Any] | None = None,
        filter_seen: bool = True,
    ) -> pl.DataFrame:
        """Return the top ``k`` items after each history.

        Args:
            histories: Outside item ids, oldest first, one list each (or item numbers as
                ``Sequences``).
            k: List length.
            users: Outside user ids; ids the model does not know are served as unknown users.
                Also names the rows; by default they are numbered from 0.
            filter_seen: Leave out the items of the history.

        Returns:
            Frame ``user_id, item_id, score, rank``; score is log P(i | s).

        Raises:
            UnknownIdError: A history holds an item that is not in the catalogue.
        """
        sequences = self.encode(histories)
        known = None if users is None else self.users.encode(users, unknown="mark")
        names = pl.Series("user_id", list(range(len(sequences))) if users is None else list(users))
        if len(names) != len(sequences):
            raise InfluPathError(f"{len(names)} users were given for {len(sequences)} histories.")
        k = min(k, self.item_count)
        frames = []
        for start in range(0, len(sequences), self.chunk_rows()):
            rows = np.arange(start, min(start + self.chunk_rows(), len(sequences)))
            part = sequences.take(rows)
            scores_RI = self.log_probs(part, None if known is None else known[rows])
            if filter_seen:
                scores_RI = mask_seen(scores_RI.clone(), part)
            score_RK, item_RK = scores_RI.topk(k, dim=1)
            frames.append(
                pl.DataFrame(
                    {
                        "user_id": names.gather(np.repeat(rows, k)),
                        "item_id": self.items.series("item_id", item_RK.flatten().numpy() + 1),
                        "score": score_RK.flatten().numpy(),
                        "rank": np.tile(np.arange(1, k + 1), len(rows)),
                    }
                )
            )
        if not frames:
            none = self.items.series("item_id", np.empty(0, dtype=np.int64))
            columns = [("user_id", names.dtype), ("item_id", none.dtype)]
            return pl.DataFrame(schema=[*columns, ("score", pl.Float32), ("rank", pl.Int64)])
        return pl.concat(frames).filter(pl.col("score").is_finite())

    def encode(self, histories: Sequences | Sequence[Sequence[Any]]) -> Sequences:
        """Return histories of outside ids as item numbers.

        Raises:
            UnknownIdError: An item is not in the catalogue.
        """
        if isinstance(histories, Sequences):
            return histories
        return Sequences.from_rows([self.items.encode(row) for row in histories])

    @property
    def items(self) -> IdMap:
        """The catalogue: outside item ids and their numbers."""
        if self._items is None:
            raise NotFittedError(f"{self.name} is not trained yet: call fit or load first.")
        return self._items

    @property
    def users(self) -> IdMap:
        """The users the model was trained on."""
        if self._users is None:
            raise NotFittedError(f"{self.name} is not trained yet: call fit or load first.")
        return self._users

    @property
    def trained_on(self) -> TrainedOn:
        """The dataset the model was trained on."""
        if self._trained_on is None:
            raise NotFittedError(f"{self.name} is not trained yet: call fit or load first.")
        return self._trained_on

    @property
    def item_count(self) -> int:
        """Number of catalogue items."""
        return len(self.items)

    def chunk_rows(self) -> int:
        """Rows of predictions that fit the memory bound."""
        return max(CHUNK_ROWS, CHUNK_BYTES // (4 * self.item_count))

    def save(self, directory: str | Path, half: bool = False) -> None:
        """Write a self-describing model folder.

        Args:
            directory: Created if missing.
            half: Store half precision, for judges that are published.
        """
        write_model(
            directory,
            ModelFile(
                kind=self.name,
                config=self.config.model_dump(mode="json"),
                items=self.items,
                users=self.users,
                trained_on=self.trained_on,
                history=self.history,
                weights=self._weights(),
            ),
            half=half,
        )

    @classmethod
    def load(cls, directory: str | Path) -> Self:
        """Read a model folder written by ``save``.

        Raises:
            ModelFileError: The folder is missing, damaged, or holds another kind of model.
        """
        return cls.from_file(read_model(directory, cls.name), directory)

    @classmethod
    def from_file(cls, content: ModelFile, where: str | Path) -> Self:
        """Build from the content of a model folder (``where`` names it in errors)."""
        try:
            model = cls(cls.config_class.parse(content.config, str(where)))
        except ConfigError as cause:
            raise ModelFileError(f"{cause} The model is damaged or of another version.") from None
        model._items, model._users = content.items, content.users
        model._trained_on, model.history = content.trained_on, content.history
        try:
            model._restore(content.weights)
        except (KeyError, RuntimeError) as cause:
            reason = " ".join(str(cause).split())
            raise ModelFileError(
                f"{where}: the weights do not fit the configuration ({reason})."
            ) from None
        return model
