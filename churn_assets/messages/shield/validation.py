"""The safety shield: a message that breaks any rule of `rules.json` is never served.

A template (slots unfilled) is judged once for every customer: right slots and no others, and a
length that holds for the shortest and the longest values. A filled text is judged again as the
customer would read it, with the values it must show masked, so that a name is never mistaken
for a phrase, nor a bill for a telephone number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from churn_assets.customers.languages import Language
from churn_assets.messages.shield.bounded import MOST_CHARACTERS
from churn_assets.messages.shield.brief import Facts, MessageBrief, Service
from churn_assets.messages.shield.characters import is_plain, odd_characters
from churn_assets.messages.shield.fit import Fit
from churn_assets.messages.shield.repetition import WORD, repeats
from churn_assets.messages.shield.rules import (
    RULES_PATH,
    PhraseMatcher,
    ShieldRules,
    load_rules,
    skeleton,
)
from churn_assets.messages.shield.slots import (
    MARK,
    MARKS,
    MONTH_WORDS,
    OF_OFFERS,
    OF_OWN_CONTRACTS,
    SLOT_LENGTHS,
    context_pattern,
    has_stray_brace,
    length_range,
    mask_slots,
    only_in_slots,
    own_values,
    slot_places,
    slots_in,
    standing_alone,
    unfill,
)
from churn_assets.messages.shield.verdict import Verdict

_OF_NAMELESS = frozenset(("missing_slot", "missing_name"))  # where nobody can be named
_NUMBER = re.compile(r"\d")
_LONG_NUMBER = re.compile(r"(?:\d[\s().+/-]*){7,}")
_SENTENCE_START = re.compile(r"(?:^|[.!?:;…]\s+|[“\"(¡¿]\s*|\s[-–—]\s)$")
_DOUBLED_STOP = re.compile(r"(?<!\.)\.\.(?!\.)")  # "Sam Jr.. We"; three are an ellipsis
_SHOUTED = re.compile(r"[!?]{2,}|(?<!\w)[A-Z]{4,}(?!\w)|(?<!\w)[A-Z]{3,}\s+[A-Z]{3,}(?!\w)")


_PASSED, _QUIET = Verdict(True, ()), Verdict(False, ("quiet_hours",))


class Shield:
    """Judges templates, and texts filled from them, by one rules file."""

    def __init__(self, rules: ShieldRules) -> None:
        self.rules = rules
        self._banned = PhraseMatcher(rules.all_banned, rules.confusables)
        self._banned_in_names = self._words(rules.banned_in_names)
        self._gift = self._words(rules.gift_words)
        self._discount = self._words(rules.discount_words)
        self._innocent = PhraseMatcher(rules.innocent_phrases, rules.confusables)
        excused = "|".join(map(re.escape, rules.excused_phrases))
        self._excused = re.compile(rf"\b(?:{excused})\b") if excused else None
        self._fit = Fit(rules)
        self._links = re.compile("|".join(rules.link_patterns))
        self._amount = re.compile(rules.number_pattern)
        self._unserved_phrases = PhraseMatcher(rules.unserved_phrases, rules.confusables)
        self._unserved_words = self._words(rules.unserved_words)
        self._unserved = re.compile("|".join(rules.unserved_patterns) or r"(?!)", re.IGNORECASE)
        self._ill_formed = [re.compile(pattern) for pattern in rules.ill_formed]
        self._contexts = [
            context_pattern(pattern)
            for patterns in rules.slot_contexts.values()
            for pattern in patterns
        ]
        self._subject_form = re.compile(rules.subject_form, re.IGNORECASE)
        self._first_names = {name.casefold() for name in rules.first_names}
        self._before_comma = {*rules.words_before_comma, *rules.greetings}
        dangling = "|".join(map(re.escape, rules.unfinished_words))
        self._dangling = re.compile(rf"\b(?:{dangling})[.!?]", re.IGNORECASE) if dangling else None
        self._lower_names = self._first_names - set(rules.names_that_are_words)
        words = "|".join(re.escape(word) for word in rules.greetings)
        self._greeting = re.compile(rf"\b(?:{words})\b[\s,]+([^\W\d_]+)", re.IGNORECASE)
        self._banned_letters = "\n".join(  # no word has a line's end: one search for all phrases
            _letters(phrase, rules.confusables) for phrase in rules.banned_in_names
        )
        # A bank has a few thousand templates: their words, values masked, recur in every message.
        self.check_template_facts = lru_cache(maxsize=65_536)(self._check_template)
        self._holds_to_more = lru_cache(maxsize=65_536)(self._keeps_to_what_is_served)
        self._misuses_a_slot = lru_cache(maxsize=65_536)(self._misplaces_a_slot)
        self._word_violations = lru_cache(maxsize=65_536)(self._judge_words)
        self._may_complete_a_phrase = lru_cache(maxsize=4_096)(self._has_a_phrase_s_letters)

    @classmethod
    def load(cls, rules_path: Path = RULES_PATH) -> Shield:
        """Read the rules; raises ValueError naming the file when they are not valid."""
        rules = load_rules(rules_path)
        try:
            return cls(rules)
        except (ValueError, re.error) as error:
            raise ValueError(f"{rules_path} is no valid shield rules file: {error}") from error

    def in_language(self, language: Language) -> Shield:
        """The same rules for messages in another language, with its own words."""
        if language == "en":
            return self
        return Shield(self.rules.in_language(language))

    def check_template(self, template: str, brief: MessageBrief) -> Verdict:
        """Whether the template is right for every customer with the brief's categories."""
        return self.check_template_facts(template, brief.facts)

    def may_be_served(self, template: str, facts: Facts) -> bool:
        """Whether a template that a model wrote passes, and holds to more than models are trained
        and measured by: a discount says how long it lasts, since else it reads as one for good, and
        pressure, promises, discounts in common words and work that nobody did stand nowhere.

        The corpus has texts without a term, and the flaws that the reward model learns are made of
        the banned phrases: these rules came later, and what is trained stays as it was.
        """
        passes = self.check_template_facts(template, facts).passed
        return passes and self._holds_to_more(template, bool(facts.offer_percentage))

    def gives_a_reason(self, template: str, facts: Facts) -> bool:
        """Whether the template names the customer's contract, one of their services, or what their
        company's contract has words for."""
        if facts.has_subject and OF_OWN_CONTRACTS in slots_in(template):
            return True
        masked = mask_slots(template[:MOST_CHARACTERS], MARK)
        return self._fit.gives_a_reason(skeleton(masked, self.rules.confusables), facts)

    def services_in(self, template: str) -> tuple[Service, ...]:
        """The services that the template names: it is for customers who have all of them."""
        masked = mask_slots(template[:MOST_CHARACTERS], MARK)
        return self._fit.services_in(skeleton(masked, self.rules.confusables))

    def check_subject(self, subject: str) -> Verdict:
        """Whether a company's words for something of a customer's may stand in a message."""
        return Verdict.of(self._subject_violations(subject))

    def odd_characters(self, subject: str) -> str:
        """Those of a company's words that no message may have."""
        return odd_characters(subject, self.rules)

    def check_text(self, text: str, brief: MessageBrief, values: Mapping[str, str]) -> Verdict:
        """Whether the filled text may be sent to this customer at `brief.local_time`.

        values: slot -> what it was filled with (`Renderer.values`).
        """
        return Verdict.of(self._text_violations(text, brief, values))

    def check_filled(
        self, template: str, text: str, brief: MessageBrief, values: Mapping[str, str]
    ) -> Verdict:
        """`check_text` of what `fill` made of the template with the values; ten times as fast where
        nothing of the values needs a closer look.

        A text in which each value stands in its slot and nowhere else is, values masked, its
        template again, and the words of that were judged for everybody with the brief's facts.
        """
        if not self._is_its_template_again(template, text, brief, values):
            return self.check_text(text, brief, values)
        return _QUIET if self.rules.quiet_hours.contains(brief.local_time.hour) else _PASSED

    def _is_its_template_again(
        self, template: str, text: str, brief: MessageBrief, values: Mapping[str, str]
    ) -> bool:
        """Whether `check_text` can find nothing that `check_template` has not; False where only
        `check_text` itself can tell."""
        found = self.check_template_facts(template, brief.facts).violations
        return (
            (not found or (brief.name is None and _OF_NAMELESS.issuperset(found)))
            and self.rules.length[0] <= len(text) <= self.rules.length[1]
            and ".." not in text
            and not self._is_ill_formed(text)
            and not (brief.name and self._may_complete_a_phrase(brief.name))
            and not (brief.subject and brief.subject in text)
            and ("tenure" in values or MONTH_WORDS[brief.language][0] not in text)
            and only_in_slots(template, text, own_values(values, brief.offer_percentage))
        )

    def _is_ill_formed(self, text: str) -> bool:
        lower = text.lower()  # not re.IGNORECASE: each pattern begins with letters to look for
        return any(pattern.search(lower) for pattern in self._ill_formed)

    def _check_template(self, template: str, facts: Facts) -> Verdict:
        return Verdict.of(self._template_violations(template, facts))

    def _keeps_to_what_is_served(self, template: str, has_offer: bool) -> bool:
        if has_offer and "months" not in slots_in(template):
            return False
        plain = skeleton(mask_slots(template, MARK), self.rules.confusables)
        return not (
            self._unserved_phrases.finds_in(plain)
            or self._unserved_words.finds_in(plain)
            or self._unserved.search(template)
        )

    def _template_violations(self, template: str, facts: Facts) -> Iterator[str]:
        if len(template) > MOST_CHARACTERS:
            yield "invalid_length"
            return
        slots = slots_in(template)
        known = SLOT_LENGTHS.keys() - (() if facts.has_subject else {OF_OWN_CONTRACTS})
        if has_stray_brace(template) or not set(slots) <= known:
            yield "unknown_slot"
            return
        if len(set(slots)) < len(slots):
            yield "doubled_slot"
        if "name" not in slots:
            yield from ("missing_slot", "missing_name")
        if facts.offer_percentage and "offer" not in slots:
            yield from ("missing_slot", "missing_offer")
        if not facts.offer_percentage and OF_OFFERS & set(slots):
            yield "promised_discount"
        shortest, longest = length_range(template)
        if shortest < self.rules.length[0] or longest > self.rules.length[1]:
            yield "invalid_length"
        if not MARKS.isdisjoint(template):  # they would pass for values
            yield "unexpected_character"
        masked = mask_slots(template, MARK)
        if _NUMBER.search(masked) or "%" in masked or "$" in masked:
            yield "literal_value"
        if self._misuses_a_slot(template):
            yield "misused_slot"
        yield from self._word_violations(masked, facts)

    def _text_violations(
        self, text: str, brief: MessageBrief, values: Mapping[str, str]
    ) -> Iterator[str]:
        if self.rules.quiet_hours.contains(brief.local_time.hour):
            yield "quiet_hours"
        if not self.rules.length[0] <= len(text) <= self.rules.length[1]:
            yield "invalid_length"
        if len(text) > MOST_CHARACTERS:
            return
        if "{" in text or "}" in text:
            yield "unfilled_slot"
            return
        if not MARKS.isdisjoint(text):
            yield "unexpected_character"
            return
        # Masking the name "now" would hide "act now".
        name = brief.name
        if name and self._may_complete_a_phrase(name) and self._banned_in_names.finds(text):
            yield "banned_phrase"
        if brief.subject and standing_alone(brief.subject, text):
            yield from self._subject_violations(brief.subject)
            if self._banned_in_names.finds(text):  # masked, it would hide half of a phrase
                yield "banned_phrase"
        if name and not standing_alone(name, text):
            yield "missing_name"
        if _DOUBLED_STOP.search(text):
            yield "doubled_stop"
        if self._is_ill_formed(text):
            yield "ill_formed"
        first = MONTH_WORDS[brief.language][0]  # what a discount lasts may read the same: "1 mes"
        told = "tenure" in values or values.get("months") == first
        if not told and standing_alone(first, text):
            yield "wrong_value"
        if brief.offer_percentage and not standing_alone(values["offer"], text):
            yield "missing_offer"
        values = own_values(values, brief.offer_percentage)
        if self._misuses_a_value(text, values):
            yield "misused_slot"
        masked = mask_slots(unfill(text, values), MARK)
        if _NUMBER.search(masked) or "%" in masked:
            yield "promised_discount" if not brief.offer_percentage else "wrong_value"
        yield from self._word_violations(masked, brief.facts)

    def _subject_violations(self, subject: str) -> Iterator[str]:
        """What is wrong with words that are masked in a message: all but whom they suit."""
        seen, plain = skeleton(subject, {}), skeleton(subject, self.rules.confusables)
        if self._banned.finds_in(plain) or self._unserved_phrases.finds_in(plain):
            yield "banned_phrase"
        words = (self._gift, self._discount, self._unserved_words)
        if any(found.finds_in(plain) for found in words) or self._amount.search(plain):
            yield "promised_discount"
        if self._links.search(seen):
            yield "link"
        if _NUMBER.search(subject) or "%" in subject:
            yield "wrong_value"
        if self.odd_characters(subject):
            yield "unexpected_character"
        if _SHOUTED.search(subject):
            yield "shouting"
        if not self._subject_form.match(subject):
            yield "form"

    def _judge_words(self, masked: str, facts: Facts) -> tuple[str, ...]:
        """What is wrong with the words themselves, values masked."""
        return tuple(self._violations_of(masked, facts))

    def _violations_of(self, masked: str, facts: Facts) -> Iterator[str]:
        seen = skeleton(masked, {})[:MOST_CHARACTERS]  # as written: digits are digits
        plain = skeleton(masked, self.rules.confusables)
        if self._excused is not None:  # a banned phrase that a "not" turns round
            plain = self._excused.sub(" ", plain)
        if self._banned.finds_in(plain):
            yield "banned_phrase"
        plain = self._innocent.without(plain)
        if self._gift.finds_in(plain) or self._amount.search(plain):
            yield "promised_discount"
        if not facts.offer_percentage and self._discount.finds_in(plain):
            yield "promised_discount"
        if self._links.search(seen):
            yield "link"
        if _LONG_NUMBER.search(seen):
            yield "phone_or_card_number"
        if self._names_somebody_else(masked):
            yield "other_name"
        yield from self._fit.misfits(masked, plain, facts)
        if self._fit.negates_kindness(seen):
            yield "negated_kindness"
        if self._is_unfinished(masked):
            yield "unfinished"
        if not all(is_plain(character, self.rules) for character in masked):
            yield "unexpected_character"
        if _SHOUTED.search(masked):
            yield "shouting"
        if repeats(masked):
            yield "repetition"

    def _is_unfinished(self, masked: str) -> bool:
        """Whether the text breaks off: no final punctuation, an ellipsis, or a sentence that ends
        in a word that none ends in ("Yours sincerely, the.")."""
        if self._dangling is not None and self._dangling.search(masked):
            return True
        ends = self.rules.final_punctuation
        text = masked.rstrip().rstrip("\"'”’)")
        return bool(ends) and (not text.endswith(tuple(ends)) or text.endswith(".."))

    def _has_a_phrase_s_letters(self, name: str) -> bool:
        words = [_letters(word, self.rules.confusables) for word in name.split()]
        return any(word in self._banned_letters for word in words)

    def _misplaces_a_slot(self, template: str) -> bool:
        """Whether a slot stands where its value would say something else than it is."""
        right = {
            match.start("slot")
            for context in self._contexts
            for match in context.finditer(template)
        }
        return not slot_places(template) <= right

    def _misuses_a_value(self, text: str, values: Mapping[str, str]) -> bool:
        """The same for a filled text.

        A name may be a word of the message too ("us"): one of its places must be right. One that
        reads like another value ("first month") may stand in that value's places as well.
        """
        name = values.get("name")
        if name is None or list(values.values()).count(name) > 1:
            return self._misuses_a_slot(unfill(text, values))
        unfilled = unfill(text, {slot: values[slot] for slot in values if slot != "name"})
        named = [
            unfilled[: place.start] + "{name}" + unfilled[place.stop :]
            for place in standing_alone(name, unfilled)
        ]
        return all(self._misuses_a_slot(one) for one in named or [unfilled])

    def _names_somebody_else(self, masked: str) -> bool:
        known = set(self.rules.capitalised_words)
        for match in self._greeting.finditer(masked):
            follower = match.group(1)
            if follower.casefold() in self._first_names:
                return True
            if follower[0].isupper() and follower not in known:
                return True
        for match in WORD.finditer(masked):
            word = match.group().replace("’", "'")
            base = word.split("'")[0]
            if base.casefold() in self._lower_names:
                return True
            if not word[0].isupper() or {word, base} & known:
                continue
            if base.casefold() in self._first_names:
                return True
            if not _SENTENCE_START.search(masked[: match.start()]):
                return True
            called = masked[match.end() :].startswith(",")  # "Wilhelmina, please enjoy"
            if called and word.casefold() not in self._before_comma:
                return True
        return False

    def _words(self, phrases: tuple[str, ...]) -> PhraseMatcher:
        return PhraseMatcher(phrases, self.rules.confusables, whole_words=True)


def _letters(text: str, confusables: dict[str, str]) -> str:
    return "".join(filter(str.isalnum, skeleton(text, confusables)))
