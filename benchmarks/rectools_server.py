"""RecTools' SASRec and BERT4Rec, trained by RecTools' own loop; see ``protocol``.

Its defaults but for the size: batches of 128 users, Adam with 1e-3, softmax over the catalogue.
It trains on the last ``session_max_len`` items of every user.
"""

import sys
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from protocol import Answer, Clock, read_log, serve
from pytorch_lightning import Callback, Trainer
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import BERT4RecModel, SASRecModel

warnings.filterwarnings("ignore")
KINDS = {"sasrec": SASRecModel, "bert4rec": BERT4RecModel}


class BatchClock(Callback):
    """Counts supervised targets as Lightning trains."""

    def __init__(self, warm_up: int) -> None:
        self.clock = Clock(warm_up)

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self.clock.restart()

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.clock.count(int((batch["y"] != 0).sum()))


class Models:
    """Models at work: one per kind and use, on the same data."""

    def __init__(self, folder: Path) -> None:
        users, items = read_log(folder)
        order = pd.to_datetime(range(len(users)), unit="s", origin="2020-01-01")
        frame = pd.DataFrame(
            {Columns.User: users, Columns.Item: items, Columns.Weight: 1, Columns.Datetime: order}
        )
        self.users = sorted(set(users.tolist()))
        self.dataset = Dataset.construct(frame)
        self.made: dict[tuple[str, int], Any] = {}

    def train(self, question: dict[str, Any]) -> Answer:
        """Train on some batches, the first of which does not count."""
        _, clock = self.fitted(question, question["batches"])
        return clock.answer()

    def epoch(self, question: dict[str, Any]) -> Answer:
        """Train one more epoch; recommend."""
        model, clock = self.fitted(question, 0)
        top = model.recommend(self.users, self.dataset, k=10, filter_viewed=True)
        lists = top.groupby(Columns.User)[Columns.Item].apply(list)
        return {**clock.answer(), "top": {int(user): lists[user] for user in lists.index}}

    def fitted(self, question: dict[str, Any], batches: int) -> tuple[Any, Clock]:
        """Return a model after one more epoch, or the first ``batches`` of one."""
        key = (question["model"], batches)
        if key not in self.made:
            self.made[key] = self.new(question, batches)
        model = self.made[key]
        model.fit_partial(self.dataset, min_epochs=1, max_epochs=1)
        # The trainer that works is a copy, callbacks and all.
        clock = next(c.clock for c in model.fit_trainer.callbacks if isinstance(c, BatchClock))
        return model, clock

    def new(self, question: dict[str, Any], batches: int) -> Any:
        size = question["size"]

        def trainer() -> Trainer:
            return Trainer(
                max_epochs=1,
                limit_train_batches=batches + 1 if batches else 1.0,
                enable_progress_bar=False,
                enable_model_summary=False,
                enable_checkpointing=False,
                logger=False,
                accelerator="cpu",
                callbacks=[BatchClock(warm_up=1 if batches else 0)],
            )

        own = {"mask_prob": size["mask_share"]} if question["model"] == "bert4rec" else {}
        torch.manual_seed(question.get("seed", 0))
        return KINDS[question["model"]](
            n_factors=size["embedding_size"],
            n_blocks=size["blocks"],
            n_heads=size["heads"],
            session_max_len=size["max_length"],
            dropout_rate=size["dropout"],
            loss="softmax",
            lr=question.get("rate", 1e-3),
            get_trainer_func=trainer,
            **own,
        )


if __name__ == "__main__":
    models = Models(Path(sys.argv[1]))
    serve(["rectools", "torch"], {"train": models.train, "epoch": models.epoch})
