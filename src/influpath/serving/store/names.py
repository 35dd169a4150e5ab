"""Names that the service gives."""

import secrets
import string
import time

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
RANDOM = 14


def fresh(kind: str) -> str:
    """Return a new name, such as ``c_1NrJ7pEr...``.

    It begins with the time in milliseconds, so that what is made one after the other lies side by
    side in an index, and ends in 14 random letters and digits (83 bits), which nobody can guess.
    """
    stamp, ordered = time.time_ns() // 1_000_000, ""
    for _ in range(8):
        stamp, digit = divmod(stamp, len(ALPHABET))
        ordered = ALPHABET[digit] + ordered
    return f"{kind}_{ordered}{''.join(secrets.choice(ALPHABET) for _ in range(RANDOM))}"
