"""The safety shield: a message that breaks any rule of `rules.json` is never served.

A template (slots unfilled) is judged once for every customer: right slots and no others, and a
length that holds for the shortest and the longest values. A filled text is judged again as the
customer would read it, with the values it must show masked, so that a name is never mistaken
for a phrase, nor a bill for a telephone number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from churn_assets.messages.brief import Contract, MessageBrief, Service
from churn_assets.messages.rules import (
    RULES_PATH,
    PhraseMatcher,
    ShieldRules,
    load_rules,
    skeleton,
)
from churn_assets.messages.slots import (
    SLOT_LENGTHS,
    has_stray_brace,
    length_range,
    mask_slots,
    slot_values,
    slots_in,
)

MARK = "\ufffc"  # object replacement character: stands for a value while the words are judged
TEMPLATE_CHECKS = ("unknown_slot", "doubled_slot", "missing_slot", "literal_value")
TEXT_CHECKS = ("unfilled_slot", "quiet_hours", "wrong_value")
SHARED_CHECKS = (
    "banned_phrase",
    "invalid_length",
    "missing_name",
    "missing_offer",
    "promised_discount",
    "link",
    "phone_or_card_number",
    "other_name",
    "wrong_service",
    "wrong_contract",
    "unexpected_character",
    "shouting",
    "repetition",
)
CHECKS = SHARED_CHECKS + TEXT_CHECKS

_NUMBER = re.compile(r"\d")
_LONG_NUMBER = re.compile(r"(?:\d[\s().+/-]*){7,}")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_DOUBLED = re.compile(r"\b(\w+)\s+\1\b", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!?]+")
_SENTENCE_START = re.compile(r"(?:^|[.!?:;…]\s+|[“\"(]\s*|\s[-–—]\s)$")
_JOINS_BEFORE = re.compile(r"[\w.,$]")
_JOINS_AFTER = re.compile(r"\w")
_SHOUTED = re.compile(r"[!?]{2,}|(?<!\w)[A-Z]{4,}(?!\w)|(?<!\w)[A-Z]{3,}\s+[A-Z]{3,}(?!\w)")


@dataclass(frozen=True)
class Verdict:
    """`passed` is true exactly when `violations` is empty."""

    passed: bool
    violations: tuple[str, ...]

    @classmethod
    def of(cls, violations: Iterator[str]) -> Verdict:
        found = tuple(dict.fromkeys(violations))
        return cls(passed=not found, violations=found)

    def as_dict(self) -> dict[str, bool | list[str]]:
        """The specification's `{"passed": ..., "violations": [...]}`."""
        return {"passed": self.passed, "violations": list(self.violations)}


@dataclass(frozen=True)
class Facts:
    """What of a brief decides whether a template suits it; no customer's values in it."""

    offer_percentage: int
    contract: Contract
    services: tuple[Service, ...]

    @classmethod
    def of(cls, brief: MessageBrief) -> Facts:
        return cls(brief.offer_percentage, brief.contract, brief.services)


class Shield:
    """Judges by one rules file; `currency` and `offer_months` are what slots are filled with."""

    def __init__(self, rules: ShieldRules, *, currency: str = "$", offer_months: int = 12) -> None:
        self.rules = rules
        self.currency = currency
        self.offer_months = offer_months
        self._banned = PhraseMatcher(rules.banned_phrases, rules.confusables)
        self._discount = PhraseMatcher(rules.discount_words, rules.confusables, whole_words=True)
        self._innocent = PhraseMatcher(rules.allowed_with_no_offer, rules.confusables)
        self._services = self._matchers(rules.service_words)
        self._contracts = self._matchers(rules.contract_words)
        self._links = re.compile("|".join(rules.link_patterns))
        self._first_names = {name.casefold() for name in rules.first_names}
        words = "|".join(re.escape(word) for word in rules.greetings)
        self._greeting = re.compile(rf"\b(?:{words})\b[\s,]+([^\W\d_]+)", re.IGNORECASE)
        # A bank has a few thousand templates: their words, values masked, recur in every message.
        self.check_template_facts = lru_cache(maxsize=65_536)(self._check_template)
        self._word_violations = lru_cache(maxsize=65_536)(self._judge_words)

    @classmethod
    def load(
        cls, rules_path: Path = RULES_PATH, *, currency: str = "$", offer_months: int = 12
    ) -> Shield:
        """Read the rules; raises ValueError naming the file when they are not valid."""
        return cls(load_rules(rules_path), currency=currency, offer_months=offer_months)

    def check_template(self, template: str, brief: MessageBrief) -> Verdict:
        """Whether the template is right for every customer with this offer, contract, services."""
        return self.check_template_facts(template, Facts.of(brief))

    def check_text(self, text: str, brief: MessageBrief, now: datetime | None = None) -> Verdict:
        """Whether the filled text may be sent to this customer at this time.

        `now` is any aware time and is read in the zone of `brief.local_time`, which is used
        itself when `now` is None. Raises ValueError when `now` has no time zone.
        """
        return Verdict.of(self._text_violations(text, brief, now))

    def _check_template(self, template: str, facts: Facts) -> Verdict:
        return Verdict.of(self._template_violations(template, facts))

    def _template_violations(self, template: str, facts: Facts) -> Iterator[str]:
        slots = slots_in(template)
        if has_stray_brace(template) or not set(slots) <= SLOT_LENGTHS.keys():
            yield "unknown_slot"
            return
        if len(set(slots)) < len(slots):
            yield "doubled_slot"
        if "name" not in slots:
            yield from ("missing_slot", "missing_name")
        if facts.offer_percentage and "offer" not in slots:
            yield from ("missing_slot", "missing_offer")
        if not facts.offer_percentage and {"offer", "months"} & set(slots):
            yield "promised_discount"
        shortest, longest = length_range(template)
        if shortest < self.rules.length[0] or longest > self.rules.length[1]:
            yield "invalid_length"
        if MARK in template:  # it would pass for a masked value
            yield "unexpected_character"
        masked = mask_slots(template, MARK)
        if _NUMBER.search(masked) or "%" in masked or "$" in masked:
            yield "literal_value"
        yield from self._word_violations(masked, facts)

    def _text_violations(
        self, text: str, brief: MessageBrief, now: datetime | None
    ) -> Iterator[str]:
        local = brief.local_time if now is None else _in_zone(now, brief.local_time)
        if self.rules.quiet_hours.contains(local.hour):
            yield "quiet_hours"
        if not self.rules.length[0] <= len(text) <= self.rules.length[1]:
            yield "invalid_length"
        if "{" in text or "}" in text:
            yield "unfilled_slot"
        if MARK in text:
            yield "unexpected_character"
        values = slot_values(brief, currency=self.currency, offer_months=self.offer_months)
        if not _standing_alone(values["name"], text):
            yield "missing_name"
        if brief.offer_percentage and not _standing_alone(values["offer"], text):
            yield "missing_offer"
        masked = _mask_values(text, values, brief.offer_percentage)
        if _NUMBER.search(masked) or "%" in masked:
            yield "promised_discount" if not brief.offer_percentage else "wrong_value"
        yield from self._word_violations(masked, Facts.of(brief))

    def _judge_words(self, masked: str, facts: Facts) -> tuple[str, ...]:
        """What is wrong with the words themselves, values masked."""
        return tuple(self._violations_of(masked, facts))

    def _violations_of(self, masked: str, facts: Facts) -> Iterator[str]:
        seen = skeleton(masked, {})  # as written: digits are digits
        plain = skeleton(masked, self.rules.confusables)
        if self._banned.finds_in(plain):
            yield "banned_phrase"
        if not facts.offer_percentage and self._discount.finds_in(self._innocent.without(plain)):
            yield "promised_discount"
        if self._links.search(seen):
            yield "link"
        if _LONG_NUMBER.search(seen):
            yield "phone_or_card_number"
        if self._names_somebody_else(masked):
            yield "other_name"
        if any(m.finds_in(plain) for s, m in self._services.items() if s not in facts.services):
            yield "wrong_service"
        if any(m.finds_in(plain) for c, m in self._contracts.items() if c != facts.contract):
            yield "wrong_contract"
        if not all(self._is_plain(character) for character in masked):
            yield "unexpected_character"
        if _SHOUTED.search(masked):
            yield "shouting"
        if repeats(masked):
            yield "repetition"

    def _is_plain(self, character: str) -> bool:
        if character == MARK or character in self.rules.plain_characters:
            return True
        return " " <= character <= "~" and character not in "<>{}[]|\\^~`&*_=#"

    def _names_somebody_else(self, masked: str) -> bool:
        for match in self._greeting.finditer(masked):
            follower = match.group(1)
            if follower.casefold() in self._first_names:
                return True
            if follower[0].isupper() and follower not in self.rules.capitalised_words:
                return True
        for match in _WORD.finditer(masked):
            word = match.group()
            if not word[0].isupper() or word in self.rules.capitalised_words:
                continue
            base = word.split("'")[0].split("’")[0]
            if base.casefold() in self._first_names:
                return True
            if not _SENTENCE_START.search(masked[: match.start()]):
                return True
        return False

    def _matchers(self, words: Mapping[str, tuple[str, ...]]) -> dict[str, PhraseMatcher]:
        confusables = self.rules.confusables
        return {
            key: PhraseMatcher(phrases, confusables, whole_words=True)
            for key, phrases in words.items()
        }


def _in_zone(now: datetime, local: datetime) -> datetime:
    if now.tzinfo is None:
        raise ValueError("now needs a time zone")
    return now.astimezone(local.tzinfo)


def _standing_alone(value: str, text: str) -> list[slice]:
    """Where the value is not part of a longer word or number: "5%" is not in "15%"."""
    found = []
    start = text.find(value)
    while start >= 0:
        end = start + len(value)
        joined = (start > 0 and _JOINS_BEFORE.match(text, start - 1)) or _JOINS_AFTER.match(
            text, end
        )
        if not joined:
            found.append(slice(start, end))
        start = text.find(value, start + 1 if joined else end)
    return found


def _mask_values(text: str, values: Mapping[str, str], offer: int) -> str:
    """The text with the customer's own values masked; with no offer, "0%" is not one of them."""
    shown = [value for slot, value in values.items() if offer or slot not in ("offer", "months")]
    for value in sorted(shown, key=len, reverse=True):
        for place in reversed(_standing_alone(value, text)):
            text = text[: place.start] + MARK + text[place.stop :]
    return text


def repeats(text: str) -> bool:
    """The same word twice running, the same four words twice, or the same sentence twice."""
    if _DOUBLED.search(text):
        return True
    words = [word.casefold() for word in _WORD.findall(text)]
    runs = list(zip(words, words[1:], words[2:], words[3:], strict=False))
    sentences = [part.strip().casefold() for part in _SENTENCE_END.split(text) if part.strip()]
    return len(set(runs)) < len(runs) or len(set(sentences)) < len(sentences)
