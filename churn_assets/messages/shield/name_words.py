"""What a name may not say: the words of advertising, commands and insults, in many languages.

`name_words.json` is written and read by people. Its list of insults is short on purpose: it holds
what is nobody's name. Lists made for chat rooms refuse Dick, Cox, Phuc, Kike and Gaylord; a
customer whose name is taken for an insult is insulted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from churn_assets.customers.languages import LANGUAGES
from churn_assets.messages.shield.rules import default_rules, skeleton, spelled, words_of

WORDS_PATH = Path(__file__).with_name("name_words.json")
# A word that is long enough to be told from a name is found in pieces too: "Ur gent".
_LONG = 6
_GAP = r"[\W_]*"
_WORD = re.compile(r"[^\W_]+")
_SPELLED = re.compile(r"(?<![^\W_])([^\W_])[\W_]+(?=[^\W_](?![^\W_]))")
# Thai, Lao and East Asian: no spaces between words, so a phrase is found within a run of letters.
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


class NameWords(BaseModel):
    """The lists of `name_words.json`.

    Attributes:
        surnames: words that are surnames too; allowed as the one last word of a name.
        sentence_words: two of them make a sentence.
        advertising_words: with a word of `surnames` they make an advertisement.
        never, insults: by language; in no name.
        with_accents: insults that without their accents are names ("Cono").
        names_in_rules: phrases of a rules file, of any language, that people are called.
        placeholders: what tables have in a name's place; the second list's words are names as well
            where they are written like one ("Nan", "Null").
        statuses: what a customer is, in a name's place; `statuses_within`, wherever they stand.
        lone_titles, greetings: no names by themselves; `placeholders.py` says what else they do.
        titles: what may end in a full stop within a word, as in "St.John".
        suffixes: what may stand behind a name, after a comma or not.
        top_level_domains: what makes a link of letters behind a full stop.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    surnames: frozenset[str]
    sentence_words: frozenset[str]
    advertising_words: frozenset[str]
    never: dict[str, tuple[str, ...]]
    insults: dict[str, tuple[str, ...]]
    with_accents: frozenset[str]
    names_in_rules: frozenset[str]
    placeholders: frozenset[str]
    placeholders_in_lower_case: frozenset[str]
    statuses: frozenset[str]
    statuses_within: tuple[str, ...]
    lone_titles: frozenset[str]
    greetings: frozenset[str]
    titles: frozenset[str]
    suffixes: frozenset[str]
    top_level_domains: frozenset[str]


@cache
def name_words() -> NameWords:
    """The lists of words by which names are judged, read once from their file."""
    return NameWords.model_validate(json.loads(WORDS_PATH.read_text(encoding="utf-8")))


def says_something(name: str) -> bool:
    """Whether the name advertises, commands, promises or insults, however it is spelled."""
    readings = {name, name.replace("I", "l")}  # "SaIe" with a capital "i"
    plain = [_spelled_together(_read(reading)) for reading in readings]
    unspaced = "".join(name.split())
    return (
        any(_holds_a_phrase(text) for text in plain)
        or (not name.isascii() and any(phrase in unspaced for phrase in _never_unspaced()))
        or _is_sentence(name)
        or not name_words().with_accents.isdisjoint(_WORD.findall(name.casefold()))
        or any(_misuses_a_surname(text, name) for text in plain)
    )


def _is_sentence(name: str) -> bool:
    words = _WORD.findall(name.casefold())
    return sum(word in name_words().sentence_words for word in words) > 1


def _misuses_a_surname(plain: str, name: str) -> bool:
    """A word like "free" anywhere but at the end, twice, in disguise, or after an advertiser's."""
    known = name_words()
    words = [w for w in _WORD.findall(plain) if w not in known.suffixes]
    found = [word for word in words if _surnames().fullmatch(word)]
    if not found:
        return False
    *before, last = [w for w in _WORD.findall(name.casefold()) if w not in known.suffixes]
    alone = len(found) == 1 and found == words[-1:]
    return not (
        alone
        and last in known.surnames
        and known.sentence_words.isdisjoint(before)
        and known.advertising_words.isdisjoint(before)
    )


def _read(text: str) -> str:
    return skeleton(text, default_rules().confusables)


def _spelled_together(plain: str) -> str:
    """ "f. r. e. e." as "free."."""
    return _SPELLED.sub(r"\1", plain)


def _holds_a_phrase(plain: str) -> bool:
    letters, never = _letters(plain), _never()
    within = {
        letters[start : start + length]
        for length in _lengths()[: len(letters)]  # no more of them fit in
        for start in range(len(letters) - length + 1)
    }
    return any(
        _pattern(phrase).search(plain) for bare in within & never.keys() for phrase in never[bare]
    )


def _letters(plain: str) -> str:
    """Letters alone, each run of one letter once: no spelling of a phrase lacks the phrase's."""
    return "".join(letter for letter, _ in groupby(filter(str.isalnum, plain)))


@cache
def _never() -> dict[str, list[str]]:
    """Everything of the rules file that is nobody's name, and the lists of this one, by letters.

    A name is searched for the few phrases whose letters stand somewhere in its own, and looking
    each run of its letters up is quicker than looking for each of hundreds of phrases.
    """
    rules, known = default_rules(), name_words()
    of_rules = {*rules.banned_in_names, *rules.gift_words, *rules.discount_words}
    for language in LANGUAGES[1:]:  # English is the rules' own; a name may be in any
        of_rules |= {*words_of(language)} - {*rules.surnames}
    own = (phrase for phrase in _own_phrases() if not _UNSPACED.search(phrase))
    names = known.surnames | {*map(_read, known.names_in_rules)}
    phrases = {_read(phrase) for phrase in (*of_rules, *own)} - names
    by_letters: dict[str, list[str]] = {}
    for phrase in sorted(phrases):
        by_letters.setdefault(_letters(phrase), []).append(phrase)
    return by_letters


@cache
def _lengths() -> tuple[int, ...]:
    """How many letters the phrases have."""
    return tuple(sorted({len(bare) for bare in _never()}))


@cache
def _never_unspaced() -> tuple[str, ...]:
    return tuple(phrase for phrase in _own_phrases() if _UNSPACED.search(phrase))


def _own_phrases() -> Iterator[str]:
    for group in (name_words().never, name_words().insults):
        for phrases in group.values():
            yield from phrases


@cache
def _pattern(phrase: str) -> re.Pattern[str]:
    body = _GAP.join(
        spelled(word, gap=_GAP if len(word) >= _LONG else "") for word in _WORD.findall(phrase)
    )
    return re.compile(rf"(?<![^\W_]){body}(?![^\W_])")


@cache
def _surnames() -> re.Pattern[str]:
    return re.compile("|".join(map(spelled, name_words().surnames)))
