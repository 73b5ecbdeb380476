"""How a customer is addressed: which names a message may hold, and which it leaves out.

A name is other people's input. Whatever is text is taken, and a decision never depends on it. A
message holds it only when nothing in it is doubtful: it then stands there as it was sent, spaces
apart. A doubtful one is left out of the greeting, for a customer who isn't named is better off
than one who reads somebody else's words under ours.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from churn_assets.messages.shield.name_words import name_words, says_something
from churn_assets.messages.shield.placeholders import says_no_name, stands_for_none
from churn_assets.messages.shield.rules import default_rules, skeleton

MAX_LENGTH = 160
"""In characters; longer text is no name, and refused before any work on it."""
MAX_NAME_LENGTH = 60
"""In characters, spaces once; longer names are left out."""

# Apostrophes, hyphens, full stop, comma and the marks that part names in other scripts: Catalan
# and Greek dots, katakana, Hebrew, Armenian, Tibetan and Ethiopic.
PUNCTUATION = frozenset(" '’ʼ‘´-‐‑–.,·・･゠־׳״՚་༌፡")
ORDINALS = frozenset("ªº")  # Mª José
JOINERS = frozenset("\u200c\u200d")
# Joiners are part of the spelling in these scripts and invisible tricks in any other.
_INDIC = ("DEVANAGARI", "BENGALI", "GURMUKHI", "GUJARATI", "ORIYA", "TAMIL", "TELUGU", "KANNADA")
JOINING_SCRIPTS = frozenset(
    (*_INDIC, "ARABIC", "SYRIAC", "MALAYALAM", "SINHALA", "TIBETAN", "MYANMAR", "KHMER")
)
# Letters drawn in another style ("𝐒𝐚𝐦", "Ｓａｍ") hide a word from every search for it.
STYLED = ("<font>", "<wide>", "<circle>", "<square>", "<super>", "<sub>")
# These scripts stand in one word together; marks of no script of their own stand in any.
_EAST_ASIAN = frozenset(("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "HALFWIDTH"))
_ANY_SCRIPT = frozenset(("MODIFIER", "IDEOGRAPHIC", "KATAKANA-HIRAGANA", "MASCULINE", "FEMININE"))
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # Unicode's categories Cc and Cs
_NUMBERED = re.compile(r"(?:^| )[A-Z]-\d{1,2}$")  # X Æ A-12
_SUFFIX = re.compile(r", ?([^\W\d_]+)\.?$")
_INNER_STOP = re.compile(r"([^\W\d_]+)\.(?=([^\W\d_]+))")
_DOUBLED = re.compile(f"[{re.escape(''.join(sorted(PUNCTUATION - {' '})))}]{{2,}}")


@dataclass(frozen=True)
class CustomerName:
    """`text` is how a message may write it; None when it is left out, and `doubt` says why."""

    text: str | None
    doubt: str | None = None


def validate_name(name: str) -> str:
    """The same name; raises ValueError when it is no text: empty, too long, control characters."""
    if len(name) > MAX_LENGTH:
        raise ValueError(f"name has {len(name)} characters; at most {MAX_LENGTH} are allowed")
    if control := _CONTROLS.search(name):
        raise ValueError(
            f"name has the character U+{ord(control[0]):04X} at position {control.start() + 1}: "
            "a name is text without line breaks and control characters"
        )
    if not name.strip():
        raise ValueError("name is empty")
    return name


@lru_cache(maxsize=4096)  # people are addressed by few hundred first names
def read_name(name: str) -> CustomerName:
    """The name in NFC with single spaces, or the first doubt about it.

    Raises ValueError like `validate_name`. A doubt never repeats the name.
    """
    clean = " ".join(unicodedata.normalize("NFC", validate_name(name)).split())
    for is_doubtful, doubt in _DOUBTS:
        if is_doubtful(clean):
            return CustomerName(None, doubt)
    return CustomerName(clean)


def _is_long(name: str) -> bool:
    return len(name) > MAX_NAME_LENGTH


def _has_no_letter(name: str) -> bool:
    return not any(map(str.isalpha, name))


def _has_odd_characters(name: str) -> bool:
    letters = _NUMBERED.sub("", name)
    return not all(map(_may_stand, letters)) and not all(
        _may_stand(character) or (character in JOINERS and _joins(letters, position))
        for position, character in enumerate(letters)
    )


def _joins(name: str, position: int) -> bool:
    inside = 0 < position < len(name) - 1
    return inside and all(_script(name[i]) in JOINING_SCRIPTS for i in (position - 1, position + 1))


@lru_cache(maxsize=4096)
def _may_stand(character: str) -> bool:
    if character in PUNCTUATION or character in ORDINALS:
        return True
    is_mark = unicodedata.category(character) in ("Mn", "Mc")
    styled = unicodedata.decomposition(character).startswith(STYLED)
    # Small capitals are signs of the phonetic alphabet; in a name they are letters in disguise.
    phonetic = "SMALL CAPITAL" in unicodedata.name(character, "")
    return (is_mark or character.isalpha()) and not styled and not phonetic


@lru_cache(maxsize=4096)
def _script(character: str) -> str:
    return unicodedata.name(character, "UNKNOWN").split()[0]


def _has_loose_marks(name: str) -> bool:
    """A mark without a letter, or more than four on one (no written language needs five)."""
    run = 0
    for character in "" if name.isascii() else unicodedata.normalize("NFD", name):
        run = run + 1 if unicodedata.category(character) == "Mn" else 0
        if run > 4:
            return True
    return unicodedata.category(name[0]).startswith("M")


def _has_loose_punctuation(name: str) -> bool:
    """At the beginning, doubled ("J.-P." isn't), or a comma that leads no suffix ("Jr.")."""
    if name[0] in PUNCTUATION and name[0] not in "'’ʼ‘":
        return True
    found = _SUFFIX.search(name) if "," in name else None
    if found and found[1].casefold() in name_words().suffixes:
        name = name[: found.start()]
    return "," in name or any(run not in (".-", ".’", ".'") for run in _DOUBLED.findall(name))


def _mixes_scripts(name: str) -> bool:
    """Letters of two scripts in one word: "Sаm" with a Cyrillic "а"."""
    for word in () if name.isascii() else re.split(r"[\W_]+", name):
        scripts = {_script(c) for c in word if c.isalpha()} - _ANY_SCRIPT
        if len(scripts - _EAST_ASIAN) + bool(scripts & _EAST_ASIAN) > 1:
            return True
    return False


def _looks_like_a_link(name: str) -> bool:
    """What a telephone would underline; initials and titles may touch the next word: "St.John"."""
    words = name_words()
    for before, after in _INNER_STOP.findall(name) if "." in name else ():
        joined = len(before) == 1 or before.casefold() in words.titles
        begins = len(after) == 1 or (len(after) > 2 and not after[0].islower())
        if not (joined and begins) or after.casefold() in words.top_level_domains:
            return True
    parted = skeleton(_INNER_STOP.sub(r"\1. ", name) if "." in name else name, {})
    if "." not in parted and "dot" not in parted:  # none of the patterns can match
        return False
    return any(re.search(pattern, parted) for pattern in default_rules().link_patterns)


_DOUBTS: tuple[tuple[Callable[[str], bool], str], ...] = (
    (_is_long, f"it has more than {MAX_NAME_LENGTH} characters"),
    (_has_no_letter, "it has no letter"),
    (stands_for_none, "it says that there is none"),
    (says_no_name, "it is a title, a greeting or what the customer is, and nobody's name"),
    (_has_odd_characters, "it has characters that no name is written with"),
    (_has_loose_marks, "it has accents that belong to no letter, or too many on one"),
    (_has_loose_punctuation, "its punctuation is not a name's"),
    (_mixes_scripts, "a word of it mixes the letters of two scripts"),
    (_looks_like_a_link, "it looks like a link"),
    (says_something, "it reads like advertising, a command or an insult"),
)
