"""A contract's words for messages, before anybody reads them: what the shield would refuse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from churn_assets.messages.shield.validation import Shield


def unfit_words(messages: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """A line for each phrase of a contract that no message may have in it.

    Args:
        messages: column -> cell -> phrase.
    """
    shield = Shield.load()
    for column, phrases in messages.items():
        for cell, phrase in phrases.items():
            if found := shield.check_subject(phrase).violations:
                yield (
                    f"messages.{column}.say.{cell}: no message may say {phrase!r} "
                    f"({', '.join(found)}): use other words"
                )
