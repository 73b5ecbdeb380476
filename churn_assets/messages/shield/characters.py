"""The characters that a message is written with, and those of a company's own words for it."""

from __future__ import annotations

import re

from churn_assets.messages.shield.repetition import SENTENCE_END
from churn_assets.messages.shield.rules import ShieldRules
from churn_assets.messages.shield.slots import MARK

_OF_MARKUP = "<>{}[]|\\^~`&*_=#"
_ENTITY = re.compile(r"&#?\w+;")  # of HTML


def is_plain(character: str, rules: ShieldRules) -> bool:
    """Whether a message's own words may have it; a masked value is one character, the mark."""
    if character == MARK or character in rules.plain_characters:
        return True
    return " " <= character <= "~" and character not in _OF_MARKUP


def odd_characters(subject: str, rules: ShieldRules) -> str:
    """Those of a company's words that no message may have, each once: of other scripts, of markup,
    or a sentence's end. "Friends & Family", "Grundgebühr" and "Tarifa Única" have none."""
    allowed, has_entity = rules.subject_characters, _ENTITY.search(subject) is not None
    return "".join(
        character
        for character in dict.fromkeys(subject)
        if SENTENCE_END.match(character)
        or not (is_plain(character, rules) or character in allowed)
        or (character == "&" and has_entity)
    )
