"""Letters that are read as Latin ones: Unicode's own table of confusables, and its letters' names.

The table is that of Unicode Technical Standard 39 (`confusables.txt`), as the package
`confusable-homoglyphs` ships it. It says that "а" (Cyrillic) is read as "a" and "Ƒ" as "F". It has
nothing for letters that only look alike to a reader in haste ("ᴇ", "ø"); those carry the Latin
letter in their Unicode name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import cache

from confusable_homoglyphs.confusables import confusables_data

# Latin-1 to IPA, phonetic extensions, Latin Extended Additional, C, D and E.
_LATIN_BLOCKS = (
    (0xC0, 0x2B0),
    (0x1D00, 0x1DC0),
    (0x1E00, 0x1F00),
    (0x2C60, 0x2C80),
    (0xA720, 0xAB70),
)
_LATIN_NAME = re.compile(
    r"LATIN (?:(?:CAPITAL|SMALL) LETTER|LETTER SMALL CAPITAL) ([A-Z])(?: WITH .+)?"
)


@cache
def lookalikes() -> Mapping[str, str]:
    """Character -> the small Latin letters that it is read as; ASCII is in nobody's disguise."""
    table = {}
    for start, end in _LATIN_BLOCKS:
        for character in map(chr, range(start, end)):
            if named := _LATIN_NAME.fullmatch(unicodedata.name(character, "")):
                table[character] = named[1].lower()
    for character, alike in confusables_data.items():
        if len(character) == 1 and not character.isascii() and character not in table:
            read = (_bare(other["c"]) for other in alike)
            if latin := next((r for r in read if r.isascii() and r.isalpha()), None):
                table[character] = latin.lower()
    return table


def _bare(text: str) -> str:
    """Without accents, overlays and invisible characters."""
    return "".join(
        c
        for c in unicodedata.normalize("NFKD", text)
        if unicodedata.category(c) not in ("Mn", "Cf")
    )
