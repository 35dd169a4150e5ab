"""``ipg``: iterative preference guidance (Bi et al., WWW 2024 companion, arXiv 2403.07571).

Among the recommender's top k it shows the item i of the highest

    r_i = p(i | s) * g_i,    g_i = e_t . u(s + i) - e_t . u(s)

where u(s) is the user vector after the history and the path so far, u(s + i) the user vector once
the user has taken i, and e_t the objective's item vector.  The guiding value g_i is how far i moves
the user toward the objective.  The user vector is made anew after every item, from what was really
taken.

The paper estimates u(s + i) by a moving average, gamma u(s) + (1 - gamma) e_i, which makes
g_i = (1 - gamma) (e_t . e_i - e_t . u(s)), so that gamma plays no part in the order;
``user_update = "average"`` does that.  By default (``"model"``) the recommender itself says what
the user vector would be, as a sequence model can.  Departures:

- p is the softmax over the catalogue, which the recommenders here are trained for; the published
  code takes the sigmoid of the score of a recommender trained with a binary loss.
- Inner products as in the paper; ``similarity = "cosine"`` is what the published code has.
- Only the top k can be shown; the paper ranks the whole catalogue (a k as large as that).  Nothing
  else is a candidate, and the objective is one like the others: it is shown when its r is the best.

Where no candidate moves the user toward the objective every r is negative, and the highest one
belongs to an improbable item: the formula has it so.

Shape suffixes: B rows, K candidates, I catalogue items, D vector size.
"""

from typing import ClassVar, Literal

from torch import Tensor
from torch.nn.functional import normalize

from influpath.config import FrozenConfig
from influpath.data.sequences import Sequences
from influpath.errors import ConfigError
from influpath.planning.base import State
from influpath.planning.candidates import Candidates, RerankConfig, RerankPlanner
from influpath.recommenders.base import Recommender


class IPGConfig(RerankConfig):
    """The dials of IPG.

    Attributes:
        k: Size of the candidate set, one number or one per step.
        user_update: Where the user vector after an item comes from: "model" asks the recommender,
            "average" moves it toward the item's vector, as the paper does.
        similarity: "inner" product or "cosine".
    """

    user_update: Literal["model", "average"] = "model"
    similarity: Literal["inner", "cosine"] = "inner"


class IPGPlanner(RerankPlanner[IPGConfig]):
    """Shows what the user probably takes and what moves the user toward the objective.

    The score of a proposal is its r.

    Args:
        model: A fitted recommender with item and user vectors.
        config: The dials; or
        dials: the same as keywords.

    Raises:
        ConfigError: The recommender has no such vectors.
    """

    name: ClassVar[str] = "ipg"
    config_class: ClassVar[type[FrozenConfig]] = IPGConfig
    objective_first: ClassVar[bool] = False

    def __init__(
        self, model: Recommender, config: IPGConfig | None = None, **dials: object
    ) -> None:
        super().__init__(model, config, **dials)
        self.vectors_ID = self.scaled(model.item_vectors())
        # Asked here, so that a recommender without user vectors is refused before planning begins.
        self.scaled(model.user_vectors(Sequences.from_rows([[]])))

    def values(self, state: State, candidates: Candidates) -> Tensor:
        """Return r of each candidate, [B, K]."""
        objective_BD = self.vectors_ID[candidates.objective_B1[:, 0]]
        if self.config.user_update == "average":
            after_BK = (objective_BD @ self.vectors_ID.T).gather(1, candidates.column_BK)
        else:
            after_BK = self.affinity_after(state, candidates, objective_BD)
        user_BD = self.scaled(self.reading(state).user_vectors())
        now_B1 = (user_BD * objective_BD).sum(1, keepdim=True)
        return candidates.log_prob_BK.exp() * (after_BK - now_B1)

    def affinity_after(self, state: State, candidates: Candidates, objective_BD: Tensor) -> Tensor:
        """Return the similarity of objective and user once each candidate is taken, [B, K]."""
        after = self.reading(state).user_vectors_after(candidates.column_BK.numpy() + 1)
        return (self.scaled(after) @ objective_BD[:, :, None])[:, :, 0]

    def scaled(self, vectors: Tensor | None) -> Tensor:
        """Return vectors [..., D] such that inner products are the similarity.

        Raises:
            ConfigError: The recommender has none.
        """
        if vectors is None:
            raise ConfigError(
                "ipg needs a recommender with item vectors and user vectors, and "
                f"{self.model.name!r} lacks them; choose a neural one, such as ipg/sasrec."
            )
        return normalize(vectors, dim=-1) if self.config.similarity == "cosine" else vectors
