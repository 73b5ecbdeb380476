"""The languages that messages are written in, and how tables and requests name languages.

Each has its own shield words and templates (`messages`).
"""

from __future__ import annotations

from typing import Literal, get_args

Language = Literal["en", "es"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
TAG = r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8})*$"  # as in BCP 47

_ENGLISH = "english eng inglés ingles englisch anglais inglês inglese engels engelska engelsk"
_SPANISH = (
    "spanish spa español espanol castellano castilian spanisch espagnol espanhol spagnolo spaans "
    "spanska spansk"
)
NAMES: dict[str, Language] = {
    **dict.fromkeys(_ENGLISH.split(), "en"),
    **dict.fromkeys(_SPANISH.split(), "es"),
}
"""What tables write in place of a tag, in the languages of Western Europe."""


def served_language(asked: str | None) -> tuple[Language, bool]:
    """The language to write in for a tag like "es-MX" or a name (None: not known), and whether it
    is missing.

    English stands in for a language that nothing was reviewed in; whoever sends must be told.
    """
    if asked is None:
        return LANGUAGES[0], False
    base = asked.replace("_", "-").split("-")[0].strip().casefold()
    found = next((language for language in LANGUAGES if language == base), NAMES.get(base))
    return found or LANGUAGES[0], found is None
