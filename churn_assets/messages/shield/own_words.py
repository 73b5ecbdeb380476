"""A contract's words for messages, before anybody reads them: what the shield would refuse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from churn_assets.customers.languages import LANGUAGES
from churn_assets.messages.shield.validation import Shield


def unfit_words(
    messages: Mapping[str, Mapping[str, str]],
    others: Mapping[str, Mapping[Any, Mapping[str, str]]] | None = None,
) -> Iterator[str]:
    """A line for each phrase of a contract that no message may have in it.

    Args:
        messages: column -> cell -> phrase.
        others: column -> another language -> cell -> phrase.
    """
    english = Shield.load()
    for column, phrases in messages.items():
        yield from _unfit(english, f"messages.{column}.say", phrases)
    for language in LANGUAGES[1:]:
        shield = english.in_language(language)
        for column, told in (others or {}).items():
            where = f"messages.{column}.say_in.{language}"
            yield from _unfit(shield, where, told.get(language, {}))


def _unfit(shield: Shield, where: str, phrases: Mapping[str, str]) -> Iterator[str]:
    for cell, phrase in phrases.items():
        if found := shield.check_subject(phrase).violations:
            odd = " ".join(map(repr, shield.odd_characters(phrase)))
            named = {"unexpected_character": f"unexpected_character {odd}"}
            reasons = ", ".join(named.get(violation, violation) for violation in found)
            yield f"{where}.{cell}: no message may say {phrase!r} ({reasons}): use other words"
