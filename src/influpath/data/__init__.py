"""Interaction logs in, ``Dataset`` out: sources, preparation, splits and id maps.

``load_dataset`` is the whole way in one call.  Its steps are a reader that returns an
``InteractionLog`` (``movielens``, ``lastfm``, ``tables``, ``simulated``) and ``prepare``, which
filters it and numbers users and items.  ``splits`` cuts the result for training and tests.
"""

from influpath.data.dataset import Dataset
from influpath.data.ids import IdMap
from influpath.data.lastfm import read_lastfm
from influpath.data.load import SOURCES, load_dataset, read_log
from influpath.data.log import InteractionLog
from influpath.data.movielens import read_movielens
from influpath.data.preparation import PRESETS, Preparation, prepare, preset
from influpath.data.sequences import Sequences
from influpath.data.simulated import SimulatedWorld, WorldTruth
from influpath.data.splits import (
    Split,
    cut_pieces,
    leave_last_out,
    random_subset,
    validation_users,
)
from influpath.data.tables import read_table

__all__ = [
    "PRESETS",
    "SOURCES",
    "Dataset",
    "IdMap",
    "InteractionLog",
    "Preparation",
    "Sequences",
    "SimulatedWorld",
    "Split",
    "WorldTruth",
    "cut_pieces",
    "leave_last_out",
    "load_dataset",
    "prepare",
    "preset",
    "random_subset",
    "read_lastfm",
    "read_log",
    "read_movielens",
    "read_table",
    "validation_users",
]
