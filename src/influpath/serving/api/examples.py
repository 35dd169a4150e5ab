"""An example of everything that goes in and out, by the name of its schema."""

from typing import Any

OBJECTIVE = {"kind": "item", "id": 2858}
FILM = {"id": 2858, "title": "American Beauty (1999)", "categories": ["Comedy", "Drama"]}
STEP = {"id": 608, "title": "Fargo (1996)", "categories": ["Crime", "Drama", "Thriller"]}
CAMPAIGN_ID = "c-4f1d2a90b7"
PROPOSAL_ID = "p-9d20c7e155"
NOW = "2026-11-24T09:30:00Z"
VERSION = "2026-11-24"
WHY = "close to what you watched last, and it raises the chance of the objective"
EXCLUSIONS = {"items": [1193], "categories": ["Horror"]}
CAMPAIGN_IN = {
    "name": "Best picture",
    "objective": OBJECTIVE,
    "horizon": 20,
    "holdout": 0.1,
    "guardrails": {"floor": 100, "min_feasibility": 0.01, "excluded": EXCLUSIONS},
}
CAMPAIGN = {
    **CAMPAIGN_IN,
    "id": CAMPAIGN_ID,
    "status": "running",
    "objective_words": "American Beauty (1999)",
    "created_at": NOW,
    "audience": {"kind": "everyone"},
}
FIGURES = {
    "aggressiveness": 1.0,
    "increase_of_interest": 4.05,
    "log_perplexity": 4.51,
    "worst_step": 7.03,
    "reached": True,
    "accepted": True,
    "length": 1,
}
GOAL = {
    "id": "g-1b77aa02c4",
    "objective": {"kind": "category", "name": "Documentary"},
    "horizon": 20,
    "objective_words": "category Documentary",
    "status": "open",
    "created_at": NOW,
}
JOURNEY = {
    "id": "j-77d1e0f3a8",
    "campaign_id": CAMPAIGN_ID,
    "goal_id": None,
    "arm": "treated",
    "status": "open",
    "objective_words": "American Beauty (1999)",
    "shown": 3,
    "horizon": 20,
    "feasibility": 0.24,
    "model": VERSION,
    "started_at": NOW,
}
MODEL = {
    "version": VERSION,
    "active": True,
    "journeys": 12,
    "fingerprint": "b1946ac92492d2347c6235b4d2611184b1946ac92492d2347c6235b4d2611184",
    "dataset": "ml-1m",
    "users": 6040,
    "items": 3416,
    "planners": ["irn", "vanilla"],
    "judge": "sasrec",
    "longest": 20,
    "calibrated": True,
    "registered_at": NOW,
    "activated_at": NOW,
}
AUDIT_ENTRY = {
    "number": 17,
    "at": NOW,
    "actor": "shop",
    "action": "proposal.shown",
    "subject": "s-5e8f0c21d9",
    "campaign_id": CAMPAIGN_ID,
    "model": VERSION,
    "details": {"item": "608", "reason": WHY, "aggressiveness": 1.0},
    "words": "Fargo (1996) was shown for the campaign Best picture.",
}


def estimate(value: float, low: float, high: float, n: int) -> dict[str, Any]:
    """Return a figure with its interval."""
    return {"value": value, "low": low, "high": high, "n": n}


EXAMPLES: dict[str, Any] = {
    "Problem": {"detail": "no campaign 'c-4f1d2a90b7'; GET /v1/campaigns lists them."},
    "Status": {"status": "ok"},
    "KeyIn": {"key": "ip_KEYID_SECRET"},
    "SignedIn": {"tenant": "default", "name": "analyst", "role": "viewer"},
    "CampaignIn": CAMPAIGN_IN,
    "Campaign": CAMPAIGN,
    "CampaignChange": {"status": "paused"},
    "NextIn": {"user_id": 17},
    "Next": {
        "proposal_id": PROPOSAL_ID,
        "user_id": 17,
        "item": STEP,
        "source": "campaign",
        "campaign_id": CAMPAIGN_ID,
        "goal_id": None,
        "step": 4,
        "horizon": 20,
        "is_objective": False,
        "acceptance": 0.031,
        "rank": 6,
        "reason": WHY,
        "note": None,
        "model": VERSION,
    },
    "FeedbackIn": {
        "events": [
            {
                "event_id": "e-1",
                "user_id": 17,
                "kind": "accepted",
                "proposal_id": PROPOSAL_ID,
                "at": NOW,
            },
            {"event_id": "e-2", "user_id": 17, "kind": "organic", "item_id": 2571},
        ]
    },
    "Feedback": {
        "results": [
            {"event_id": "e-1", "status": "recorded"},
            {"event_id": "e-2", "status": "duplicate"},
        ]
    },
    "PlanIn": {"user_id": 17, "objective": OBJECTIVE, "horizon": 20, "floor": 100},
    "Plan": {
        "history": [STEP],
        "target": FILM,
        "steps": [
            {
                "number": 1,
                "item": FILM,
                "is_objective": True,
                "acceptance": 0.042,
                "rank": 5,
                "objective_probability": 0.042,
                "reason": "the objective, now acceptable",
            }
        ],
        "figures": FIGURES,
        "end_probability": 0.042,
        "feasibility": 0.24,
        "reachable": True,
        "note": None,
        "words": ["1 in 4 users like this one arrive."],
        "planner": "irn",
        "judge": "sasrec",
        "model": VERSION,
        "frontier": [],
    },
    "AudienceIn": {"objective": OBJECTIVE, "min_feasibility": 0.2, "top": 10},
    "AudienceOut": {
        "members": [{"user_id": 17, "target": FILM, "feasibility": 0.24}],
        "reachable": 1210,
        "total": 6040,
        "words": "1 in 5 users can be led there.",
    },
    "ModelIn": {"version": VERSION},
    "Model": MODEL,
    "OptOutIn": {"opted_out": True},
    "Exclusions": EXCLUSIONS,
    "GoalIn": {"objective": GOAL["objective"], "horizon": 20},
    "Goal": GOAL,
    "User": {
        "user_id": 17,
        "opted_out": False,
        "excluded": EXCLUSIONS,
        "goals": [GOAL],
        "journeys": [JOURNEY],
        "recent": [STEP],
    },
    "Deleted": {"user_id": 17, "events": 41, "proposals": 40, "journeys": 2},
    "AuditPage": {"entries": [AUDIT_ENTRY], "last": 17},
    "Page": {"items": [FILM], "users": [], "total": 1},
    "CampaignReport": {
        "campaign": CAMPAIGN,
        "funnel": [
            {"stage": "enrolled", "treated": 900, "control": 100},
            {"stage": "arrived", "treated": 180, "control": 4},
        ],
        "uplift": {
            "treated": estimate(0.2, 0.15, 0.26, 900),
            "control": estimate(0.04, 0.0, 0.14, 100),
            "difference": estimate(0.16, 0.04, 0.24, 1000),
            "level": 0.95,
            "pending": 0,
            "decided": True,
            "words": "16 more of 100 users arrive because of the campaign.",
        },
        "users_needed": {
            "users": 2400,
            "baseline": 0.04,
            "least_uplift": 0.05,
            "power": 0.8,
            "enrolled": 1000,
            "words": "2,400 users decide about 5 more of 100; 1,000 are enrolled.",
        },
        "shift": {
            "treated": estimate(0.09, 0.08, 0.1, 900),
            "control": estimate(0.07, 0.05, 0.09, 100),
            "induced": estimate(0.02, -0.01, 0.05, 1000),
            "words": "Tastes moved about as much as they do by themselves.",
        },
        "answers": {"accepted": 4100, "rejected": 2300, "ignored": 900, "open": 60},
        "days": [{"day": NOW, "shown": 700, "accepted": 400, "rejected": 220, "arrived": 9}],
        "words": ["16 more of 100 users arrive because of the campaign."],
    },
}
