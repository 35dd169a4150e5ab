"""What users ask for: to be left alone, to be spared things, own goals, to be forgotten."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, update

from influpath.serving.campaigns import departing
from influpath.serving.campaigns.base import Base
from influpath.serving.campaigns.caller import Caller
from influpath.serving.campaigns.catalogues import CatalogueView, card, checked, own_user
from influpath.serving.campaigns.situation import leg_of, taken
from influpath.serving.campaigns.terms import check_objective
from influpath.serving.errors import ConflictError, NotFoundError
from influpath.serving.schemas import (
    Deleted,
    Exclusions,
    Goal,
    GoalIn,
    Id,
    ItemCard,
    Journey,
    OptOutIn,
    User,
)
from influpath.serving.store import audit, campaigns, events, journeys, tenants, users
from influpath.serving.store.names import fresh
from influpath.serving.store.tables import journeys as journeys_table

RECENT = 20
# Open ones; every call of ``next`` looks at each.
MOST_GOALS = 20
GOAL_STATUS: dict[str, Literal["open", "arrived", "given_up", "over"]] = {
    "open": "open",
    "arrived": "arrived",
    "stopped": "given_up",
    "over": "over",
}


class People(Base):
    """What users ask for."""

    def user(self, caller: Caller, user_id: Id) -> User:
        """Return what is known of a user (viewer).

        Raises:
            NotFoundError: Neither the service nor the active model knows such a user.
        """
        caller.must_be("viewer")
        name = str(user_id)
        catalogue = self._any_catalogue(caller.tenant)
        with self.store.reading() as connection:
            row = users.find(connection, caller.tenant, name)
            if row is not None:
                return self._as_user(connection, caller.tenant, row, catalogue)
            erased = users.tombstones(connection, caller.tenant, [name])
        if catalogue is None or name not in catalogue.users or name in erased:
            raise NotFoundError(f"there is no user {user_id!r}.")
        return User(
            user_id=own_user(catalogue, name),
            opted_out=False,
            excluded=Exclusions(),
            goals=(),
            journeys=(),
            recent=tuple(card(catalogue, each) for each in catalogue.history(name, RECENT)),
        )

    def opt_out(self, caller: Caller, user_id: Id, given: OptOutIn) -> User:
        """Leave a user alone from the very next call on, or no longer (service)."""
        caller.must_be("service")
        now = self.clock()
        catalogue = self._any_catalogue(caller.tenant)
        with self.store.writing() as connection:
            row = users.lock_one(connection, caller.tenant, str(user_id), now)
            if row.opted_out != given.opted_out:
                users.change(connection, row.id, opted_out=given.opted_out)
                if given.opted_out:
                    # What was open is withdrawn when ``next`` looks at it.
                    stop_campaigns_of(connection, row.id, now)
                action = "user.opted_out" if given.opted_out else "user.opted_in"
                self._note_of_user(connection, caller, row, action)
        return self._again(caller, str(user_id), catalogue)

    def exclude(self, caller: Caller, user_id: Id, given: Exclusions) -> User:
        """Set what a user never wants to see, in place of what was set before (service).

        Raises:
            UnknownIdError: The active model knows no such item or category.
        """
        caller.must_be("service")
        now = self.clock()
        _, catalogue = self._active_catalogue(caller.tenant)
        excluded = checked(catalogue, given)
        with self.store.writing() as connection:
            row = users.lock_one(connection, caller.tenant, str(user_id), now)
            users.change(connection, row.id, excluded=excluded.model_dump(mode="json"))
            self._note_of_user(
                connection, caller, row, "user.excluded", **excluded.model_dump(mode="json")
            )
        return self._again(caller, str(user_id), catalogue)

    def add_goal(self, caller: Caller, user_id: Id, given: GoalIn) -> Goal:
        """Set a goal that a user chose; it comes before every campaign (service).

        Raises:
            UnknownIdError: The active model knows no such item or category.
            ConfigError: The model cannot plan that far, or all of the objective is excluded.
            ConflictError: The user has as many open goals as may be.
        """
        caller.must_be("service")
        now, name = self.clock(), str(user_id)
        version, catalogue = self._active_catalogue(caller.tenant)
        self._check_horizon(caller.tenant, version, given.horizon)
        goal_id, words = fresh("g"), catalogue.words(given.objective)
        with self.store.writing() as connection:
            row = users.lock_one(connection, caller.tenant, name, now)
            own = Exclusions.model_validate(row.excluded)
            everyone = tenants.excluded(connection, caller.tenant)
            check_objective(catalogue, given.objective, everyone, own)
            check_room(journeys.goals_of(connection, row.id))
            users.change(connection, row.id)
            journeys.add_goal(
                connection,
                caller.tenant,
                row.id,
                goal_id,
                given.objective,
                words,
                given.horizon,
                now,
            )
            journeys.add(
                connection,
                [
                    {
                        "id": fresh("j"),
                        "tenant_id": caller.tenant,
                        "user_ref": row.id,
                        "goal_id": goal_id,
                        "arm": "treated",
                        "status": "open",
                        "version": version,
                        "horizon": given.horizon,
                        "enrolled_turn": row.turn + 1,
                        "enrolled_at": now,
                    }
                ],
            )
            self._note_of_user(connection, caller, row, "goal.set", goal=goal_id, objective=words)
            return as_goal(journeys.goals_of(connection, row.id, goal_id)[0])

    def give_up_goal(self, caller: Caller, user_id: Id, goal_id: str) -> Goal:
        """Give up a goal; one that is finished stays as it is (service).

        Raises:
            NotFoundError: The user has no such goal.
        """
        caller.must_be("service")
        now = self.clock()
        with self.store.writing() as connection:
            row = users.lock(connection, caller.tenant, [str(user_id)]).get(str(user_id))
            goals = journeys.goals_of(connection, row.id, goal_id) if row is not None else []
            if row is None or not goals:
                raise NotFoundError(f"this user has no goal {goal_id!r}.")
            if goals[0].status == "open":
                users.change(connection, row.id)
                ended = {"status": "stopped", "ended_at": now}
                journeys.change(connection, goals[0].journey_id, "open", **ended)
                words = goals[0].objective_words
                self._note_of_user(
                    connection, caller, row, "goal.given_up", goal=goal_id, objective=words
                )
            return as_goal(journeys.goals_of(connection, row.id, goal_id)[0])

    def delete_user(self, caller: Caller, user_id: Id) -> Deleted:
        """Delete a user's data; what bundles have of the user no longer counts (service).

        Reports keep numbers, in which nobody can be told; see ``departing.py``.
        """
        caller.must_be("service")
        now, name = self.clock(), str(user_id)
        with self.store.writing() as connection:
            row = users.lock(connection, caller.tenant, [name]).get(name)
            # Whoever decides about somebody new right now decides again, or has been waited for.
            tenants.touch(connection, caller.tenant)
            row = row or users.lock(connection, caller.tenant, [name]).get(name)
            if row is not None:
                departing.keep(connection, row.id, now)
            deleted = users.erase(connection, caller.tenant, name, row)
            entry = audit.entry(
                now,
                "user",
                "user.deleted",
                subject=row.subject if row is not None else None,
                key=caller.key_name,
            )
            audit.add(connection, caller.tenant, [entry])
        return Deleted(
            user_id=user_id, events=deleted[0], proposals=deleted[1], journeys=deleted[2]
        )

    def _again(self, caller: Caller, name: str, catalogue: CatalogueView | None) -> User:
        with self.store.reading() as connection:
            row = users.find(connection, caller.tenant, name)
            if row is None:
                raise NotFoundError(f"there is no user {name!r}.")
            return self._as_user(connection, caller.tenant, row, catalogue)

    def _as_user(
        self, connection: Connection, tenant: str, row: Row[Any], catalogue: CatalogueView | None
    ) -> User:
        travelled = journeys.of_user(connection, row.id)
        # Later, so that none is missing of those that the journeys are of.
        by_id = {kept.id: kept for kept in campaigns.listed(connection, tenant)}
        known = catalogue.history(row.user_id) if catalogue is not None and row.known else ()
        happened = events.of_user(connection, row.id)
        recent: Sequence[str] = (*known, *taken(happened))[-RECENT:]
        return User(
            user_id=own_user(catalogue, row.user_id),
            opted_out=row.opted_out,
            excluded=Exclusions.model_validate(row.excluded),
            goals=tuple(as_goal(each) for each in journeys.goals_of(connection, row.id)),
            journeys=tuple(
                as_journey(each, leg_of(each, by_id).objective_words) for each in travelled
            ),
            recent=tuple(card_or_id(catalogue, item) for item in recent),
        )


def check_room(there: Sequence[Row[Any]]) -> None:
    """Check that a user may have one more goal.

    Raises:
        ConflictError: As many as may be are open.
    """
    if sum(goal.status == "open" for goal in there) >= MOST_GOALS:
        raise ConflictError(f"this user has {MOST_GOALS} open goals; give up one of them first.")


def card_or_id(catalogue: CatalogueView | None, item: str) -> ItemCard:
    """Return an item, as well as it is known."""
    return ItemCard(id=item, title=item) if catalogue is None else card(catalogue, item)


def stop_campaigns_of(connection: Connection, user_ref: int, now: datetime) -> None:
    """Stop a user's journeys of campaigns, in both arms alike.

    Arrival is still looked at: whoever was enrolled is compared, whatever happened then.
    """
    connection.execute(
        update(journeys_table)
        .where(
            journeys_table.c.user_ref == user_ref,
            journeys_table.c.campaign_id.is_not(None),
            journeys_table.c.status == "open",
        )
        .values(status="stopped", note="the user opted out", ended_at=now)
    )


def as_goal(row: Row[Any]) -> Goal:
    """Return a goal."""
    return Goal(
        objective=row.objective,
        horizon=row.horizon,
        id=row.id,
        objective_words=row.objective_words,
        status=GOAL_STATUS[row.status],
        created_at=row.created_at,
    )


def as_journey(row: Row[Any], words: str) -> Journey:
    """Return a journey."""
    return Journey(
        id=row.id,
        campaign_id=row.campaign_id,
        goal_id=row.goal_id,
        arm=row.arm,
        status=row.status,
        objective_words=words,
        shown=row.shown,
        horizon=row.horizon,
        feasibility=row.feasibility,
        model=row.version,
        started_at=row.enrolled_at,
    )
