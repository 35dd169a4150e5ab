"""Names that the service gives."""

import secrets
import string
import time

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
STAMP = 8
RANDOM = 14
MANY = len(ALPHABET) ** RANDOM


def fresh(kind: str) -> str:
    """Return a new name, such as ``c_1NrJ7pEr...``.

    It begins with the time in milliseconds, so that what is made one after the other lies side by
    side in an index, and ends in 14 random letters and digits (83 bits), which nobody can guess.
    """
    stamp = time.time_ns() // 1_000_000
    return f"{kind}_{digits(stamp, STAMP)}{digits(secrets.randbelow(MANY), RANDOM)}"


def digits(number: int, length: int) -> str:
    """Return the last so many digits of a number, written in the alphabet."""
    found = []
    for _ in range(length):
        number, digit = divmod(number, len(ALPHABET))
        found.append(ALPHABET[digit])
    return "".join(reversed(found))
