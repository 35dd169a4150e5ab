"""The audit log in plain language, one sentence or two per entry."""

from collections.abc import Mapping
from typing import Any

from influpath.serving.effects.words import one_in, percent

# What is said of an action; names in braces are details, {who} is the actor, {thing} the item.
SAID: Mapping[str, str] = {
    "key.created": "The key {name} with the role {role} was made.",
    "key.revoked": "The key {name} was revoked.",
    "model.registered": "{who} registered model {model}.",
    "model.activated": "{who} made model {model} active.",
    "model.rolled_back": "{who} went back from model {was} to model {model}.",
    "campaign.created": "{who} created the campaign {campaign}, which leads to {words}.",
    "campaign.changed": "{who} changed the campaign {campaign}: {changes}.",
    "campaign.paused": "{who} paused the campaign {campaign}.",
    "campaign.resumed": "{who} let the campaign {campaign} run again.",
    "campaign.ended": "The campaign {campaign} ended ({note}; by {who}).",
    "exclusions.set": "{who} set what nobody is shown: {excluded}.",
    "user.opted_out": "The user opted out of campaigns.",
    "user.opted_in": "The user no longer opts out of campaigns.",
    "user.excluded": "The user set what they never want to see: {excluded}.",
    "user.deleted": "The user's data was deleted.",
    "goal.set": "The user set a goal: {objective}.",
    "goal.given_up": "The user gave up a goal: {objective}.",
    "item.accepted": "The user accepted {thing}.",
    "item.rejected": "The user rejected {thing}; it is not shown again.",
    "item.ignored": "The user ignored {thing}.",
    "item.taken": "The user took {thing} without being shown it.",
    "proposal.expired": "{thing} was not answered in time and counts as ignored.",
    "proposal.withdrawn": "{thing} was withdrawn.",
    "proposal.none": "There was nothing to show: {note}.",
}
ENDS = {
    "over": "came to its end",
    "stopped": "was stopped",
    "arrived": "arrived",
}


def words(
    actor: str, action: str, model: str | None, details: Mapping[str, Any], title: str | None = None
) -> str:
    """Return what an entry says, as anybody can read it.

    Args:
        actor: Name of the key, "user" or "system".
        action: What was done.
        model: Version, where there is one.
        details: As recorded.
        title: Of the item, as it is known now, for entries that do not have it.
    """
    item, title = details.get("item"), details.get("title", title)
    thing = f"{title} (item {item})" if title not in (None, item) else f"item {item}"
    if action == "proposal.shown":
        return shown(thing, model, details)
    if action.startswith("journey."):
        return journey(action, details)
    known = {
        **details,
        "who": f"key {actor}" if actor not in ("user", "system") else f"the {actor}",
        "model": model,
        "thing": thing,
        "changes": ", ".join(
            f"{key} is now {value}" for key, value in details.items() if key != "campaign"
        ),
        "excluded": excluded(details),
    }
    template = SAID.get(action, action)
    sentence = template.format_map(Known(known))
    # Titles stay as they are.
    return (
        capital(sentence) if template.startswith("{thing}") else sentence[0].upper() + sentence[1:]
    )


class Known(dict[str, Any]):
    """Details; what is missing is said to be so, which never keeps a log from being read."""

    def __missing__(self, key: str) -> str:
        return "nothing said" if key == "note" else "?"


def shown(thing: str, model: str | None, details: Mapping[str, Any]) -> str:
    """Say what was shown, and why."""
    if details.get("objective") is None:
        why = "by the plain recommender"
    else:
        step, horizon = details.get("step"), details.get("horizon")
        leads = f"which leads to {details['objective']}"
        of = f"step {step} of at most {horizon}"
        campaign = details.get("campaign")
        whose = f"the campaign {campaign}" if campaign is not None else "the user's own goal"
        push = details.get("aggressiveness")
        how = f", aggressiveness {push:.3g}" if push is not None else ""
        why = f"as {of} of {whose}, {leads}{how}"
    said = [f"{thing} was shown {why}, by model {model}."]
    if details.get("reason"):
        said.append(f"Reason: {str(details['reason']).rstrip('.')}.")
    if details.get("acceptance") is not None:
        share = details["acceptance"]
        said.append(
            f"The model found it {percent(share)} probable ({one_in(share)}) that the user would "
            "pick it unasked."
        )
    return capital(" ".join(said))


def journey(action: str, details: Mapping[str, Any]) -> str:
    """Say what became of a journey."""
    campaign = details.get("campaign")
    whose = f"the campaign {campaign}" if campaign is not None else "an own goal"
    if action == "journey.enrolled":
        if details.get("arm") == "control":
            return f"The user came into the hold-out of {whose} and is not led by it."
        return f"The user was enrolled in {whose}."
    if action == "journey.arrived":
        return f"The user reached the objective of {whose}."
    how = ENDS.get(str(details.get("status")), "ended")
    note = f": {details['note']}" if details.get("note") else ""
    return f"The journey of {whose} {how}{note}."


def excluded(details: Mapping[str, Any]) -> str:
    """Say what is excluded."""
    parts = []
    if details.get("items"):
        parts.append("items " + ", ".join(map(str, details["items"])))
    if details.get("categories"):
        parts.append("categories " + ", ".join(map(str, details["categories"])))
    return " and ".join(parts) or "nothing"


def capital(text: str) -> str:
    """Return a text with a capital letter, titles as they are."""
    return "I" + text[1:] if text.startswith("item ") else text
