"""What platforms ask through HTTP, in one call each."""

from collections.abc import Callable
from typing import Any

import httpx

# Makes a client with a new key, of a role and tenant.
Enter = Callable[..., httpx.Client]
OBJECTIVE = {"kind": "item", "id": 12}
CAMPAIGN = {"name": "Film 12", "objective": OBJECTIVE, "holdout": 0.0, "guardrails": {"floor": 0}}


def asked(response: httpx.Response, status: int = 200) -> Any:
    """Return an answer after checking its status."""
    assert response.status_code == status, response.text
    return response.json()


def follow(
    platform: httpx.Client, user: int | str, answer: str = "accepted", steps: int = 1
) -> list[Any]:
    """Let a user answer some proposals; return them."""
    shown = []
    for _ in range(steps):
        proposal = asked(platform.post("/v1/next", json={"user_id": user}))
        assert asked(platform.post("/v1/next", json={"user_id": user})) == proposal
        event = {
            "event_id": f"{proposal['proposal_id']}-{answer}",
            "user_id": user,
            "kind": answer,
            "proposal_id": proposal["proposal_id"],
        }
        for status in ("recorded", "duplicate"):
            said = asked(platform.post("/v1/feedback", json={"events": [event]}))
            assert said["results"] == [{"event_id": event["event_id"], "status": status}]
        shown.append(proposal)
    return shown
