"""Whether a message's words suit the customer: their services, contract, tenure band and tone.

By the rules file's lexicon: words of what a customer doesn't have, of a time that isn't theirs, or
of another tone are a misfit. A phrase in the lists of several bands or tones suits each of them; a
phrase in no list suits everybody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from churn_assets.messages.shield.brief import (
    CONTRACTS,
    SERVICES,
    TENURE_BANDS,
    TONES,
    Facts,
    Service,
)
from churn_assets.messages.shield.rules import PhraseMatcher, ShieldRules, skeleton

Kind = TypeVar("Kind", bound=str)


class Lexicon(Generic[Kind]):
    """Phrases by the kind of customer that they suit."""

    def __init__(
        self,
        kinds: tuple[Kind, ...],
        phrases: Mapping[str, tuple[str, ...]],
        confusables: dict[str, str],
    ) -> None:
        listed = {kind: phrases.get(kind, ()) for kind in kinds}
        every = {phrase for words in listed.values() for phrase in words}
        self._any = _matcher(sorted(every), confusables)
        self._own = {kind: _matcher(words, confusables) for kind, words in listed.items()}
        self._foreign = {
            kind: _matcher(sorted(every - set(words)), confusables)
            for kind, words in listed.items()
        }

    def suits(self, plain: str, kind: Kind | None) -> bool:
        """Whether nothing in the skeleton is for other kinds only; None is of no kind at all."""
        matcher = self._any if kind is None else self._foreign[kind]
        return matcher is None or not matcher.finds_in(plain)

    def names(self, plain: str, kind: Kind | None) -> bool:
        """Whether something in the skeleton is for this kind; nothing is for None."""
        matcher = None if kind is None else self._own[kind]
        return matcher is not None and matcher.finds_in(plain)


class Fit:
    """The lexicons of a rules file, and its rule against kind words negated."""

    def __init__(self, rules: ShieldRules) -> None:
        self.rules = rules
        self._services = Lexicon(SERVICES, rules.service_words, rules.confusables)
        self._contracts = Lexicon(CONTRACTS, rules.contract_words, rules.confusables)
        self._bands = Lexicon(TENURE_BANDS, rules.tenure_words, rules.confusables)
        self._tones = Lexicon(TONES, rules.tone_words, rules.confusables)
        self._innocent = _matcher(rules.innocent_negations, rules.confusables)
        self._negated = _negation_pattern(rules)

    def misfits(self, masked: str, plain: str, facts: Facts) -> Iterator[str]:
        """The violations of a text with its values masked; `plain` is its skeleton."""
        if any(self._services.names(plain, s) for s in SERVICES if s not in facts.services):
            yield "wrong_service"
        if not self._contracts.suits(plain, facts.contract):
            yield "wrong_contract"
        if not self._bands.suits(plain, facts.band):
            yield "wrong_tenure_band"
        calm = facts.tone in self.rules.tones_without_exclamation
        if not self._tones.suits(plain, facts.tone) or (calm and "!" in masked):
            yield "wrong_tone"

    def gives_a_reason(self, plain: str, facts: Facts) -> bool:
        """Whether the customer's contract or one of their services is named."""
        return self._contracts.names(plain, facts.contract) or any(
            self._services.names(plain, service) for service in facts.services
        )

    def services_in(self, plain: str) -> tuple[Service, ...]:
        """The services that are named, whoever has them."""
        return tuple(service for service in SERVICES if self._services.names(plain, service))

    def negates_kindness(self, seen: str) -> bool:
        """Whether a kind word is denied: "we do not value your trust"; `seen` as written."""
        if self._negated is None:
            return False
        rest = seen if self._innocent is None else self._innocent.without(seen)
        return self._negated.search(rest.replace("’", "'")) is not None


def _matcher(phrases: tuple[str, ...] | list[str], confusables: dict[str, str]) -> (
    PhraseMatcher | None
):  # fmt: skip
    return PhraseMatcher(phrases, confusables, whole_words=True) if phrases else None


def _negation_pattern(rules: ShieldRules) -> re.Pattern[str] | None:
    """A negation, at most four words, a kind word: all in one clause."""
    if not (rules.negations and rules.kind_words):
        return None
    negations, kind = (
        "|".join(re.escape(skeleton(word, {})).replace(r"\ ", r"\s+") for word in words)
        for words in (rules.negations, rules.kind_words)
    )
    return re.compile(rf"(?:\b(?:{negations})|n't)(?:\s+[\w']+){{0,4}}?\s+(?:{kind})\b")
