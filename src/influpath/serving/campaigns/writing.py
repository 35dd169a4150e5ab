"""What is written of a decision: rows, and entries of the audit log."""

from datetime import datetime
from typing import Any

from influpath.serving.campaigns.deciding import Decision
from influpath.serving.campaigns.situation import Leg, Situation
from influpath.serving.store import audit


def never_came(situation: Situation, turn: int) -> dict[str, Any]:
    """Return the event that stands for an answer which never came."""
    proposal = situation.proposal
    if proposal is None:
        raise ValueError("no proposal is open")
    return {
        "tenant_id": situation.tenant,
        "event_id": None,
        "user_ref": situation.user.id,
        "turn": turn,
        "kind": "ignored",
        "item": proposal.item,
        "proposal_id": proposal.id,
        "journey_id": proposal.journey_id,
        "at": None,
        "recorded_at": situation.now,
    }


def standing(leg: Leg, now: datetime) -> dict[str, Any]:
    """Return what is kept of how a journey stands."""
    return {
        "status": leg.status,
        "version": leg.version,
        "shown": leg.shown,
        "feasibility": leg.feasibility,
        "note": leg.note,
        "began_turn": leg.began_turn,
        "ended_at": None if leg.status == "open" else now,
    }


def added(situation: Situation, leg: Leg, turn: int) -> dict[str, Any]:
    """Return a journey's row."""
    return {
        "id": leg.id,
        "tenant_id": situation.tenant,
        "user_ref": situation.user.id,
        "campaign_id": leg.campaign.id if leg.campaign else None,
        "goal_id": leg.goal_id,
        "arm": leg.arm,
        "horizon": leg.horizon,
        "enrolled_turn": turn,
        "enrolled_at": situation.now,
        **standing(leg, situation.now),
    }


def entries_of(situation: Situation, decision: Decision, title: str | None) -> list[dict[str, Any]]:
    """Return what the audit log says of a decision."""
    now, subject = situation.now, situation.user.subject
    found = []
    proposal = situation.proposal
    if proposal is not None and decision.closing is not None:
        found.append(
            audit.entry(
                now,
                "system",
                f"proposal.{decision.closing}",
                subject=subject,
                campaign_id=proposal.campaign_id,
                model=proposal.version,
                proposal=proposal.id,
                item=proposal.item,
            )
        )
    for leg in decision.legs:
        if leg.new:
            found.append(entry_of(situation, leg, "journey.enrolled", arm=leg.arm))
        if leg.changed and leg.status != "open":
            ended = {"status": leg.status, "note": leg.note}
            found.append(entry_of(situation, leg, "journey.ended", **ended))
    answer, led = decision.answer, decision.leg
    found.append(
        audit.entry(
            now,
            "system",
            "proposal.shown" if answer.item is not None else "proposal.none",
            subject=subject,
            campaign_id=led.campaign.id if led and led.campaign else None,
            model=decision.version,
            item=answer.item,
            title=title,
            reason=answer.reason,
            note=answer.note,
            campaign=led.terms.name if led and led.campaign else None,
            goal=led.goal_id if led else None,
            objective=led.objective_words if led else None,
            step=led.shown if led else None,
            horizon=led.horizon if led else None,
            aggressiveness=answer.aggressiveness if led else None,
            acceptance=answer.acceptance,
            rank=answer.rank,
        )
    )
    return found


def entry_of(situation: Situation, leg: Leg, action: str, **details: Any) -> dict[str, Any]:
    """Return what the audit log says of a journey."""
    return audit.entry(
        situation.now,
        "system",
        action,
        subject=situation.user.subject,
        campaign_id=leg.campaign.id if leg.campaign else None,
        model=leg.version,
        campaign=leg.terms.name if leg.campaign else None,
        goal=leg.goal_id,
        objective=leg.objective_words,
        **details,
    )
