"""Part ``training``: supervised targets per second of IRN, SASRec, BERT4Rec and GRU4Rec.

A target is an item that a model is asked to predict: pads and context do not count.  Every system
trains by its own loop on some batches of the same data; the first batch of a round does not count.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from influpath.benchmarks import flops
from influpath.benchmarks.config import BenchConfig
from influpath.benchmarks.epochs import training_epoch
from influpath.benchmarks.plain_irn import PlainIRN, PlainTraining
from influpath.benchmarks.references import Reference, references
from influpath.benchmarks.rounds import Measure, measure_rounds, stopwatch
from influpath.benchmarks.workloads import mean_attended
from influpath.data.dataset import Dataset
from influpath.irn.config import IRNConfig
from influpath.irn.examples import training_pieces
from influpath.irn.model import IRN
from influpath.irn.network import IRNNetwork
from influpath.recommenders.base import Recommender
from influpath.recommenders.bert4rec import BERT4Rec, BERT4RecConfig
from influpath.recommenders.gru4rec import GRU4Rec, GRU4RecConfig
from influpath.recommenders.sasrec import SASRec
from influpath.training.batches import random_windows

# item2vec runs once before training and is no part of its speed.
NO_ITEM2VEC = {"item2vec": False}
# What the training loop can compute in: what is added to a name -> settings of the training.
PRECISIONS: dict[str, dict[str, Any]] = {"": {}, " in bfloat16": {"precision": "bfloat16"}}


def measure_training(
    config: BenchConfig, train: Dataset, folder: Path, work: Path
) -> dict[str, Any]:
    """Return the part's rows, ratios and versions of the libraries.

    Args:
        config: Batches, sizes, rounds.
        train: What is trained on.
        folder: ``benchmarks/`` of the repository.
        work: A folder for files.
    """
    with references(folder, train, work) as libraries:
        measures = [
            *irn_measures(config, train, "at the paper's size", config.paper_irn),
            *irn_measures(config, train, "as shipped", config.shipped_irn),
            *next_item_measures(config, train, libraries),
        ]
        rounds = measure_rounds("training", measures, config.repeats, config.matrix_size)
        versions = {name: library.versions for name, library in libraries.items()}
    rows = rounds.rows(measures)
    compared = {
        "train_irn": ("IRN at the paper's size", "straightforward IRN at the paper's size"),
        "train_irn_shipped": ("IRN as shipped", "straightforward IRN as shipped"),
        "train_sasrec_vs_rectools": ("SASRec", "SASRec of rectools"),
        "train_sasrec_vs_recbole": ("SASRec", "SASRec of recbole"),
        "train_bert4rec_vs_rectools": ("BERT4Rec", "BERT4Rec of rectools"),
        "train_gru4rec_vs_recbole": ("GRU4Rec", "GRU4Rec of recbole"),
    }
    ratios = {
        key + suffix.replace(" in ", "_"): rounds.ratio(own + suffix, other)
        for key, (own, other) in compared.items()
        for suffix in PRECISIONS
    }
    return {"rows": rows, "ratios": ratios, "peak": rounds.peak(), "libraries": versions}


def irn_measures(
    config: BenchConfig, train: Dataset, size: str, settings: dict[str, Any]
) -> list[Measure]:
    """Return IRN and the straightforward implementation of it."""
    settings = {**settings, **NO_ITEM2VEC, "seed": config.seed}
    chosen = IRNConfig.parse(settings, "IRN")
    pieces, _ = training_pieces(train.sequences, chosen)
    network = IRNNetwork(chosen, len(train.items), len(train.users))
    plain = PlainTraining(PlainIRN.of(network), pieces, config.seed)
    attended = mean_attended(pieces.sequences.lengths, chosen.l_max) + 1  # and the objective
    layer = flops.layer_flops(chosen.embedding_size, attended)
    lengths = pieces.sequences.lengths
    cost = flops.training_flops(
        layer * chosen.layers,
        lengths.sum() / (lengths - 1).sum(),
        flops.output_flops(chosen.embedding_size, len(train.items)),
    )
    reference = f"straightforward IRN {size}"
    return [
        Measure(
            reference,
            "targets/s",
            plain_rate(plain, config.batches["plain"]),
            cost,
            note=f"torch's own layers, d {chosen.embedding_size}, {chosen.layers} layers, windows "
            f"of {chosen.l_max}, logits at all positions, batches of {chosen.batch_size}",
        ),
        *own_measures(IRN, f"IRN {size}", settings, train, config, cost, reference),
    ]


def own_measures(
    kind: type[Recommender],
    name: str,
    settings: dict[str, Any],
    train: Dataset,
    config: BenchConfig,
    cost: float,
    reference: str | None,
) -> list[Measure]:
    """Return a recommender of the package, in every precision that it can train in."""
    batches = config.batches[kind.name]
    return [
        Measure(
            name + suffix,
            "targets/s",
            own_rate(kind, {**settings, "training": training}, train, batches),
            cost,
            reference,
            ", ".join(f"{key} {value}" for key, value in settings.items() if key != "seed"),
        )
        for suffix, training in PRECISIONS.items()
    ]


def plain_rate(plain: PlainTraining, batches: int) -> Callable[[], float]:
    """Return what measures the straightforward loop; the first batch does not count."""

    def run() -> float:
        plain.batch()
        clock = stopwatch()
        targets = sum(plain.batch() for _ in range(batches))
        return targets / clock()

    return run


def own_rate(
    kind: type[Recommender], settings: dict[str, Any], train: Dataset, batches: int
) -> Callable[[], float]:
    """Return what measures a recommender of the package."""
    return lambda: training_epoch(kind, settings, train, batches).rate


def next_item_measures(
    config: BenchConfig, train: Dataset, libraries: dict[str, Reference]
) -> list[Measure]:
    """Return SASRec, BERT4Rec and GRU4Rec, here and in the libraries that are there."""
    measures = []
    mask_share = BERT4RecConfig().mask_share
    kinds: list[tuple[type[Recommender], str, tuple[str, ...]]] = [
        (SASRec, "SASRec", ("rectools", "recbole")),
        (BERT4Rec, "BERT4Rec", ("rectools",)),
        (GRU4Rec, "GRU4Rec", ("recbole",)),
    ]
    for kind, name, compared in kinds:
        settings = {**settings_of(config, kind), "seed": config.seed}
        size = {**config.compared, **config.compared_gru, "mask_share": mask_share}
        cost = target_flops(kind, settings, train)
        for library in (libraries[one] for one in compared if one in libraries):
            measures.append(
                Measure(
                    f"{name} of {library.name}",
                    "targets/s",
                    library_rate(library, kind.name, config.batches[library.name], size, config),
                    note=f"{library.name} {library.versions[library.name]}, its own loop and "
                    "batches, the same size",
                )
            )
        reference = next((f"{name} of {one}" for one in compared if one in libraries), None)
        measures += own_measures(kind, name, settings, train, config, cost, reference)
    return measures


def library_rate(
    library: Reference, model: str, batches: int, size: dict[str, Any], config: BenchConfig
) -> Callable[[], float]:
    """Return what measures a model of a library."""
    return lambda: library.rate(model, batches, size, config.seed)


def settings_of(config: BenchConfig, kind: type[Recommender]) -> dict[str, Any]:
    """Return the size that a recommender is compared at, as its settings."""
    if kind is not GRU4Rec:
        return config.compared
    shared = {key: config.compared[key] for key in ("embedding_size", "max_length", "dropout")}
    return {**shared, **config.compared_gru}


def target_flops(kind: type[Recommender], settings: dict[str, Any], train: Dataset) -> float:
    """Return the FLOPs of one supervised target in training."""
    chosen: Any = kind.config_class.parse(settings, kind.name)
    width = chosen.embedding_size
    output = flops.output_flops(width, len(train.items))
    rng = np.random.default_rng(0)
    lengths = random_windows(train.sequences, chosen.max_length, rng).lengths
    if isinstance(chosen, GRU4RecConfig):
        recurrent = flops.recurrent_flops(width, chosen.hidden_size, chosen.layers)
        return flops.training_flops(recurrent, 1.0, output)
    if isinstance(chosen, BERT4RecConfig):
        # All positions of a window see each other, and a few of them are asked for.
        layer = flops.layer_flops(width, float((lengths**2).sum() / lengths.sum()))
        share = chosen.mask_share
        some = lengths * share + (1 - share) ** lengths
        asked = chosen.last_share + (1 - chosen.last_share) * some
        return flops.training_flops(layer * chosen.blocks, lengths.sum() / asked.sum(), output)
    layer = flops.layer_flops(width, mean_attended(lengths, chosen.max_length))
    return flops.training_flops(layer * chosen.blocks, 1.0, output)
