"""A service that answers everything with the documented examples: HTTP alone is under test."""

import time
from typing import Any

from pydantic import TypeAdapter

from influpath.serving import schemas
from influpath.serving.api.examples import EXAMPLES
from influpath.serving.campaigns.caller import Caller
from influpath.serving.campaigns.service import Service

KEYS = {
    f"ip_{role}_{'k' * 43}": Caller("default", f"the {role}", role)
    for role in ("admin", "service", "viewer")
}
KEY_OF = {caller.role: key for key, caller in KEYS.items()}


def example(name: str) -> Any:
    """Return the example of a schema."""
    return TypeAdapter(getattr(schemas, name)).validate_python(EXAMPLES[name])


class ExamplesService(Service):
    """Answers with examples; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        # Raised instead of an answer, or waited for.
        self.error: Exception | None = None
        self.seconds = 0.0

    def _said(self, name: str, *asked: Any) -> Any:
        self.asked.append(asked)
        time.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        return example(name)

    def ready(self) -> None:
        self._said("Exclusions")

    def campaigns(self, caller: Caller, status: Any = None) -> Any:
        return (self._said("Campaign", caller, status),)

    def campaign(self, *asked: Any) -> Any:
        return self._said("Campaign", *asked)

    def create_campaign(self, *asked: Any) -> Any:
        return self._said("Campaign", *asked)

    def change_campaign(self, *asked: Any) -> Any:
        return self._said("Campaign", *asked)

    def report(self, *asked: Any) -> Any:
        return self._said("CampaignReport", *asked)

    def next(self, *asked: Any) -> Any:
        return self._said("Next", *asked)

    def feedback(self, caller: Caller, given: schemas.FeedbackIn) -> schemas.Feedback:
        self._said("Feedback", caller, given)
        return schemas.Feedback(
            results=tuple(
                schemas.Recorded(event_id=event.event_id, status="recorded")
                for event in given.events
            )
        )

    def plan(self, *asked: Any) -> Any:
        return self._said("Plan", *asked)

    def audience(self, *asked: Any) -> Any:
        return self._said("AudienceOut", *asked)

    def models(self, *asked: Any) -> Any:
        return (self._said("Model", *asked),)

    def register_model(self, *asked: Any) -> Any:
        return self._said("Model", *asked)

    def activate_model(self, *asked: Any) -> Any:
        return self._said("Model", *asked)

    def roll_back(self, *asked: Any) -> Any:
        return self._said("Model", *asked)

    def user(self, *asked: Any) -> Any:
        return self._said("User", *asked)

    def opt_out(self, *asked: Any) -> Any:
        return self._said("User", *asked)

    def exclude(self, *asked: Any) -> Any:
        return self._said("User", *asked)

    def add_goal(self, *asked: Any) -> Any:
        return self._said("Goal", *asked)

    def give_up_goal(self, *asked: Any) -> Any:
        return self._said("Goal", *asked)

    def delete_user(self, *asked: Any) -> Any:
        return self._said("Deleted", *asked)

    def audit(self, *asked: Any, **more: Any) -> Any:
        return self._said("AuditPage", *asked, *more.values())

    def exclusions(self, *asked: Any) -> Any:
        return self._said("Exclusions", *asked)

    def set_exclusions(self, *asked: Any) -> Any:
        return self._said("Exclusions", *asked)

    def search_items(self, *asked: Any) -> Any:
        return self._said("Page", *asked)

    def search_users(self, *asked: Any) -> Any:
        return self._said("Page", *asked)

    def categories(self, *asked: Any) -> Any:
        self._said("Exclusions", *asked)
        return ("Comedy", "Drama")
