"""The closed loop: a planner shows, users answer, the planner goes on from there.

Shape suffixes: B users still there, I catalogue items.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from influpath.data.sequences import IntArray
from influpath.errors import ConfigError
from influpath.planning.algorithm import Histories, encode_pairs
from influpath.planning.base import PlanBatch, Planner
from influpath.planning.responses import Response
from influpath.planning.sensitivity import Sensitivity
from influpath.planning.session import Session
from influpath.simulation.audience import Answers, Audience, LoopConfig
from influpath.simulation.chance import Chance
from influpath.simulation.users import FloatArray, UserModel
from influpath.simulation.visits import ALONE, ARRIVED, ENDS, LEFT, STAYED, Visits

RESPONSES = [response.name.lower() for response in Response]


def simulate(
    planner: Planner,
    users: UserModel,
    pairs: pl.DataFrame,
    histories: Histories,
    config: LoopConfig | None = None,
    sensitivity: Sensitivity | None = None,
    batch_size: int = 1024,
    progress: Callable[[int], None] | None = None,
) -> Visits:
    """Let a planner lead users who answer.

    Args:
        planner: Proposes, and hears every answer and every event.
        users: How users behave.
        pairs: Frame ``pair_id, user_id, objective_id``.
        histories: The history of each user; see ``plan``.
        config: What users are like beyond their taste, and how many rounds there are.
        sensitivity: How each user's aggressiveness is learned; None keeps it as the dials say.
        batch_size: Users at once.  It bounds memory and changes nothing else.
        progress: Called with the number of users that are done after every batch.

    Raises:
        ConfigError: Planner and users know other catalogues.
        DataError, UnknownIdError: See ``plan``.
    """
    config = config or LoopConfig()
    if planner.items != users.items:
        raise ConfigError(
            f"planner {planner.label!r} and users {users.name!r} number their items differently; "
            "train both on the same data."
        )
    known, objectives, planner_users = encode_pairs(planner, pairs, histories)
    model_users = users.users.encode(pairs["user_id"].to_list(), unknown="mark")
    pair_ids = pairs["pair_id"].to_numpy().astype(np.int64)
    records = []
    for start in range(0, len(pair_ids), batch_size):
        rows = np.arange(start, min(start + batch_size, len(pair_ids)))
        batch = PlanBatch(
            planner_users[rows], known.take(rows), objectives[rows], config.rounds, len(users.items)
        )
        audience = Audience(
            users.begin(model_users[rows], batch.histories),
            batch.objectives_B.copy(),
            Chance.of(config.seed, pair_ids[rows]),
            config,
        )
        record = Record(rows)
        with torch.inference_mode():
            run_batch(Session(planner, batch, sensitivity), audience, record)
        records.append(record)
        if progress is not None:
            progress(int(rows[-1]) + 1)
    return Visits(frame_of(records, pair_ids, users))


def run_batch(session: Session, audience: Audience, record: "Record") -> None:
    """Run the loop until every user has arrived, left or had all rounds."""
    first_BI = audience.users.log_probs().clone()
    there = np.arange(len(audience))
    for number in range(1, audience.config.rounds + 1):
        items_B = session.propose().items_B
        push_B = session.state.push_B
        answers = audience.show(items_B)
        shift_B = jensen_shannon(first_BI, audience.users.log_probs())
        record.add(there, number, items_B, push_B, answers, shift_B)
        going_on = np.flatnonzero(~answers.over_B)
        if not len(going_on):
            break
        session.respond(items_B, answers.responses_B)
        session.observe(answers.events_B)
        if len(going_on) < len(there):
            there = there[going_on]
            session.keep(going_on)
            audience.keep(going_on)
            first_BI = first_BI[torch.from_numpy(going_on)]
    record.ends[record.ends == ""] = STAYED


@dataclass(eq=False)
class Record:
    """Collects what happened, round by round, without a loop over users.

    Attributes:
        rows: Places of the users in the frame of pairs.
        columns: Per round, what is known of the users still there.
        ends: How each user's visit ended; "" while it lasts.
    """

    rows: IntArray
    columns: list[dict[str, Any]] = field(default_factory=list)
    ends: Any = field(init=False)

    def __post_init__(self) -> None:
        self.ends = np.full(len(self.rows), "", dtype=object)

    def add(
        self,
        there: IntArray,
        number: int,
        items_B: IntArray,
        push_B: FloatArray,
        answers: Answers,
        shift_B: Tensor,
    ) -> None:
        """Add one round of the users still there, by their places in ``rows``."""
        self.columns.append(
            {
                "place": self.rows[there],
                "round": np.full(len(there), number, dtype=np.int16),
                "item": items_B,
                "response": answers.responses_B.astype(np.int64),
                "acceptance": answers.acceptance_B.astype(np.float32),
                "event": answers.events_B,
                "push": push_B.astype(np.float32),
                "shift": shift_B.numpy(),
            }
        )
        self.ends[there[answers.arrived_B]] = ARRIVED
        self.ends[there[answers.alone_B]] = ALONE
        self.ends[there[answers.left_B]] = LEFT


def frame_of(records: list[Record], pair_ids: IntArray, users: UserModel) -> pl.DataFrame:
    """Return what was recorded as the frame of ``Visits``."""
    rounds = [columns for record in records for columns in record.columns]
    kinds: dict[str, Any] = {
        "place": np.int64,
        "round": np.int16,
        "item": np.int64,
        "response": np.int64,
        "acceptance": np.float32,
        "event": np.int64,
        "push": np.float32,
        "shift": np.float32,
    }
    joined = {
        name: np.concatenate([np.empty(0, kind), *(columns[name] for columns in rounds)])
        for name, kind in kinds.items()
    }
    order = np.lexsort((joined["round"], joined["place"]))
    joined = {name: values[order] for name, values in joined.items()}
    place = joined["place"]
    last = np.append(place[1:] != place[:-1], True)[: len(place)]
    ends = np.concatenate([np.empty(0, object), *(record.ends for record in records)])

    def items(name: str, numbers: IntArray) -> pl.Series:
        shown = users.items.series(name, np.maximum(numbers, 1))
        return shown.zip_with(pl.Series(numbers > 0), pl.Series(name, [None], shown.dtype))

    return pl.DataFrame(
        {
            "pair_id": pair_ids[place],
            "round": joined["round"],
            "item_id": items("item_id", joined["item"]),
            "response": pl.Series(RESPONSES, dtype=pl.Enum(RESPONSES))[joined["response"]],
            "acceptance": joined["acceptance"],
            "event_id": items("event_id", joined["event"]),
            "push": joined["push"],
            "shift": joined["shift"],
            "end": pl.Series(ends[place].tolist(), dtype=pl.Enum(ENDS)).zip_with(
                pl.Series(last), pl.Series([None], dtype=pl.Enum(ENDS))
            ),
        }
    )


def jensen_shannon(log_p_BI: Tensor, log_q_BI: Tensor) -> Tensor:
    """Return the Jensen-Shannon divergence of distributions in bits, float32 [B]: 0 to 1."""
    p_BI, q_BI = log_p_BI.exp(), log_q_BI.exp()
    mean_BI = (p_BI + q_BI) / 2
    # Where both are 0 the mean's logarithm is not wanted.
    mixed_B = torch.special.entr(mean_BI).sum(1)
    own_B = torch.special.entr(p_BI).sum(1) + torch.special.entr(q_BI).sum(1)
    divergence_B: Tensor = (mixed_B - own_B / 2) / np.log(2)
    return divergence_B.clamp(0.0, 1.0).float()
