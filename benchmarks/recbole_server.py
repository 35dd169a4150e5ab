"""RecBole's SASRec and GRU4Rec, trained by RecBole's own trainer; see ``protocol``.

Its defaults but for the size: batches of 2,048 examples, Adam with 1e-3, cross-entropy over the
catalogue.  Every prefix of a history is an example of its own, with one supervised target.
"""

import math
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from protocol import Answer, Clock, read_log, serve

KINDS = {"sasrec": "SASRec", "gru4rec": "GRU4Rec"}


class Counted:
    """A data loader whose batches are counted, and cut off after some.

    Args:
        loader: RecBole's.
        clock: Counts.
        batches: At most so many; None for all.
        seconds: No more after so much time.
    """

    def __init__(
        self, loader: Any, clock: Clock, batches: int | None, seconds: float = math.inf
    ) -> None:
        self.loader, self.clock = loader, clock
        self.batches, self.seconds = batches, seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Any]:
        self.clock.restart()
        for batch in islice(iter(self.loader), self.batches):
            yield batch
            # Asked for the next one, the trainer is done with this one.
            self.clock.count(len(batch))
            if self.clock.ended - self.clock.began >= self.seconds:
                return


class Models:
    """Models at work: one per kind and use, on the same data."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        users, items = read_log(folder)
        self.users, self.items = users, items
        log = folder / "log"
        log.mkdir(exist_ok=True)
        pd.DataFrame(
            {
                "user_id:token": users,
                "item_id:token": items,
                "timestamp:float": np.arange(len(users), dtype=float),
            }
        ).to_csv(log / "log.inter", sep="\t", index=False)
        self.made: dict[tuple[str, bool], Any] = {}

    def train(self, question: dict[str, Any]) -> Answer:
        """Train on some batches; of a new model the first one does not count, for it is slow."""
        warm_up = int((question["model"], False) not in self.made)
        trainer, loader = self.trainer(question, whole=False)
        clock = Clock(warm_up)
        trainer._train_epoch(Counted(loader, clock, question["batches"] + warm_up), 0)
        return clock.answer()

    def epoch(self, question: dict[str, Any]) -> Answer:
        """Train one more epoch, or as much of one as "seconds" allows; recommend."""
        trainer, loader = self.trainer(question, whole=True)
        clock = Clock(warm_up=0)
        seconds = question.get("seconds", math.inf)
        trainer._train_epoch(Counted(loader, clock, None, seconds), 0)
        top = self.top(trainer, loader.dataset, question["size"]["max_length"])
        return {**clock.answer(), "top": top}

    def trainer(self, question: dict[str, Any], whole: bool) -> tuple[Any, Any]:
        """Return the trainer and the data of a model; made when first asked for."""
        key = (question["model"], whole)
        if key not in self.made:
            self.made[key] = self.new(question)
        return self.made[key]

    def new(self, question: dict[str, Any]) -> tuple[Any, Any]:
        from recbole.config import Config
        from recbole.data import create_dataset
        from recbole.data.dataloader import TrainDataLoader
        from recbole.utils import get_model, get_trainer, init_seed

        size = question["size"]
        name = KINDS[question["model"]]
        own = {
            "SASRec": {
                "n_layers": size.get("blocks"),
                "n_heads": size.get("heads"),
                "hidden_size": size["embedding_size"],
                "inner_size": 4 * size["embedding_size"],
                "hidden_dropout_prob": size["dropout"],
                "attn_dropout_prob": size["dropout"],
            },
            "GRU4Rec": {
                "embedding_size": size["embedding_size"],
                "hidden_size": size.get("hidden_size"),
                "num_layers": size.get("layers"),
                "dropout_prob": size["dropout"],
            },
        }[name]
        settings = {
            "data_path": str(self.folder),
            "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
            "MAX_ITEM_LIST_LENGTH": size["max_length"],
            "eval_args": {"split": {"RS": [1.0, 0.0, 0.0]}, "order": "TO", "group_by": "user"},
            "train_neg_sample_args": None,
            "loss_type": "CE",
            "learning_rate": question.get("rate", 1e-3),
            "use_gpu": False,
            "seed": question.get("seed", 0),
            "reproducibility": True,
            "show_progress": False,
            "state": "ERROR",
            "checkpoint_dir": str(self.folder / "saved"),
            **own,
        }
        config = Config(model=name, dataset="log", config_dict=settings)
        init_seed(config["seed"], config["reproducibility"])
        dataset = create_dataset(config)
        examples = dataset.build()[0]
        loader = TrainDataLoader(config, examples, None, shuffle=True)
        model = get_model(config["model"])(config, examples).to(config["device"])
        trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, model)
        return trainer, loader

    @torch.no_grad()
    def top(self, trainer: Any, dataset: Any, width: int) -> dict[int, list[int]]:
        """Return the ten best unseen items of every user."""
        from recbole.data.interaction import Interaction

        model = trainer.model.eval()
        number = dataset.field2token_id["item_id"]
        tokens = dataset.field2id_token["item_id"]
        to_number = np.array([0, *(number.get(str(n), 0) for n in range(1, self.items.max() + 1))])
        result: dict[int, list[int]] = {}
        starts = np.flatnonzero(np.r_[True, np.diff(self.users) != 0])
        bounds = np.r_[starts, len(self.users)]
        for first in range(0, len(starts), 256):
            part = range(first, min(first + 256, len(starts)))
            seen = [to_number[self.items[bounds[row] : bounds[row + 1]]] for row in part]
            window = np.zeros((len(seen), width), dtype=np.int64)
            for place, history in enumerate(seen):
                last = history[-width:]
                window[place, : len(last)] = last
            lengths = torch.tensor([min(len(history), width) for history in seen])
            scores = model.full_sort_predict(
                Interaction({"item_id_list": torch.from_numpy(window), "item_length": lengths})
            )
            scores[:, 0] = -torch.inf
            for place, history in enumerate(seen):
                scores[place, torch.from_numpy(history)] = -torch.inf
            best = scores.topk(10, dim=1).indices.numpy()
            for place, row in enumerate(part):
                result[int(self.users[bounds[row]])] = [int(tokens[item]) for item in best[place]]
        return result


if __name__ == "__main__":
    models = Models(Path(sys.argv[1]))
    serve(["recbole", "torch"], {"train": models.train, "epoch": models.epoch})
