"""From what people type to ids: titles are looked up, ids stay."""

from influpath.errors import ConfigError, UnknownIdError
from influpath.planning.objectives import Objective
from influpath.serving.errors import NotReadyError
from influpath.serving.page.access import Visit
from influpath.serving.page.view import ExploreView, lines
from influpath.serving.schemas import Id, ItemCard

# How many titles like a wrong one are looked at, and named.
LOOKED_AT, NAMED = 50, 3
# Each is looked for in all titles.
LINES = 500


def find_item(visit: Visit, text: str) -> ItemCard:
    """Return the item that an id or a title stands for.

    Args:
        visit: Whose catalogue.
        text: An id; a title, in upper or lower case; or a part of one, if only one title has it.

    Raises:
        UnknownIdError: There is none, or more than one; names some.
    """
    found = visit.service.search_items(visit.caller, text, LOOKED_AT)
    wanted = text.casefold()
    for card in found.items:
        if str(card.id) == text:
            return card
    same = [card for card in found.items if card.title.casefold() == wanted]
    if same:
        return same[0]
    if len(found.items) == 1:
        return found.items[0]
    if not found.items:
        raise UnknownIdError(f"There is no item {text!r}; type a part of its title to look for it.")
    named = ", ".join(card.title for card in found.items[:NAMED])
    raise UnknownIdError(f"{found.total:,} items are like {text!r}: {named}, ...; name one.")


def find_items(visit: Visit, text: str) -> tuple[ItemCard, ...]:
    """Return the items that lines stand for; see ``find_item``.

    Raises:
        ConfigError: There are more lines than are looked up.
    """
    named = lines(text)
    if len(named) > LINES:
        raise ConfigError(f"There are {len(named):,} lines; the page takes {LINES:,} at most.")
    return tuple(find_item(visit, line) for line in named)


def cards_of(visit: Visit, ids: tuple[Id, ...]) -> tuple[ItemCard, ...]:
    """Return items by id; one that the catalogue no longer has is called by its id."""
    cards = []
    for own in ids:
        found = visit.service.search_items(visit.caller, str(own), 1).items
        same = found and str(found[0].id) == str(own)
        cards.append(found[0] if same else ItemCard(id=own, title=f"item {own}"))
    return tuple(cards)


def categories_of(visit: Visit) -> tuple[str, ...]:
    """Return the categories there are; none where no model is active yet."""
    try:
        return visit.service.categories(visit.caller)
    except NotReadyError:
        return ()


def objective_of(visit: Visit, view: ExploreView) -> tuple[Objective, str]:
    """Return where a view leads, and the same in words.

    Raises:
        UnknownIdError: An item is not there.
    """
    if view.kind == "category":
        return Objective.category(view.category), f"any item of the category {view.category}"
    if view.kind == "item":
        card = find_item(visit, view.item)
        return Objective.item(card.id), card.title
    cards = find_items(visit, view.items)
    titles = [card.title for card in cards]
    shown = " or ".join(titles[:NAMED])
    more = len(titles) - NAMED
    return Objective.of_items(card.id for card in cards), (
        f"{shown} or {more} more" if more > 0 else shown
    )
