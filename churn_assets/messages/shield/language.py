"""The languages that messages are written in: each has its own shield words and templates."""

from __future__ import annotations

from typing import Literal, get_args

Language = Literal["en", "es"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


NAMES: dict[str, Language] = {
    **dict.fromkeys(("english", "inglés", "ingles", "eng"), "en"),
    **dict.fromkeys(("spanish", "español", "espanol", "castellano", "castilian", "spa"), "es"),
}
"""What tables write in place of a tag."""


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
