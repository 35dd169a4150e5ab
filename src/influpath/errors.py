"""The errors influpath raises on purpose.

Each carries one sentence that says what is wrong, where, and what to do.  The command line prints
that sentence and exits with status 2; nothing else of the package raises bare built-in errors at a
user.
"""


class InfluPathError(Exception):
    """Base of every error a user can meet."""


class DataError(InfluPathError):
    """An input file, frame or archive cannot be used; names file, row and column."""


class ConfigError(InfluPathError):
    """A configuration value is missing, unknown or out of range."""


class UnknownIdError(InfluPathError):
    """A user or item id is not in the catalogue."""


class NotFittedError(InfluPathError):
    """A model was used before ``fit`` or ``load``."""


class DivergedError(InfluPathError):
    """A training came to nothing: its loss or its validation is not a number."""


class ModelFileError(InfluPathError):
    """A model directory is missing, damaged, or of another kind, version or dataset."""


class ResultError(InfluPathError):
    """A result file is missing, damaged, or does not fit the data at hand."""
