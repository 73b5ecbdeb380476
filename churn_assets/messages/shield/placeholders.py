"""What tables have in a name's place: that there is none, or what the customer is.

A greeting that calls somebody "Deceased" or "Account Holder" is worse than one that names nobody.
The words are in `name_words.json`. What is somebody's name in some language is none of them; where
both is true ("Guest", "Nil", "Anon"), it is taken for a name if it is written like one.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from churn_assets.messages.shield.name_words import name_words

_BETWEEN = re.compile(r"[\W_]+")
_ONE_LETTER = re.compile(r"([a-z])\1{2,11}")  # "xxx"
_LEADS = 4  # letters of a greeting that begins no name; "Hi" and "Hey" begin some


def stands_for_none(name: str) -> bool:
    """Whether it is what a table says where it has no name: "unknown", "NULL", "First Name"."""
    if name.casefold() in name_words().placeholders_in_lower_case:
        return not name.istitle()
    word = _bare(name)
    return word in _placeholders() or _ONE_LETTER.fullmatch(word) is not None


def says_no_name(name: str) -> bool:
    """Whether it is a status ("Estate of John"), a title alone ("Mrs.") or a greeting ("Dear Sam"),
    or made of nothing but such words and placeholders ("Mr. Unknown")."""
    bare = _bare(name)
    return (
        bare in _of_nobody()
        or bare in _greetings()
        or bare.startswith(_leads())
        or _within().search(bare) is not None
        or _of_nobody().issuperset(bare.split())
    )


@cache
def _placeholders() -> frozenset[str]:
    return frozenset(map(_bare, name_words().placeholders))


@cache
def _statuses() -> frozenset[str]:
    return frozenset(map(_bare, name_words().statuses))


@cache
def _greetings() -> frozenset[str]:
    return frozenset(map(_bare, name_words().greetings))


@cache
def _leads() -> tuple[str, ...]:
    return tuple(f"{word} " for word in _greetings() if len(word) >= _LEADS)


@cache
def _of_nobody() -> frozenset[str]:
    return _placeholders() | _statuses() | frozenset(map(_bare, name_words().lone_titles))


@cache
def _within() -> re.Pattern[str]:
    phrases = "|".join(re.escape(_bare(phrase)) for phrase in name_words().statuses_within)
    return re.compile(rf"(?<!\w)(?:{phrases})(?!\w)")


def _bare(text: str) -> str:
    """Small letters without accents, words parted by one space."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(c for c in letters if unicodedata.category(c) != "Mn")
    return _BETWEEN.sub(" ", plain).strip()
