"""Made-up titles for the simulated world, each with the flavour of its genres."""

from itertools import product

# The order is that of the ring on which neighbours share bridging items.
WORDS: dict[str, tuple[str, str]] = {
    "Comedy": (
        "Awkward Cheerful Clumsy Giddy Hasty Lucky Merry Reluctant Silly Unlikely",
        "Bachelor Holiday In-Laws Landlord Neighbours Plumber Reunion Roommate Wedding Weekend",
    ),
    "Romance": (
        "Autumn Distant Faithful First Forgotten Gentle Paris Second Summer Unsent",
        "Affair Dance Embrace Farewell Heart Kiss Letter Promise Sonnet Waltz",
    ),
    "Drama": (
        "Bitter Broken Fading Honest Hidden Quiet Restless Unspoken Weary Wounded",
        "Daughter Harvest House Inheritance Mother River Season Silence Son Winter",
    ),
    "Crime": (
        "Blackmail Crooked Cold Double Final Guilty Midnight Perfect Silent Stolen",
        "Alibi Confession Detective Evidence Getaway Heist Ledger Suspect Verdict Witness",
    ),
    "Thriller": (
        "Burning Deadly Dark Falling Frozen Hunted Invisible Missing Relentless Secret",
        "Code Conspiracy Cipher Flight Hostage Hour Operative Pursuit Signal Target",
    ),
    "Horror": (
        "Accursed Bleeding Buried Crawling Haunted Hollow Pale Screaming Sleepless Unholy",
        "Asylum Basement Cellar Crypt Doll Graveyard Manor Nightmare Shadow Whisper",
    ),
    "Science Fiction": (
        "Artificial Cosmic Electric Galactic Infinite Lunar Orbital Quantum Stellar Synthetic",
        "Android Colony Engine Eclipse Horizon Nebula Paradox Signal-9 Station Voyager",
    ),
    "Fantasy": (
        "Ancient Emerald Enchanted Golden Ivory Mystic Runic Silver Sworn Twilight",
        "Crown Dragon Kingdom Oracle Prophecy Realm Sorcerer Sword Throne Wyvern",
    ),
    "Adventure": (
        "Bold Desert Fearless High Jungle Lost Savage Sunken Uncharted Wild",
        "Compass Expedition Galleon Island Map Passage Quest Summit Temple Treasure",
    ),
    "Western": (
        "Dusty Crimson Dead-Eye Last Lonesome Outlaw Ragged Rusted Sundown Tumbleweed",
        "Canyon Deputy Frontier Gunslinger Mesa Prairie Rider Saloon Sheriff Stagecoach",
    ),
    "Animation": (
        "Bouncing Brave Curious Fluffy Little Magic Purple Sleepy Tiny Wobbly",
        "Bear Dinosaur Fox Hedgehog Kite Penguin Puppet Robot Snowman Whale",
    ),
    "Musical": (
        "Broadway Dazzling Encore Jazzy Moonlit Singing Starlit Swinging Velvet Whirling",
        "Ballroom Cabaret Chorus Melody Orchestra Rhapsody Serenade Spotlight Stage Tango",
    ),
}
GENRES = list(WORDS)


def make_titles(primary: list[int], second: list[int]) -> list[str]:
    """Return one title per item: a noun of its primary genre, an adjective of its second.

    Args:
        primary: Position in ``GENRES`` of each item's primary genre.
        second: The same for the second genre; the primary again for items with one genre.

    Returns:
        Distinct titles; where a pair of genres has more items than word pairs, "Part 2" follows.
    """
    words = [(adjectives.split(), nouns.split()) for adjectives, nouns in WORDS.values()]
    used: dict[tuple[int, int], int] = {}
    titles = []
    for g, h in zip(primary, second, strict=True):
        number = used.get((g, h), 0)
        used[g, h] = number + 1
        pairs = list(product(words[g][1], words[h][0]))
        part, place = divmod(number, len(pairs))
        # A step that shares no factor with the 100 pairs visits all of them, well mixed.
        noun, adjective = pairs[place * 37 % len(pairs)]
        titles.append(f"The {adjective} {noun}" + (f", Part {part + 1}" if part else ""))
    return titles
