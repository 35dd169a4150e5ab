"""What is measured, and how much of it; sizes follow the paper's Table VI and ``configs/ml-1m``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from influpath.config import FrozenConfig
from influpath.errors import ConfigError

# The parts of a run, in its order.
PARTS = ("training", "planning", "judging", "start", "growth", "reach", "serving")

# Table VI of the paper, MovieLens-1M.
PAPER_IRN: dict[str, Any] = {
    **{"l_max": 60, "l_min": 20, "embedding_size": 30, "user_embedding_size": 10},
    **{"layers": 6, "heads": 6, "batch_size": 128},
}
# configs/ml-1m.toml.
SHIPPED_IRN: dict[str, Any] = {"l_max": 80, "layers": 2}
# What that run chooses, see results/ml-1m/main.json.
SHIPPED_DIALS: dict[str, Any] = {
    **{"guidance": "2..0", "pace": 1, "floor": 40, "lookahead": 1.0},
}
# What RecTools and RecBole are compared at.
COMPARED: dict[str, Any] = {
    **{"embedding_size": 64, "blocks": 2, "heads": 2, "max_length": 100, "dropout": 0.2},
}
COMPARED_GRU: dict[str, Any] = {"hidden_size": 128, "layers": 1}
BATCHES = {
    **{"irn": 10, "plain": 3, "sasrec": 10, "gru4rec": 10, "bert4rec": 10},
    **{"rectools": 4, "recbole": 1},
}
# A little more than what is to be shown: RecTools trains on fewer targets, RecBole is far slower.
REACH_TIMES = {"rectools": 6.0, "recbole": 12.0}
# As in configs/ml-1m.toml, whose judges read windows of 200 items.
JUDGES: dict[str, dict[str, Any]] = {"sasrec": {}, "bert4rec": {}}


class Growth(FrozenConfig):
    """The points of the growth curves; each is one process of its own for training and planning.

    Attributes:
        users: Numbers of users, at ``base_items`` items.
        items: Numbers of items, at ``base_users`` users.
        lengths: History lengths, at ``base_users`` users and ``base_items`` items; the window of
            IRN grows along.
        base_users: Users where they do not grow.
        base_items: Items where they do not grow.
        base_length: Items per user where it does not grow.
        batches: Training batches per point, the first of which does not count; fewer, two at
            least, where ``batches`` x items is above ``work``.
        work: See ``batches``.
        softmax_sample: Items that the sampled softmax draws.
        pairs: Paths planned per point, in one batch.
    """

    users: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)
    items: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)
    lengths: tuple[int, ...] = (50, 100, 200, 500)
    base_users: int = Field(default=1_000, ge=1)
    base_items: int = Field(default=2_000, ge=1)
    base_length: int = Field(default=24, ge=20)
    batches: int = Field(default=20, ge=2)
    work: int = Field(default=2_000_000, ge=1)
    softmax_sample: int = Field(default=4_096, ge=1)
    pairs: int = Field(default=128, ge=1)


class Serving(FrozenConfig):
    """The open loop that the service is put under.

    Attributes:
        bundles: Folder of ``influpath publish``, with one version of the tenant "default".
        database: URL; None is a new file of SQLite.
        next_per_second: Arrivals of ``next``, on average.
        feedback_per_second: Of ``feedback``, one event each.
        healthz_per_second: Of the reference.
        seconds: How long is measured.
        warm_up: Seconds before that.
    """

    bundles: Path | None = None
    database: str | None = None
    next_per_second: float = Field(default=100.0, gt=0)
    feedback_per_second: float = Field(default=50.0, gt=0)
    healthz_per_second: float = Field(default=5.0, gt=0)
    seconds: float = Field(default=300.0, gt=0)
    warm_up: float = Field(default=10.0, ge=0)


class BenchConfig(FrozenConfig):
    """Settings of a run; ``quick`` has smaller ones.

    Attributes:
        repeats: Rounds; in each one everything of a part is measured once, one after the other.
        seed: Of models, data and pairs.
        matrix_size: N of the N x N products that the machine's peak is measured by.
        batches: Training batches measured per round, by system.
        paper_irn: IRN's settings for the comparison at the paper's size.
        shipped_irn: IRN's settings as shipped.
        compared: Size of SASRec and BERT4Rec in the comparison with RecTools and RecBole.
        compared_gru: What GRU4Rec has instead of blocks and heads.
        judge_settings: Settings of the judges, by name.
        max_length: M.
        plan_pairs: Pairs planned at neutral dials per round; None for one of every user.
        plan_shipped_pairs: The same at the shipped dials.
        plain_pairs: Pairs planned by the straightforward implementation per round.
        plain_shipped_pairs: The same at the shipped dials.
        whole_plan_minutes: All users are planned for once at the shipped dials as well if that
            will take no longer than this.
        judged_share: Share of the path table that is judged per round; the time is scaled.
        judged_one_by_one: Prefixes read one by one for the reference of judging.
        growth: The growth curves.
        reach_hr: HR@10 that a training has to reach.
        reach_minutes: Training time after which SASRec here is stopped if it has not got there.
        reach_times: How many times as long as that a library may take before it is stopped.
        reach_rate: Learning rate there, Adam's usual one and that of the libraries.
        serving: The load on the service.
    """

    repeats: int = Field(default=5, ge=1)
    seed: int = Field(default=0, ge=0)
    matrix_size: int = Field(default=2048, ge=16)
    batches: dict[str, int] = BATCHES
    paper_irn: dict[str, Any] = PAPER_IRN
    shipped_irn: dict[str, Any] = SHIPPED_IRN
    compared: dict[str, Any] = COMPARED
    compared_gru: dict[str, Any] = COMPARED_GRU
    judge_settings: dict[str, dict[str, Any]] = JUDGES
    max_length: int = Field(default=20, ge=1)
    plan_pairs: int | None = Field(default=None, ge=1)
    plan_shipped_pairs: int = Field(default=256, ge=1)
    plain_pairs: int = Field(default=128, ge=1)
    plain_shipped_pairs: int = Field(default=4, ge=1)
    whole_plan_minutes: float = Field(default=4.0, ge=0)
    judged_share: float = Field(default=0.02, gt=0, le=1)
    judged_one_by_one: int = Field(default=200, ge=1)
    growth: Growth = Growth()
    reach_hr: float = Field(default=0.25, gt=0, lt=1)
    reach_minutes: float = Field(default=5.0, gt=0)
    reach_times: dict[str, float] = REACH_TIMES
    reach_rate: float = Field(default=1e-3, gt=0)
    serving: Serving = Serving()


QUICK: dict[str, Any] = {
    "repeats": 1,
    "batches": {
        **{"irn": 4, "plain": 2, "sasrec": 4, "gru4rec": 4, "bert4rec": 4},
        **{"rectools": 2, "recbole": 1},
    },
    "plan_pairs": 512,
    "plan_shipped_pairs": 64,
    "plain_pairs": 32,
    "plain_shipped_pairs": 1,
    "whole_plan_minutes": 0,
    "judged_share": 0.005,
    "judged_one_by_one": 50,
    "growth": {
        **{"users": (1_000, 10_000), "items": (1_000, 10_000), "lengths": (50, 100)},
        **{"batches": 4, "pairs": 32},
    },
    "reach_minutes": 0.5,
    "reach_times": {"rectools": 1.0, "recbole": 1.0},
    "serving": {"seconds": 10.0, "warm_up": 3.0},
}


def bench_config(quick: bool, changes: Mapping[str, Any]) -> BenchConfig:
    """Return the settings of a run.

    Args:
        quick: Start from the quick ones.
        changes: Settings that differ.
    """
    settings = {**(QUICK if quick else {})}
    for name, value in changes.items():
        # A group of settings is changed one by one.
        group = settings.get(name)
        settings[name] = {**group, **value} if isinstance(group, dict) else value
    return BenchConfig.parse(settings, "bench")


def chosen_parts(only: list[str]) -> tuple[str, ...]:
    """Return the parts to measure, in the order of a run.

    Args:
        only: Their names; none for all.

    Raises:
        ConfigError: There is no such part.
    """
    for name in only:
        if name not in PARTS:
            raise ConfigError(f"there is no part {name!r} to measure; parts: {', '.join(PARTS)}.")
    return tuple(name for name in PARTS if name in only or not only)
