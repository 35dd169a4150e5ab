"""What somebody may have meant by a name that is not there."""

from collections.abc import Iterable
from difflib import get_close_matches

# Comparing letter by letter is slow: beyond so many names only beginnings and parts are compared.
COMPARED = 20_000


def near_matches(text: str, names: Iterable[str], count: int = 3) -> list[str]:
    """Return the names most like a text, whatever their case; the likeliest first.

    >>> near_matches("drma", ["Drama", "Comedy", "Documentary"])
    ['Drama']
    >>> near_matches("toy story", ["Toy Story (1995)", "Heat (1995)"])
    ['Toy Story (1995)']

    Args:
        text: What was given.
        names: What there is.
        count: At most so many.
    """
    wanted = text.casefold()
    known = {name.casefold(): name for name in names if name}
    holding = sorted((key for key in known if wanted and wanted in key), key=len)
    alike = get_close_matches(wanted, known, n=count) if len(known) <= COMPARED else []
    return [known[key] for key in dict.fromkeys([*holding, *alike])][:count]


def did_you_mean(text: str, names: Iterable[str], otherwise: str) -> str:
    """Return "did you mean A or B?", or another hint where nothing is like the text."""
    found = near_matches(text, names)
    return f"did you mean {' or '.join(map(repr, found))}?" if found else otherwise
