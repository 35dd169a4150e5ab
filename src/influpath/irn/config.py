"""Settings of the Influential Recommender Network."""

from typing import Literal

from pydantic import Field, model_validator

from influpath.config import FrozenConfig, later
from influpath.training.loop import TrainingConfig


class IRNConfig(FrozenConfig):
    """Settings of IRN; the names are those of the paper's Table VI where it has one.

    Attributes:
        l_max: Length of the window, objective included.
        l_min: Shortest training piece.
        horizon: Path length M the window has room for; the history gets ``l_max - horizon``.
        embedding_size: Item embedding size d.
        user_embedding_size: User embedding size d'.
        layers: Decoder layers L.
        heads: Attention heads h, a divisor of d.
        dropout: Share of features dropped in training.
        mask_type: 1, 2 or 3 (Table V).
        w_h: Mask weight of the history.
        w_t: Mask weight of the objective in training; planning has its own dial.
        objective_dropout: Share of training sequences whose objective is hidden, which makes the
            same network a model of p(i | s).
        tied: Output projection tied to the item embedding.
        item2vec: Initialise the item embedding by item2vec rather than at random.
        item2vec_epochs: Passes of item2vec over the pieces; 0 chooses by the size of the log.
        objective_in_loss: Count the objective's own slot in the loss (formula 9 does).
        leak: Literal variant for the ablation: the objective's row sees the items.
        aligned: Planning leaves as many empty slots before the objective as items may still come
            (False: the literal variant, no slot, which makes the model copy the objective).
        recut: Cut the training pieces anew in every epoch, so that the same items are led by other
            objectives (False: once, as in the paper).  A small log is learned by heart less soon.
        batch_size: Training pieces per batch.
        seed: Cut of the pieces, initial weights, training order.
        training: Optimizer, schedule, stopping.
    """

    l_max: int = Field(default=60, ge=4)
    l_min: int = Field(default=20, ge=2)
    horizon: int = Field(default=20, ge=1)
    embedding_size: int = Field(default=64, ge=4)
    user_embedding_size: int = Field(default=10, ge=1)
    layers: int = Field(default=4, ge=1)
    heads: int = Field(default=4, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    mask_type: Literal[1, 2, 3] = 3
    w_h: float = 0.0
    w_t: float = 1.0
    objective_dropout: float = Field(default=0.1, ge=0, lt=1)
    tied: bool = True
    item2vec: bool = True
    item2vec_epochs: int = Field(default=0, ge=0)
    objective_in_loss: bool = True
    leak: bool = False
    aligned: bool = True
    recut: bool = later(False)
    batch_size: int = Field(default=128, ge=1)
    seed: int = 0
    training: TrainingConfig = TrainingConfig(
        schedule="plateau", learning_rate=3e-3, epochs=20, patience=5, plateau_patience=1
    )

    @model_validator(mode="after")
    def _fits(self) -> "IRNConfig":
        if self.embedding_size % self.heads:
            raise ValueError("heads must divide embedding_size")
        if self.l_max < 2 * self.l_min:
            raise ValueError("l_max must be at least twice l_min, so that no tail is too short")
        if self.horizon >= self.l_max - 1:
            raise ValueError(
                "l_max must exceed horizon by at least 2 (one history item, objective)"
            )
        return self
