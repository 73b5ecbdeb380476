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

from confusable_homoglyphs.utils import load

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
    characters, letters = _confusables()
    return dict(zip(characters, letters, strict=True)) | table


def _confusables() -> tuple[str, list[str]]:
    """Characters, and what Unicode says that each is read as.

    Read from the file, not imported with the package: its whole table would take 7 MB for ever. In
    one string, since a character of the table's own would keep the memory around it.
    """
    found = {}
    for character, alike in load("confusables.json").items():
        if len(character) == 1 and not character.isascii():
            read = (_bare(other["c"]) for other in alike)
            if latin := next((r for r in read if r.isascii() and r.isalpha()), None):
                found[character] = latin.lower()
    return "".join(found), list(found.values())


def _bare(text: str) -> str:
    """Without accents, overlays and invisible characters."""
    return "".join(
        c
        for c in unicodedata.normalize("NFKD", text)
        if unicodedata.category(c) not in ("Mn", "Cf")
    )
