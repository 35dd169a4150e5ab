"""Influence paths one by one, with titles: what the averages of a result are made of."""

import io
import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Literal

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from influpath.config import FrozenConfig
from influpath.data.dataset import Dataset
from influpath.data.sequences import IntArray
from influpath.errors import ResultError
from influpath.evaluation.judging import Judgement
from influpath.evaluation.metrics import accepted_success, increase_of_interest
from influpath.experiments.run import Run

Kind = Literal["best", "median", "random"]

# The judge's top ranks that count as accepting, and how many history items an example shows.
ACCEPTED_RANK, HISTORY_SHOWN = 20, 5


class Item(FrozenConfig):
    """An item as people know it."""

    title: str
    genres: tuple[str, ...] = ()


class Step(FrozenConfig):
    """One item of a path, at the moment it is shown.

    Attributes:
        number: 1, 2, ...
        item: What is shown.
        log_prob: The judge's log P(item | what came before).
        rank: Its rank among the items that are neither in the history nor shown before.
        candidates: How many items that ranking has.
        objective_log_prob: log P(objective | what came before).
        is_objective: Whether the item is the objective.
    """

    number: int
    item: Item
    log_prob: float
    rank: int
    candidates: int
    objective_log_prob: float
    is_objective: bool = False

    @property
    def accepted(self) -> bool:
        """Whether the item is among the judge's top 20 when it is shown."""
        return self.rank <= ACCEPTED_RANK


class Example(FrozenConfig):
    """One path with all that is needed to print it; saved and read as JSON by pydantic.

    Attributes:
        kind: Why it was picked: "best", "median" or "random".
        planner: The planner's label.
        judge: The judge's name.
        user_id: Outside user id, as text if it is neither text nor a number.
        history: The last few items of the history, oldest first.
        history_length: Number of items in the whole history.
        objective: Where the path is to lead.
        steps: The path.
        start_log_prob: log P(objective) before the path.
        end_log_prob: log P(objective) just before it is shown, or at the end of a failed path.
        reached: Whether the path shows the objective.
        accepted: Whether it does so while the objective is among the judge's top 20.
    """

    kind: Kind
    planner: str
    judge: str
    user_id: int | str
    history: tuple[Item, ...]
    history_length: int
    objective: Item
    steps: tuple[Step, ...]
    start_log_prob: float
    end_log_prob: float
    reached: bool
    accepted: bool

    @property
    def gain(self) -> float:
        """Growth of log P(objective) over the path, in nats (IoI of this pair)."""
        return self.end_log_prob - self.start_log_prob

    @property
    def outcome(self) -> str:
        """What came of it, in plain words."""
        if self.accepted:
            return "objective shown and accepted"
        if self.reached:
            return "objective shown, not accepted"
        return "objective not shown" if self.steps else "no path found"


def example_paths(run: Run, count: int = 10, planner: str | None = None) -> list[Example]:
    """Pick paths of a planner on the report pairs: the best, the median and random ones.

    The best are those with the highest gain in log P(objective), accepted objectives first; the
    median ones are those whose gain is nearest the median; the random ones are drawn with the
    run's seed.  Roughly 4 : 3 : 3, no path twice, fewer if there are fewer pairs.

    Args:
        run: Its judgements are used, or made.
        count: How many paths.
        planner: A planner's label; by default "irn", or the run's first planner if it has no IRN.

    Raises:
        ResultError: The run has no such planner, or it is the oracle, which is no planner.
    """
    if planner is None:
        planner = "irn" if "irn" in run.judgements else next(iter(run.judgements), None)
    if planner is None:
        return []
    if planner not in run.judgements:
        known = ", ".join(run.judgements)
        raise ResultError(f"examples: no planner {planner!r} in this run; it has {known}.")
    judgement = run.judgements[planner]
    objectives = dict(run.report_pairs.select("pair_id", "objective_id").iter_rows())
    return [
        example_of(
            judgement, row, kind, planner, objectives[int(judgement.pair_ids[row])], run.split.train
        )
        for kind, row in choose_rows(judgement, count, run.config.seed)
    ]


def choose_rows(judgement: Judgement, count: int, seed: int) -> list[tuple[Kind, int]]:
    """Return which pairs to show, as rows of the judgement, and why each; roughly 4 : 3 : 3."""
    third = count * 3 // 10
    return choose_by_kind(
        judgement, {"best": count - 2 * third, "median": third, "random": third}, seed
    )


def choose_by_kind(
    judgement: Judgement, wanted: Mapping[Kind, int], seed: int
) -> list[tuple[Kind, int]]:
    """Return so many pairs of each kind, as rows of the judgement; none twice.

    Args:
        judgement: Of the planner whose paths are chosen.
        wanted: How many of each kind; the best are chosen first, then the median ones.
        seed: Draws the random ones.
    """
    gain, accepted = increase_of_interest(judgement), accepted_success(judgement, ACCEPTED_RANK)
    best = np.lexsort((-gain, -accepted))
    median = np.argsort(np.abs(gain - np.median(gain)), kind="stable") if len(gain) else best
    drawn = np.random.default_rng([seed, 0xE6]).permutation(len(gain))
    chosen: dict[int, Kind] = {}
    orders: dict[Kind, IntArray] = {"best": best, "median": median, "random": drawn}
    for kind, order in orders.items():
        fresh = [row for row in order.tolist() if row not in chosen]
        chosen |= dict.fromkeys(fresh[: wanted.get(kind, 0)], kind)
    return [(kind, row) for row, kind in chosen.items()]


def example_of(
    judgement: Judgement,
    row: int,
    kind: Kind,
    planner: str,
    objective: Hashable,
    train: Dataset,
    history_shown: int = HISTORY_SHOWN,
) -> Example:
    """Return one path with all that is needed to print it.

    Args:
        judgement: What the judge says of the planner's paths.
        row: The pair, as row of the judgement.
        kind: Why it was picked.
        planner: The planner's label.
        objective: The pair's objective, as outside id.
        train: The histories, and the catalogue.
        history_shown: At most so many of the last history items.
    """
    user = int(judgement.user_rows[row])
    user_id = train.users.ids[user]
    history = train.sequences.row(user)
    path = train.items.decode(judgement.paths.row(row))
    first, before = int(judgement.paths.offsets[row]), int(judgement.before[row])
    # An item that was shown twice, or was in the history, is missing from the ranking but once.
    known = [len(np.unique(history))]
    for is_new in ~judgement.repeated[first : first + len(path)]:
        known.append(known[-1] + int(is_new))
    steps = tuple(
        Step(
            number=k + 1,
            item=_item(train, shown),
            log_prob=float(judgement.item_log_probs[first + k]),
            rank=int(judgement.item_ranks[first + k]),
            candidates=judgement.item_count - known[k],
            objective_log_prob=float(judgement.objective_log_probs[before + k]),
            is_objective=shown == objective,
        )
        for k, shown in enumerate(path)
    )
    reached = bool(judgement.reached[row])
    return Example(
        kind=kind,
        planner=planner,
        judge=judgement.judge,
        user_id=user_id if isinstance(user_id, (int, str)) else str(user_id),
        history=tuple(_item(train, i) for i in train.items.decode(history[-history_shown:])),
        history_length=len(history),
        objective=_item(train, objective),
        steps=steps,
        start_log_prob=float(judgement.objective_log_probs[before]),
        end_log_prob=float(judgement.objective_log_probs[judgement.influenced[row]]),
        reached=reached,
        accepted=reached and steps[-1].accepted,
    )


def _item(dataset: Dataset, item_id: Hashable) -> Item:
    return Item(title=dataset.title(item_id), genres=tuple(dataset.genres(item_id)))


def odds(log_prob: float | None) -> str:
    """Return a log-probability as people say it: "1 in 12".

    >>> odds(math.log(0.0012345))
    '1 in 810'
    """
    if log_prob is None or math.isnan(log_prob):
        return "–"
    if log_prob < -27:  # under one in 5e11, where counting means nothing
        return "next to never"
    one_in = math.exp(-min(log_prob, 0.0))
    if one_in < 10:
        return f"1 in {one_in:.1f}".removesuffix(".0")
    # Two digits: nobody is that sure.
    size = 10 ** (math.floor(math.log10(one_in)) - 1)
    return f"1 in {round(one_in / size) * size:,}"


def render_example(example: Example) -> RenderableType:
    """Return one path for the terminal: every step from the last history item to the objective."""
    table = Table(pad_edge=False)
    table.add_column("step", justify="right")
    table.add_column("item", overflow="fold", ratio=3)
    table.add_column("genres", overflow="fold", ratio=2, style="dim")
    table.add_column("would the user take it?", no_wrap=True)
    table.add_column("the objective, before", no_wrap=True)
    if example.history:
        last = example.history[-1]
        table.add_row("", Text(last.title), _genres(last), "last in the history", "")
    for step in example.steps:
        table.add_row(
            str(step.number),
            Text(step.item.title, style="bold" if step.is_objective else ""),
            _genres(step.item),
            Text(
                f"rank {step.rank:,} of {step.candidates:,}", style="green" if step.accepted else ""
            ),
            odds(step.objective_log_prob),
        )
    if not example.reached:
        missed = Text(f"({example.objective.title}, not shown)")
        table.add_row("", missed, _genres(example.objective), "", odds(example.end_log_prob))
    heading = Text(f"user {example.user_id} to {example.objective.title}", style="bold")
    ending = Text(
        f"{example.outcome}; interest in it from {odds(example.start_log_prob)} to "
        f"{odds(example.end_log_prob)} (IoI {example.gain:+.2f} nats), says the judge "
        f"{example.judge}"
    )
    return Group(heading, table, ending)


def print_example(example: Example, width: int = 110) -> str:
    """Return one path as text without colours."""
    console = Console(width=width, file=io.StringIO(), force_terminal=False, no_color=True)
    with console.capture() as capture:
        console.print(render_example(example))
    return capture.get()


def dump_examples(examples: Sequence[Example]) -> list[dict[str, object]]:
    """Return examples for JSON; ``Example.parse(entry, where)`` reads one back."""
    return [example.model_dump(mode="json") for example in examples]


def _genres(item: Item) -> Text:
    return Text(", ".join(item.genres))
