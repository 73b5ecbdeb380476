"""The shield's rules file, and matching of phrases that resists spelling tricks."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache, cached_property
from itertools import groupby
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from churn_assets.customers.languages import Language
from churn_assets.messages.shield.bounded import MOST_CHARACTERS, bounded
from churn_assets.messages.shield.lookalikes import lookalikes

RULES_PATH = Path(__file__).with_name("rules.json")


def language_path(language: Language) -> Path:
    """The file of a language's own words."""
    return RULES_PATH.with_name(f"rules.{language}.json")


_EXCLAIMED = re.compile(r"(?<=[^\W_])!+(?![^\W_])")  # ends a word: no "i" of it

Pattern = Annotated[str, AfterValidator(bounded)]
Character = Annotated[str, Field(min_length=1, max_length=1)]


class QuietHours(BaseModel):
    """From `start` o'clock until `end` o'clock, over midnight when start > end."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    start: int = Field(ge=0, le=23)
    end: int = Field(ge=0, le=23)

    def contains(self, hour: int) -> bool:
        """Whether an hour (0 to 23) is quiet; `end` itself isn't, and nothing is where both are
        equal."""
        if self.start <= self.end:
            return self.start <= hour < self.end
        return hour >= self.start or hour < self.end


class ShieldRules(BaseModel):
    """Everything the shield knows; `rules.json` is the only place that says it.

    A file of an older release lacks the rules that came later: it is judged by those it has.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    length: tuple[int, Annotated[int, Field(le=MOST_CHARACTERS)]]
    quiet_hours: QuietHours
    banned_phrases: dict[str, tuple[str, ...]]
    surnames: tuple[str, ...]
    gift_words: tuple[str, ...]
    discount_words: tuple[str, ...]
    number_words: tuple[str, ...]
    counted_words: tuple[str, ...]
    innocent_phrases: tuple[str, ...]
    excused_phrases: tuple[str, ...] = ()
    slot_contexts: dict[str, tuple[Pattern, ...]]
    service_words: dict[str, tuple[str, ...]]
    contract_words: dict[str, tuple[str, ...]]
    tenure_words: dict[str, tuple[str, ...]] = {}
    tone_words: dict[str, tuple[str, ...]] = {}
    unserved_phrases: tuple[str, ...] = ()
    unserved_words: tuple[str, ...] = ()
    unserved_patterns: tuple[Pattern, ...] = ()
    ill_formed: tuple[Pattern, ...] = ()  # of a text in small letters; begins with plain letters
    subject_form: Pattern = ""
    tones_without_exclamation: tuple[str, ...] = ()
    final_punctuation: str = ""
    unfinished_words: tuple[str, ...] = ()
    negations: tuple[str, ...] = ()
    kind_words: tuple[str, ...] = ()
    innocent_negations: tuple[str, ...] = ()
    greetings: tuple[str, ...]
    words_before_comma: tuple[str, ...]
    capitalised_words: tuple[str, ...]
    first_names: tuple[str, ...]
    names_that_are_words: tuple[str, ...]
    link_patterns: tuple[Pattern, ...]
    plain_characters: str
    subject_characters: str = ""
    confusables: dict[Character, Annotated[str, Field(max_length=2)]]

    def in_language(self, language: Language) -> ShieldRules:
        """These rules (English) with the words of another language in place of theirs.

        What is banned in English stays banned, and what is a link a link; what a language's file
        leaves out stays as it is.
        """
        if language == "en":
            return self
        own = json.loads(language_path(language).read_text(encoding="utf-8"))
        both = {
            "banned_phrases": self.banned_phrases | own["banned_phrases"],
            "link_patterns": (*self.link_patterns, *own.get("link_patterns", ())),
        }
        return ShieldRules.model_validate(self.model_dump() | own | both)

    @property
    def all_banned(self) -> tuple[str, ...]:
        """The banned phrases of every group, in the file's order."""
        return tuple(phrase for group in self.banned_phrases.values() for phrase in group)

    @property
    def banned_in_names(self) -> tuple[str, ...]:
        """The banned phrases but those that people are called."""
        return tuple(phrase for phrase in self.all_banned if phrase not in self.surnames)

    @property
    def number_pattern(self) -> str:
        """A regular expression: an amount in words, "ten percent", "two more months"."""
        numbers, counted = (
            "|".join(map(re.escape, words)) for words in (self.number_words, self.counted_words)
        )
        return rf"\b(?:{numbers})\W+(?:\w+\W+)?(?:{counted})\b"


def words_of(language: Language) -> Iterator[str]:
    """What another language's file bans or gives away, without the rest of its rules: those would
    have their patterns compiled."""
    own = json.loads(language_path(language).read_text(encoding="utf-8"))
    for group in own["banned_phrases"].values():
        yield from group
    yield from own["gift_words"]
    yield from own["discount_words"]


def load_rules(path: Path = RULES_PATH) -> ShieldRules:
    """Read a rules file; raises ValueError naming the file when it is not one."""
    try:
        return ShieldRules.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise ValueError(f"{path} is no valid shield rules file: {error}") from error


@cache
def default_rules() -> ShieldRules:
    """The product's own rules, read once."""
    return load_rules()


def skeleton(text: str, confusables: dict[str, str]) -> str:
    """What a reader sees: no accents, no invisible characters, look-alikes as Latin letters.

    `confusables` are read beside Unicode's own (`lookalikes.py`), and before them: "5" as "s". An
    exclamation mark is an "i" within a word ("l!fe") and not behind one ("free!").
    """
    if "!" in confusables and "!" in text:
        text = _EXCLAIMED.sub(".", text)
    if text.isascii():  # no accents, nothing in disguise: nearly every name and text
        return "".join([confusables.get(c) or c for c in text.lower() if c.isprintable()])
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    visible = (c for c in decomposed if unicodedata.category(c) not in ("Mn", "Cf", "Cc"))
    unicodes = lookalikes()
    return "".join(confusables.get(c) or unicodes.get(c, c) for c in visible)


def spelled(word: str, *, gap: str = "") -> str:
    """A pattern for a word whose letters are stretched at will, with `gap` between them.

    A run of one letter is one repetition: `a+a+a+` would take cubic time, and so on.
    """
    parts = []
    for letter, run in groupby(map(re.escape, word)):
        more = len(list(run)) - 1
        parts.append(f"{letter}(?:{gap}{letter}){{{more},}}" if more else f"{letter}+")
    return gap.join(parts)


class PhraseMatcher:
    """Finds phrases whatever their case, accents, look-alikes, spacing and stretched letters.

    A phrase begins at a word's beginning and may end within a word ("urgent" finds "urgently",
    "act now" does not find "contact now"), unless `whole_words` is set.
    """

    def __init__(
        self,
        phrases: Sequence[str],
        confusables: dict[str, str],
        *,
        whole_words: bool = False,
    ) -> None:
        self.confusables = confusables
        self._phrases = sorted(phrases, key=len, reverse=True)
        self._end = r"(?![^\W_])" if whole_words else ""

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        # Made when something is first looked for: of the forty matchers of a shield a server uses
        # a few, and each takes 7 ms.
        bodies = [
            spelled("".join(filter(str.isalnum, skeleton(phrase, self.confusables))), gap=r"[\W_]*")
            for phrase in self._phrases
        ]
        return re.compile(rf"(?<![^\W_])(?:{'|'.join(bodies)}){self._end}")

    def finds(self, text: str) -> bool:
        """Whether any of the phrases stands in a text, however it is disguised."""
        return self.finds_in(skeleton(text, self.confusables))

    def finds_in(self, plain: str) -> bool:
        """The same for a skeleton made before: one serves many matchers."""
        return self._pattern.search(plain) is not None

    def without(self, plain: str) -> str:
        """A skeleton with every match taken out."""
        return self._pattern.sub(" ", plain)
