"""Names that the service gives: random, so that nobody can guess another's."""

import secrets
import string

ALPHABET = string.ascii_letters + string.digits


def fresh(kind: str) -> str:
    """Return a new name, such as ``c_Zt3...`` (20 letters and digits: 119 random bits)."""
    return f"{kind}_{''.join(secrets.choice(ALPHABET) for _ in range(20))}"
