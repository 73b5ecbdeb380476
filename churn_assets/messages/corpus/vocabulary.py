"""The words that people wrote: a model may put them together anew, and add none of its own.

A list of what must not be said knows what it was told. Harm in words that no list has (a strange
account, a threat, a cure) and garble ("off each paycheck") have in common that somebody would have
had to write their words first. And harm in written words alone ("we will not let you go") puts them
together as nobody did: word after word, where a model that goes from one written sentence to
another makes one new pair.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import pairwise, product
from typing import get_args

from churn_assets.messages.config import Phrasing
from churn_assets.messages.corpus.grammar import CHOICE, grammar
from churn_assets.messages.corpus.reviewed import all_reviewed
from churn_assets.messages.shield.repetition import SENTENCE_END, WORD

_SLOT = re.compile(r"\{\w*\}")
_WORD_OR_SLOT = re.compile(rf"{_SLOT.pattern}|{WORD.pattern}")
_GAP = re.compile(r"\s+")

Pair = tuple[str, str]


def words_in(text: str) -> list[str]:
    """The words of a template in small letters, slots left out; "two-year" is one."""
    return WORD.findall(_SLOT.sub(" ", text).lower())


def pairs_in(text: str) -> Iterator[Pair]:
    """Two words or slots at a time, in small letters, that only white space parts."""
    text = text.lower()
    for one, other in pairwise(_WORD_OR_SLOT.finditer(text)):
        if _GAP.fullmatch(text, one.end(), other.start()):
            yield one.group(), other.group()


@cache
def written_words(phrasing: Phrasing | None = None) -> frozenset[str]:
    """The English words of reviewed templates and of the grammar in one phrasing, or in each."""
    phrasings: tuple[Phrasing, ...] = (phrasing,) if phrasing else get_args(Phrasing)
    parts = [part for each in phrasings for part in grammar(each).sentences()]
    return frozenset(word for text in (*parts, *all_reviewed("en")) for word in words_in(text))


@cache
def written_pairs() -> frozenset[Pair]:
    """The pairs of words in what the grammar can write, in each phrasing, and in the English
    reviewed templates. The parts of an offer stand in one sentence, all others are parted."""
    texts = list(all_reviewed("en"))
    for phrasing in get_args(Phrasing):
        words = grammar(phrasing)
        leads = [*words.gives, *(lead for one in words.families.values() for lead in one.leads)]
        offers = (
            *(f"{lead} {thing}" for lead, thing in product(leads, words.objects)),
            *map("".join, product(words.objects, words.durations)),
        )
        texts += _variants((*words.sentences(), *offers))
    return frozenset(pair for text in texts for pair in pairs_in(text))


def _variants(parts: Iterable[str]) -> Iterator[str]:
    """Every text that the parts' choices make."""
    for part in parts:
        pieces = CHOICE.split(part)  # text, choices, text, choices, ..., text
        yield from map(
            "".join, product(*(p.split("|") if i % 2 else [p] for i, p in enumerate(pieces)))
        )


def unwritten_words(text: str, phrasing: Phrasing | None = None) -> list[str]:
    """The words of a template that stand in nothing that people wrote, as they stand in it."""
    known = written_words(phrasing)
    return [word for word in words_in(text) if word not in known]


def most_unwritten_pairs(text: str) -> int:
    """How many pairs of words a template's sentences have at most that stand in nothing that people
    wrote."""
    known = written_pairs()
    return max(
        sum(pair not in known for pair in pairs_in(sentence))
        for sentence in SENTENCE_END.split(text)
    )
