"""r_u over users: its distribution, where it came from, and whether it is the user's own.

Shape suffixes: P users, K columns.
"""

import copy
from typing import Any

import numpy as np
import torch
from scipy import stats

from influpath.data.dataset import Dataset
from influpath.evaluation import bootstrap_means, paired_difference
from influpath.evaluation.judging import FloatArray
from influpath.irn.examples import InfluenceTask, Pieces, training_pieces
from influpath.irn.model import IRN
from influpath.irn.network import IRNNetwork
from influpath.training.loop import seeded, validated

# Fewest and most bins of a histogram.
BINS = (10, 40)
# Above this many values the tables behind the test of Shapiro and Wilk do not hold.
SHAPIRO_LIMIT = 5000
# Fewer values say nothing of a shape.
FEWEST = 20


def initial_impressionability(model: IRN) -> FloatArray:
    """Return r_u before the first training step: the network that the same seed gives."""
    with seeded(model.config.seed, 0):
        network = IRNNetwork(model.config, model.item_count, len(model.users))
    with torch.no_grad():
        values: FloatArray = network.r_u(torch.arange(len(model.users))).double().numpy()
    return values


def shuffled_users(model: IRN, seed: int) -> IRN:
    """Return a copy of the model in which every user has the r_u of a user drawn without repeat."""
    other = copy.deepcopy(model)
    order = np.random.default_rng([seed, 0x5FF1E]).permutation(len(model.users))
    with torch.no_grad():
        other.module.user.weight.copy_(model.module.user.weight[torch.from_numpy(order)])
    return other


def description(values: FloatArray) -> dict[str, Any]:
    """Return the shape of a distribution: moments, normality, histogram."""
    counts, edges = np.histogram(values, bins=int(np.clip(len(values) ** 0.5, *BINS)))
    spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    varied = is_varied(values)
    return {
        "n": len(values),
        "mean": float(values.mean()),
        "sd": spread,
        "low": float(values.min()),
        "high": float(values.max()),
        "skewness": float(stats.skew(values)) if varied else None,
        "excess_kurtosis": float(stats.kurtosis(values)) if varied else None,
        "normality": normality(values) if varied else None,
        "histogram": {"edges": edges.tolist(), "counts": counts.tolist()},
    }


def is_varied(values: FloatArray) -> bool:
    """Return whether values differ by more than rounding, and are enough to say something."""
    return len(values) >= FEWEST and float(np.ptp(values)) > 1e-6


def normality(values: FloatArray) -> dict[str, Any]:
    """Test whether values come from a normal distribution."""
    if len(values) <= SHAPIRO_LIMIT:
        name, found = "Shapiro-Wilk", stats.shapiro(values)
    else:
        name, found = "D'Agostino-Pearson", stats.normaltest(values)
    return {
        "test": name,
        "statistic": float(found.statistic),
        "p": float(found.pvalue),
        "n": len(values),
    }


def correlation(test: Any, x: FloatArray, y: FloatArray) -> dict[str, Any] | None:
    """Return a correlation with its p; None where a side does not vary."""
    if not (is_varied(x) and is_varied(y)):
        return None
    found = test(x, y)
    return {"value": float(found.statistic), "p": float(found.pvalue), "n": len(x)}


def history_figures(train: Dataset) -> dict[str, FloatArray]:
    """Return how long each user's history is, and how popular its items are on average."""
    sequences, counts = train.sequences, train.item_counts
    lengths = sequences.lengths.astype(np.float64)
    totals = np.bincount(
        sequences.row_of_value,
        weights=counts[sequences.values].astype(np.float64),
        minlength=len(sequences),
    )
    return {"history_length": lengths, "mean_popularity": totals / np.maximum(lengths, 1)}


def held_out_losses(train: Dataset, model: IRN, shuffled: IRN, seed: int) -> dict[str, Any]:
    """Return the training objective (formula 9) on the pieces that did not train, per user.

    Args:
        train: What the model was trained on.
        model: The trained IRN.
        shuffled: The same with the r_u of other users.
        seed: Decides the bootstrap.

    Returns:
        ``own``, ``shuffled`` and ``difference`` (own minus shuffled) with intervals over users,
        and ``pieces``, their number.
    """
    _, pieces = training_pieces(train.sequences, model.config)
    users = np.unique(pieces.users)
    losses = {
        name: np.array([loss_of(own, pieces, user) for user in users.tolist()], dtype=np.float64)
        for name, own in (("own", model), ("shuffled", shuffled))
    }
    table_PK = np.stack(list(losses.values()), axis=1).reshape(len(users), 2)
    means = dict(zip(losses, bootstrap_means(table_PK, seed), strict=True))
    return {
        **{name: at.to_dict() for name, at in means.items()},
        "difference": paired_difference(losses["own"], losses["shuffled"], seed).to_dict(),
        "pieces": len(pieces.users),
    }


def loss_of(model: IRN, pieces: Pieces, user: int) -> float:
    """Return one user's mean loss, as validation in training computes it."""
    own = pieces.take(np.flatnonzero(pieces.users == user))
    return validated(InfluenceTask(model.module, own, own))["validation_loss"]
