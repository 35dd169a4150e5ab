"""Feasibility: the probability that a user accepts an objective within M steps of a planner.

A small logistic model over what one reading of a user says (``feasibility_features``).  It is
fitted to outcomes, 0 or 1 per pair, wherever they come from: paths under a judge, or users in a
closed loop.  Where it was fitted to users who have no part in a report, it can be checked on those
who have (``evaluation/reliability.py``).

Shape suffixes: P pairs, F features, B users, K items asked for, I catalogue items.
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from torch import Tensor

from influpath.config import FrozenConfig
from influpath.data.dataset import Dataset
from influpath.data.sequences import IntArray, Sequences
from influpath.errors import ConfigError, ModelFileError
from influpath.files import read_json, read_tensors, sha256_file, write_json, write_tensors
from influpath.planning.feasibility_features import FEATURES, ItemFacts, Reading, rows_at_once
from influpath.planning.logistic import Logistic, fit_logistic
from influpath.planning.model_planner import ModelPlanner
from influpath.planning.schedule import schedule_text
from influpath.recommenders.base import Recommender

logger = logging.getLogger("influpath")

FORMAT = "influpath-feasibility-1"
ABOUT, FACTS = "feasibility.json", "feasibility.safetensors"
# Below it an objective counts as not reachable: one user in a hundred.
MINIMUM = 0.01


class CalibratedTo(FrozenConfig):
    """What a feasibility means, and for whom.

    Attributes:
        judge: Who accepted: a recommender's name, or a closed loop's.
        outcome: What counted as 1.
        planner: Label of the planner whose paths were taken.
        dials: Its dials.
        max_length: M.
        model: Kind of the planner's model.
        fingerprint: Of the dataset that it was trained on.
        pairs: Pairs that were fitted to.
        accepted: Those with outcome 1.
        seed: Draws the reference users.
    """

    judge: str
    outcome: str
    planner: str
    dials: dict[str, Any]
    max_length: int
    model: str
    fingerprint: str
    pairs: int
    accepted: int
    seed: int


@dataclass(frozen=True, eq=False)
class Feasibility:
    """How probable it is that each user accepts each item within M steps.

    Attributes:
        logistic: Over features of one reading.
        facts: What is known of the items.
        calibrated_to: What the probabilities mean.
    """

    logistic: Logistic
    facts: ItemFacts
    calibrated_to: CalibratedTo

    @classmethod
    def fit(
        cls,
        planner: ModelPlanner[Any],
        pairs: pl.DataFrame,
        outcomes: npt.ArrayLike,
        train: Dataset,
        *,
        judge: str,
        outcome: str,
        max_length: int = 20,
        seed: int = 0,
    ) -> "Feasibility":
        """Calibrate to what became of pairs.

        Args:
            planner: Whose paths were shown; it stands on a model.
            pairs: Frame ``user_id, objective_id``, of users who have no part in a report.
            outcomes: 1 where the user accepted the objective, else 0, one per pair.
            train: The histories, which the model was trained on.
            judge: Who accepted: a recommender's name, or a closed loop's.
            outcome: What counts as 1, in words.
            max_length: M.
            seed: Draws the reference users.

        Raises:
            ConfigError: There are too few pairs, or ``train`` has other items than the model.
        """
        model = planner.model
        facts = ItemFacts.of(model, train, seed)
        users = pairs["user_id"].to_list()
        features_PF = pair_features(
            model,
            facts,
            train.sequences.take(train.rows_of(users)),
            model.users.encode(users, unknown="mark"),
            model.items.encode(pairs["objective_id"].to_list()),
        )
        outcome_P = np.asarray(outcomes)
        meant = CalibratedTo(
            judge=judge,
            outcome=outcome,
            planner=planner.label,
            dials=planner.config.model_dump(mode="json", exclude_none=True),
            max_length=max_length,
            model=model.name,
            fingerprint=model.trained_on.fingerprint,
            pairs=len(outcome_P),
            accepted=int(outcome_P.sum()),
            seed=seed,
        )
        return cls(fit_logistic(features_PF, outcome_P, tuple(FEATURES)), facts, meant)

    def of(self, reading: Reading, column_BK: Tensor) -> Tensor:
        """Return the feasibility of some items for each user read, float32 [B, K].

        It is 0 for items that a user has had: nobody can be led there any more.

        Args:
            reading: Of the users.
            column_BK: Catalogue columns (item number - 1) of the items.
        """
        shape_BI = reading.log_prob_BI.shape
        values = (FEATURES[name](reading, self.facts) for name in self.logistic.features)
        logit_BK = self.logistic.logits(
            [value.expand(shape_BI).gather(1, column_BK) for value in values]
        )
        return logit_BK.sigmoid().masked_fill(reading.had_BI.gather(1, column_BK), 0.0)

    def check(self, model: Recommender) -> None:
        """Check that it was calibrated for a model.

        Raises:
            ModelFileError: The model is of another kind, or was trained on other data.
        """
        meant = (self.calibrated_to.model, self.calibrated_to.fingerprint)
        if meant != (model.name, model.trained_on.fingerprint):
            raise ModelFileError(
                f"the feasibility was calibrated for a model {meant[0]!r} of other data or kind "
                f"than this {model.name!r}; calibrate it anew (influpath feasibility)."
            )

    def warn_if_other(self, label: str, dials: FrozenConfig, max_length: int) -> None:
        """Warn where paths are planned otherwise than those it was calibrated to."""
        meant = self.calibrated_to
        now = dials.model_dump(mode="json", exclude_none=True)
        if (label, now, max_length) != (meant.planner, meant.dials, meant.max_length):
            logger.warning(
                "the feasibility is that of %s with its calibrated dials (%s), M = %d; this plan "
                "has others.",
                meant.planner,
                ", ".join(
                    f"{name} {schedule_text(value)}"
                    for name, value in meant.dials.items()
                    if not isinstance(value, bool)
                ),
                meant.max_length,
            )

    def save(self, directory: str | Path) -> None:
        """Write ``feasibility.json`` and ``feasibility.safetensors``, usually beside a model."""
        directory = Path(directory)
        facts = {
            "popularity": self.facts.popularity_I,
            "ease": self.facts.ease_I,
        }
        write_tensors(directory / FACTS, facts)
        about = {"format": FORMAT, **self.to_dict(), "facts_sha256": sha256_file(directory / FACTS)}
        write_json(directory / ABOUT, about)

    def to_dict(self) -> dict[str, Any]:
        """Return the fitted model and what it means for JSON, without the facts of the items."""
        return {
            "calibrated_to": self.calibrated_to.model_dump(mode="json"),
            "logistic": self.logistic.model_dump(mode="json"),
        }

    @classmethod
    def load(cls, directory: str | Path) -> "Feasibility":
        """Read what ``save`` wrote.

        Raises:
            ModelFileError: The files are missing, damaged or of another version.
        """
        directory = Path(directory)
        about = read_json(directory / ABOUT)
        if not isinstance(about, dict) or about.get("format") != FORMAT:
            raise ModelFileError(f"{directory / ABOUT}: was not written by this version.")
        facts = read_tensors(directory / FACTS)
        if sha256_file(directory / FACTS) != about.get("facts_sha256"):
            raise ModelFileError(
                f"{directory / FACTS}: does not fit the checksum in {ABOUT}; calibrate it anew."
            )
        try:
            logistic = Logistic.parse(about["logistic"], str(directory / ABOUT))
            unknown = [name for name in logistic.features if name not in FEATURES]
            if unknown:
                raise ModelFileError(
                    f"{directory / ABOUT}: this version has no feature {', '.join(unknown)}; "
                    "calibrate it anew."
                )
            return cls(
                logistic,
                ItemFacts(facts["popularity"], facts["ease"]),
                CalibratedTo.parse(about["calibrated_to"], str(directory / ABOUT)),
            )
        except (KeyError, TypeError, ConfigError) as cause:
            raise ModelFileError(f"{directory / ABOUT}: is damaged ({cause}).") from None


def pair_features(
    model: Recommender,
    facts: ItemFacts,
    known: Sequences,
    users_P: IntArray,
    objectives_P: IntArray,
) -> npt.NDArray[np.float64]:
    """Return the features of pairs, float64 [P, F], in the order of ``FEATURES``.

    Args:
        model: The planner's model.
        facts: Of its items.
        known: The history of each pair's user.
        users_P: User rows of the model, -1 where unknown.
        objectives_P: Item numbers.
    """
    result = np.empty((len(known), len(FEATURES)))
    size = rows_at_once(model)
    for start in range(0, len(known), size):
        rows = np.arange(start, min(start + size, len(known)))
        reading = Reading.of(model, known.take(rows), users_P[rows])
        column_B1 = torch.from_numpy(objectives_P[rows])[:, None] - 1
        for place, feature in enumerate(FEATURES.values()):
            value_BI = feature(reading, facts).expand_as(reading.log_prob_BI)
            result[rows, place] = value_BI.gather(1, column_B1)[:, 0].numpy()
    return result
