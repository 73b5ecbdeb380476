"""The words that people wrote: a model may put them together anew, and add none of its own.

A list of what must not be said knows what it was told. Harm in words that no list has (a strange
account, a threat, a cure) and garble ("off each paycheck") have in common that somebody would have
had to write their words first.
"""

from __future__ import annotations

import re
from functools import cache
from typing import get_args

from churn_assets.messages.config import Phrasing
from churn_assets.messages.corpus.grammar import grammar
from churn_assets.messages.corpus.reviewed import all_reviewed
from churn_assets.messages.shield.repetition import WORD

_SLOT = re.compile(r"\{\w*\}")


def words_in(text: str) -> list[str]:
    """The words of a template in small letters, slots left out; "two-year" is one."""
    return WORD.findall(_SLOT.sub(" ", text).lower())


@cache
def written_words(phrasing: Phrasing | None = None) -> frozenset[str]:
    """The English words of reviewed templates and of the grammar in one phrasing, or in each."""
    phrasings: tuple[Phrasing, ...] = (phrasing,) if phrasing else get_args(Phrasing)
    parts = [part for each in phrasings for part in grammar(each).sentences()]
    return frozenset(word for text in (*parts, *all_reviewed("en")) for word in words_in(text))


def unwritten_words(text: str, phrasing: Phrasing | None = None) -> list[str]:
    """The words of a template that stand in nothing that people wrote, as they stand in it."""
    known = written_words(phrasing)
    return [word for word in words_in(text) if word not in known]
