"""Names of bundles' folders: one or two plain names, so that none leads out of its place."""

import re

from influpath.errors import ConfigError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def check_name(name: str, what: str) -> str:
    """Return a name of a tenant or version.

    Raises:
        ConfigError: It is none.
    """
    if NAME.fullmatch(name) is None:
        raise ConfigError(
            f"{what} {name!r}: takes letters, digits, '.', '_' and '-', at most 100, and begins "
            "with a letter or digit."
        )
    return name


def check_version(version: str) -> str:
    """Return the name of a bundle, ``<tenant>/<version>``.

    Raises:
        ConfigError: It is none.
    """
    for part in version.split("/", 1):
        check_name(part, "version")
    return version
