"""Which customer names may stand in a message: any language's, and nothing but a name."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from churn_assets.messages.rules import PhraseMatcher, default_rules, skeleton

MAX_NAME_LENGTH = 40
PUNCTUATION = frozenset(" '’ʼ‘´-‐‑.·")
# Joiners are part of the spelling in these scripts and invisible tricks in any other.
_FULL_STOP_INSIDE = re.compile(r"\.(?!\s|$)")
ORDINALS = frozenset("ªº")  # Mª José
JOINERS = frozenset("\u200c\u200d")
_INDIC = ("DEVANAGARI", "BENGALI", "GURMUKHI", "GUJARATI", "ORIYA", "TAMIL", "TELUGU", "KANNADA")
JOINING_SCRIPTS = frozenset(
    (*_INDIC, "ARABIC", "SYRIAC", "MALAYALAM", "SINHALA", "TIBETAN", "MYANMAR", "KHMER")
)
# Letters drawn in another style ("𝐒𝐚𝐦", "Ｓａｍ") hide a word from every search for it.
STYLED = ("<font>", "<wide>", "<circle>", "<square>", "<super>", "<sub>")


def validate_name(name: str) -> str:
    """The name in NFC with single spaces; raises ValueError naming what is wrong with it.

    Allowed: letters and combining marks of any script, spaces, apostrophes, hyphens, full stops
    and the middle dot; 1 to 40 characters, at least one letter. Refused: digits, markup, braces,
    emoji, control, invisible and direction characters, mixed-script look-alikes, a full stop
    within a word, and names that hold a link, a discount or one of the shield's banned phrases.
    """
    if len(name) > 4 * MAX_NAME_LENGTH:  # before any work on a hostile megabyte
        raise ValueError(f"name has {len(name)} characters; at most {MAX_NAME_LENGTH} are allowed")
    for position, character in enumerate(name):
        if not _allowed(name, position):
            raise ValueError(
                f"name has the character U+{ord(character):04X} at position {position + 1}; "
                "only letters, spaces, apostrophes, hyphens and full stops are allowed"
            )
    clean = " ".join(unicodedata.normalize("NFC", name).split())
    if len(clean) > MAX_NAME_LENGTH:
        raise ValueError(f"name has {len(clean)} characters; at most {MAX_NAME_LENGTH} are allowed")
    if not any(unicodedata.category(c).startswith("L") for c in clean):
        raise ValueError("name has no letter")
    if unicodedata.category(clean[0]).startswith("M") or _stacked_marks(clean):
        raise ValueError("name has combining marks that belong to no letter, or too many on one")
    if _mixes_scripts(clean):
        raise ValueError("name mixes Latin letters with look-alike letters of another script")
    if _FULL_STOP_INSIDE.search(clean):
        raise ValueError("name has a full stop that neither ends it nor stands before a space")
    if _is_phrase(clean):
        raise ValueError("name holds a phrase that messages must not contain")
    return clean


def _allowed(name: str, position: int) -> bool:
    character = name[position]
    if character in PUNCTUATION or character in ORDINALS:
        return True
    if character in JOINERS:
        inside = 0 < position < len(name) - 1
        return inside and all(
            _script(name[i]) in JOINING_SCRIPTS for i in (position - 1, position + 1)
        )
    is_letter = unicodedata.category(character) in ("Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc")
    return is_letter and not unicodedata.decomposition(character).startswith(STYLED)


def _script(character: str) -> str:
    return unicodedata.name(character, "UNKNOWN").split()[0]


def _stacked_marks(name: str) -> bool:
    """Whether one letter carries more than four marks (no written language needs five)."""
    run = 0
    for character in unicodedata.normalize("NFD", name):
        run = run + 1 if unicodedata.category(character) == "Mn" else 0
        if run > 4:
            return True
    return False


def _mixes_scripts(name: str) -> bool:
    for word in name.replace("-", " ").split():
        scripts = {_script(c) for c in word if unicodedata.category(c).startswith("L")}
        if "LATIN" in scripts and scripts & {"CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE"}:
            return True
    return False


def _is_phrase(name: str) -> bool:
    """Whether it says something that a message must not: a link, a discount, a banned phrase."""
    rules = default_rules()
    seen, plain = skeleton(name, {}), skeleton(name, rules.confusables)
    patterns = [*rules.link_patterns, rules.number_pattern]
    return _phrases().finds_in(plain) or any(re.search(p, seen) for p in patterns)


@cache
def _phrases() -> PhraseMatcher:
    rules = default_rules()
    promises = {*rules.gift_words, *rules.discount_words} - set(rules.surnames)
    phrases = [*rules.banned_in_names, *sorted(promises)]
    return PhraseMatcher(phrases, rules.confusables, whole_words=True)
