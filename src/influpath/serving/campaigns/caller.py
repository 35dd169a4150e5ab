"""Who calls, and what the role of a key allows."""

from dataclasses import dataclass

from influpath.serving.errors import ForbiddenError
from influpath.serving.schemas import Role

# Each role may do what those before it may.
RANKS: dict[Role, int] = {"viewer": 0, "service": 1, "admin": 2}


@dataclass(frozen=True)
class Caller:
    """Who calls.

    Attributes:
        tenant: Whose things are seen; nothing of another's ever is.
        key_name: Name of the key, for the audit log.
        role: What it may do: a viewer reads and plans; a service also calls next and feedback and
            does what users ask for; an admin does everything.
    """

    tenant: str
    key_name: str
    role: Role

    def must_be(self, role: Role) -> None:
        """Check the role.

        Raises:
            ForbiddenError: The key's role allows less.
        """
        if RANKS[self.role] < RANKS[role]:
            raise ForbiddenError(
                f"key {self.key_name!r} has the role {self.role!r}, and this needs {role!r}."
            )
