"""The errors of the service that are not about what was given, but about what there is.

Each carries one sentence; the HTTP layer adds the status.  What was given wrongly is a
``ConfigError``, ``DataError`` or ``UnknownIdError`` of ``influpath.errors``.
"""

from influpath.errors import InfluPathError


class NotFoundError(InfluPathError):
    """There is no such thing, or it is another tenant's, which is not told apart (404)."""


class ConflictError(InfluPathError):
    """It contradicts what is there (409)."""


class ForbiddenError(InfluPathError):
    """The key's role does not allow it (403)."""


class NotReadyError(InfluPathError):
    """It cannot be answered now; later it may (503)."""
