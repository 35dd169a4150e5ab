"""What the Explore page shows: all of it is in the query string, so that a link restores it."""

from collections.abc import Iterable
from typing import Any, Literal, Self, get_args
from urllib.parse import urlencode

from fastapi import Request
from pydantic import Field

from influpath.config import FrozenConfig
from influpath.errors import ConfigError
from influpath.planning.objectives import Objective
from influpath.serving.schemas import Answered, Id, PlanIn

Reply = Literal["accepted", "rejected"]
# Fields of the query string that may be there more than once.
REPEATED = ("answered",)


class ExploreView(FrozenConfig):
    """What the Explore page shows.

    Attributes:
        who: Whether the history is that of a user, or was pasted.
        user: Id of the user.
        history: Ids or titles, one a line, oldest first.
        kind: What sort of objective.
        item: Id or title of the objective.
        items: Ids or titles of several, one a line.
        category: Name of the category.
        planner: Label; empty is the model's own.
        compare: Label of a second planner beside it; empty is none.
        horizon: The most items of the path.
        aggressiveness: 1 is as the planner was tuned.
        answered: What was answered on the page, such as "rejected:42", oldest first.
        frontier: Whether to say what other values of aggressiveness come to.
    """

    who: Literal["user", "history"] = "user"
    user: str = Field(default="", max_length=200)
    history: str = Field(default="", max_length=100_000)
    kind: Literal["item", "set", "category"] = "item"
    item: str = Field(default="", max_length=500)
    items: str = Field(default="", max_length=100_000)
    category: str = Field(default="", max_length=200)
    planner: str = Field(default="", max_length=200)
    compare: str = Field(default="", max_length=200)
    horizon: int = Field(default=20, ge=1, le=200)
    aggressiveness: float = Field(default=1.0, ge=0, le=10)
    answered: tuple[str, ...] = Field(default=(), max_length=200)
    frontier: bool = False

    @classmethod
    def of(cls, request: Request) -> Self:
        """Read the view from the query string; unknown keys are passed over, empty ones default.

        Raises:
            ConfigError: A value that cannot be; one sentence.
        """
        query = request.query_params
        values: dict[str, Any] = {
            key: query.getlist(key) if key in REPEATED else query[key].strip()
            for key in cls.model_fields
            if query.get(key, "").strip()
        }
        return cls.parse(values, "address of the page")

    def query(self, **changes: Any) -> str:
        """Return the query string of this view with some fields changed; defaults are left out."""
        pairs: list[tuple[str, str]] = []
        for key, value in self.model_copy(update=changes):
            if value != type(self).model_fields[key].default:
                many = value if key in REPEATED else (value,)
                pairs += [(key, text(one)) for one in many]
        return urlencode(pairs)

    def reply(self, accepted: Iterable[str], item: str, reply: Reply) -> str:
        """Return the query string after one more answer.

        Args:
            accepted: Items that come before it in the path and so are taken as accepted.
            item: What is answered.
            reply: How.
        """
        new = (*(f"accepted:{each}" for each in accepted), f"{reply}:{item}")
        return self.query(answered=self.answered + new)

    @property
    def asked(self) -> bool:
        """Whether there is a question to be answered: a history and an objective."""
        subject = self.user if self.who == "user" else self.history
        goal = {"item": self.item, "set": self.items, "category": self.category}[self.kind]
        return bool(subject and goal)

    @property
    def planners(self) -> tuple[str, ...]:
        """The planners side by side, the first one first; an empty label is the model's own."""
        return (self.planner, self.compare) if self.compare else (self.planner,)

    def replies(self) -> tuple[Answered, ...]:
        """Return what was answered.

        Raises:
            ConfigError: An entry is not of the form "rejected:ID".
        """
        found = []
        for entry in self.answered:
            reply, _, item = entry.partition(":")
            if reply not in get_args(Reply) or not item:
                raise ConfigError(
                    f"address of the page: answered={entry!r} is not understood; "
                    "it is 'accepted:' or 'rejected:' and the id of an item."
                )
            found.append(Answered.parse({"item_id": item, "answer": reply}, "address of the page"))
        return tuple(found)

    def ask(self, planner: str, history: Iterable[Id], objective: Objective) -> PlanIn:
        """Return what the service is asked for one planner's path.

        Args:
            planner: Label; empty is the model's own.
            history: Ids of the pasted items, where ``who`` is "history".
            objective: Where to.
        """
        subject = {"user_id": self.user} if self.who == "user" else {"history": tuple(history)}
        return PlanIn.parse(
            {
                **subject,
                "objective": objective,
                "planner": planner or None,
                "horizon": self.horizon,
                "aggressiveness": self.aggressiveness,
                "answered": self.replies(),
                "frontier": self.frontier,
            },
            "path",
        )


def text(value: object) -> str:
    """Return a value as it stands in the query string."""
    if isinstance(value, float):
        return f"{value:g}"
    return "on" if value is True else str(value)


def lines(text: str) -> tuple[str, ...]:
    """Return the lines that are not empty, without the space around them."""
    return tuple(filter(None, (line.strip() for line in text.splitlines())))
