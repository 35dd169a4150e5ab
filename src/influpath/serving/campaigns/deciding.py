"""Deciding what a user is shown next; nothing is written here."""

from dataclasses import dataclass
from typing import Literal

from influpath.errors import ConfigError, ModelFileError, UnknownIdError
from influpath.serving.campaigns import choosing
from influpath.serving.campaigns.base import Base, bundle
from influpath.serving.campaigns.catalogues import excludes, together
from influpath.serving.campaigns.holdout import arm_of
from influpath.serving.campaigns.situation import (
    Leg,
    Situation,
    limits,
    moments,
    person,
    rejected,
    resting,
    taken,
)
from influpath.serving.engine.asks import RateAsk, StepAnswer, StepAsk
from influpath.serving.engine.begin_asks import BeginAsk, Candidate, may_begin
from influpath.serving.store.events import Happened
from influpath.serving.store.names import fresh

Closing = Literal["expired", "withdrawn"]


@dataclass(frozen=True)
class Decision:
    """What is shown next.

    Attributes:
        closing: What becomes of the proposal that is open.
        legs: The user's journeys as they stand then.
        leg: The one that shows it; None for the plain recommender.
        answer: The item.
        version: Of the model.
    """

    closing: Closing | None
    legs: list[Leg]
    leg: Leg | None
    answer: StepAnswer
    version: str


class Deciding(Base):
    """What a user is shown next."""

    def _closing(self, situation: Situation) -> Closing | None:
        """Return what becomes of the open proposal; None where it is shown again."""
        proposal = situation.proposal
        if proposal is None:
            return None
        age = situation.now - proposal.created_at
        if age.total_seconds() >= self.settings.proposal_days * 86_400:
            return "expired"
        given = [situation.excluded, situation.own_excluded]
        if proposal.campaign_id is not None:
            campaign = {each.id: each for each in situation.campaigns}[proposal.campaign_id]
            if situation.user.opted_out or not campaign.leads(situation.now):
                return "withdrawn"
            given.append(campaign.terms.guardrails.excluded)
        if proposal.journey_id is not None and proposal.journey_status != "open":
            return "withdrawn"
        try:
            catalogue = self._catalogue(situation.tenant, proposal.version)
        except ModelFileError:
            return "withdrawn"
        exclusions = together(*given)
        return "withdrawn" if excludes(catalogue, exclusions, proposal.item) else None

    def _decide(self, situation: Situation, closing: Closing | None) -> Decision:
        """Return what is shown next."""
        happened = list(situation.happened)
        legs = situation.legs
        proposal = situation.proposal
        if proposal is not None and closing == "expired":
            turn = situation.user.turn + 1
            happened.append(Happened(turn, "ignored", proposal.item, proposal.journey_id))
        if proposal is not None and closing == "withdrawn":
            for leg in legs:
                if leg.id == proposal.journey_id:
                    leg.shown, leg.changed = leg.shown - 1, True
        legs += self._enrolled(situation, happened)
        for leg in legs:
            if leg.goal_id is not None and leg.status == "open":
                answer = self._step(situation, leg, happened)
                if answer is not None:
                    return Decision(closing, legs, leg, answer, leg.version)
        led = self._lead(situation, legs, happened) if not situation.user.opted_out else None
        if led is not None:
            return Decision(closing, legs, led[0], led[1], led[0].version)
        return Decision(closing, legs, None, self._plain(situation, happened), situation.active)

    def _enrolled(self, situation: Situation, happened: list[Happened]) -> list[Leg]:
        """Return the journeys of campaigns that meet the user for the first time."""
        if situation.user.opted_out:
            return []
        there = {leg.campaign.id for leg in situation.legs if leg.campaign is not None}
        found: list[Leg] = []
        had: set[str] | None = None
        # The oldest first, so that they stand in the order of enrolment.
        for campaign in reversed(situation.campaigns):
            if campaign.id in there or not campaign.leads(situation.now):
                continue
            if campaign.named and campaign.id not in situation.named:
                continue
            objective = campaign.terms.objective
            try:
                members = self._members(situation.tenant, situation.active, objective)
            except UnknownIdError:
                continue
            if had is None:
                catalogue = self._catalogue(situation.tenant, situation.active)
                known = catalogue.history(situation.user_id) if situation.user.known else ()
                had = set(known) | set(taken(happened))
            # Who has it all cannot be led there, nor compared with those who can.
            if members <= had:
                continue
            found.append(
                Leg(
                    id=fresh("j"),
                    campaign=campaign,
                    goal_id=None,
                    objective=objective,
                    objective_words=campaign.objective_words,
                    arm=arm_of(campaign.id, situation.user_id, campaign.terms.holdout),
                    status="open",
                    version=situation.active,
                    horizon=campaign.terms.horizon,
                )
            )
        return found

    def _lead(
        self, situation: Situation, legs: list[Leg], happened: list[Happened]
    ) -> tuple[Leg, StepAnswer] | None:
        """Return the campaign's journey that wins the user, and its item."""
        able = [leg for leg in legs if leg.campaign and leg.campaign.leads(situation.now)]
        tried: set[str] = set()
        while contenders := choosing.contenders(able, self.settings.max_journeys, tried):
            foremost = choosing.foremost(contenders)
            first = self._rate(situation, foremost, happened, tried)
            foremost = [leg for leg in foremost if leg.status == "open" and leg.id not in tried]
            if not foremost:
                continue
            leg = choosing.winner(foremost)
            answer = self._step(situation, leg, happened, first.get(leg.id))
            if answer is not None:
                return leg, answer
            tried.add(leg.id)
        return None

    def _rate(
        self, situation: Situation, legs: list[Leg], happened: list[Happened], tried: set[str]
    ) -> dict[str, StepAnswer]:
        """Ask how feasible journeys are that could begin; those that are not are over.

        Returns:
            The first step of the one that begins, by its id, where none of them has begun.
        """
        waiting = []
        for leg in legs:
            if leg.began_turn is not None:
                continue
            try:
                self._members(situation.tenant, situation.active, leg.objective)
                if leg.objective.name is None:
                    # Whether there are such items only the catalogue says.
                    catalogue = self._catalogue(situation.tenant, situation.active)
                    catalogue.members(leg.objective)
                waiting.append(leg)
            except UnknownIdError:
                # The active model does not have it; a later one may.
                tried.add(leg.id)
        if not waiting:
            return {}
        first: dict[str, StepAnswer] = {}
        if all(leg.began_turn is None for leg in legs):
            candidates = (
                Candidate(self._ask(situation, leg, happened), leg.terms.guardrails.min_feasibility)
                for leg in waiting
            )
            ask = BeginAsk(tuple(candidates))
            with self.store.out_of_turn():
                begun = self.engine.begin(ask)
            ratings = begun.ratings
            if begun.chosen is not None and begun.step is not None:
                first[waiting[begun.chosen].id] = begun.step
        else:
            whose = person(situation, happened)
            version = bundle(situation.tenant, situation.active)
            asks = tuple(
                RateAsk(version, whose, leg.objective, leg.terms.guardrails.min_feasibility)
                for leg in waiting
            )
            with self.store.out_of_turn():
                ratings = self.engine.rate(asks)
        for leg, rating in zip(waiting, ratings, strict=True):
            leg.feasibility = rating.feasibility
            if not may_begin(rating, leg.terms.guardrails.min_feasibility):
                leg.end("over", rating.note or "the objective is not feasible enough")
        return first

    def _step(
        self,
        situation: Situation,
        leg: Leg,
        happened: list[Happened],
        made: StepAnswer | None = None,
    ) -> StepAnswer | None:
        """Return a journey's next item; None where it has none, and it may have ended then.

        Args:
            situation: Of the user.
            leg: The journey.
            happened: What the user did.
            made: What the engine answers, where it was asked before.
        """
        if leg.shown >= leg.horizon:
            leg.end("over", f"all {leg.horizon} items were shown")
            return None
        try:
            answer = made or self._asked(self._ask(situation, leg, happened))
        except ModelFileError:
            if leg.began_turn is None:
                raise
            # A goal is not given up by its user then, so it is over.
            leg.end("stopped" if leg.campaign else "over", f"model {leg.version} is gone")
            return None
        except (UnknownIdError, ConfigError) as cause:
            leg.end("over", str(cause))
            return None
        if answer.item is None:
            # Without a target nothing is left to lead to; else only this step cannot be made.
            if answer.target is None:
                leg.end("over", answer.note or "the objective cannot be reached any more")
            return None
        leg.began_turn, leg.version = self._begins(situation, leg, happened)
        leg.shown, leg.changed = leg.shown + 1, True
        return answer

    def _asked(self, ask: StepAsk) -> StepAnswer:
        """Return what the engine says; other calls go on meanwhile."""
        with self.store.out_of_turn():
            return self.engine.step(ask)

    def _begins(self, situation: Situation, leg: Leg, happened: list[Happened]) -> tuple[int, str]:
        """Return the turn and the version that a journey begins with, or began with."""
        if leg.began_turn is not None:
            return leg.began_turn, leg.version
        last = happened[-1].turn if happened else 0
        return max(situation.user.turn, last), situation.active

    def _ask(self, situation: Situation, leg: Leg, happened: list[Happened]) -> StepAsk:
        """Return what asks for a journey's next item.

        Raises:
            ModelFileError: The bundle is missing or damaged.
        """
        began, version = self._begins(situation, leg, happened)
        terms = leg.terms
        catalogue = self._catalogue(situation.tenant, version)
        exclusions = together(situation.excluded, situation.own_excluded, terms.guardrails.excluded)
        return StepAsk(
            version=bundle(situation.tenant, version),
            person=person(situation, happened, began),
            moments=moments(happened, leg.id, began, catalogue),
            objective=leg.objective,
            horizon=leg.horizon,
            aggressiveness=min(terms.aggressiveness, self.settings.max_aggressiveness),
            adapts=terms.guardrails.adapts,
            most=self.settings.max_aggressiveness,
            limits=limits(exclusions, rejected(happened), terms.guardrails.floor, catalogue),
        )

    def _plain(self, situation: Situation, happened: list[Happened]) -> StepAnswer:
        """Return the plain recommendation."""
        catalogue = self._catalogue(situation.tenant, situation.active)
        exclusions = together(situation.excluded, situation.own_excluded)
        never = rejected(happened)
        answer = StepAnswer(None)
        # What was ignored lately is better than nothing.
        for rest in (resting(happened), set[str]()):
            answer = self._asked(
                StepAsk(
                    version=bundle(situation.tenant, situation.active),
                    person=person(situation, happened),
                    limits=limits(exclusions, never | rest, 0, catalogue),
                )
            )
            if answer.item is not None or not rest:
                break
        return answer
