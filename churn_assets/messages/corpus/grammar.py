"""A written grammar of retention messages: `grammar.json` holds the words, this holds the order.

A message is greeting, opening, reason, offer, closing. Opening and offer wording belong to a
family; the families of the test split are never seen in training.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import product
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from churn_assets.messages.corpus.prompts import Situation
from churn_assets.messages.shield.brief import TONES, TenureBand
from churn_assets.messages.shield.rules import default_rules
from churn_assets.messages.shield.slots import length_range
from churn_assets.messages.shield.validation import repeats

Split = Literal["train", "test"]
SPLITS: tuple[Split, ...] = ("train", "test")
# Four in ten messages are correct but bare (no opening, no reason): people write such ones too,
# and the preference pairs say that the personal ones are better.
BARE_SHARE = 0.4
REASON_SHARE = 0.3
# The grammar keeps this far from the shield's longest text: a model cannot count characters.
LENGTH_MARGIN = 25


class Family(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    any: tuple[str, ...]
    new: tuple[str, ...]
    tenured: tuple[str, ...]
    leads: tuple[str, ...]
    no_offer: tuple[str, ...]

    def openings(self, band: TenureBand) -> tuple[str, ...]:
        return self.any + (self.new if band == "new" else self.tenured)


class Grammar(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    greetings: Mapping[str, tuple[str, ...]]
    reasons: Mapping[str, tuple[str, ...]]
    objects: tuple[str, ...]
    durations: tuple[str, ...]
    closings: Mapping[str, tuple[str, ...]]
    families: Mapping[str, Family]
    held_out_families: tuple[str, ...]

    def families_of(self, split: Split) -> list[str]:
        held_out = set(self.held_out_families)
        return sorted(held_out if split == "test" else set(self.families) - held_out)


@cache
def grammar() -> Grammar:
    path = Path(__file__).with_name("grammar.json")
    return Grammar.model_validate(json.loads(path.read_text(encoding="utf-8")))


def fits(template: str) -> bool:
    """Whether the filled text keeps to the shield's length for every customer."""
    low, high = default_rules().length
    shortest, longest = length_range(template)
    return low <= shortest and longest <= high - LENGTH_MARGIN


def write_message(
    rng: random.Random, situation: Situation, family: str, *, bare: bool | None = None
) -> str:
    """One template that suits the situation, of the length that the shield wants.

    `bare` None draws it at `BARE_SHARE`.
    """
    bare = rng.random() < BARE_SHARE if bare is None else bare
    while True:
        parts = _draw_parts(rng, situation, grammar().families[family], bare=bare)
        message = join(parts)
        if fits(message) and not repeats(message):
            return message


def _draw_parts(
    rng: random.Random, situation: Situation, family: Family, *, bare: bool
) -> list[str]:
    words = grammar()
    parts = [rng.choice(words.greetings[situation.tone])]
    if not bare:
        parts.append(rng.choice(family.openings(situation.band)))
        if rng.random() < REASON_SHARE:
            topic = rng.choice([*situation.services, situation.contract])
            parts.append(rng.choice(words.reasons[topic]))
    if situation.offer:
        sentence = f"{rng.choice(family.leads)} {rng.choice(words.objects)}"
        parts.append(f"{sentence}{rng.choice(words.durations)}.")
    else:
        parts.append(rng.choice(family.no_offer))
    parts.append(rng.choice(words.closings[situation.tone]))
    return parts


def join(parts: Sequence[str]) -> str:
    """The sentences as one text: small letter after a greeting's comma, capitals otherwise."""
    greeting, first, *rest = parts
    first = _lower_first(first) if greeting.endswith(",") else _upper_first(first)
    return " ".join([greeting, first, *(_upper_first(part) for part in rest)])


def _lower_first(text: str) -> str:
    return text[0].lower() + text[1:]


def _upper_first(text: str) -> str:
    return text[0].upper() + text[1:]


def count_messages() -> int:
    """How many distinct templates of the right length the grammar can write, by exact count.

    Parts are told apart by where they stand, so distinct part lists are distinct texts; lengths
    add up, so histograms of lengths are convolved in place of writing every message.
    """
    words = grammar()
    reasons = [reason for group in words.reasons.values() for reason in group]
    total = 0
    for family, tone in product(words.families.values(), TONES):
        openings = [*family.any, *family.new, *family.tenured]
        offers = [
            f"{lead} {thing}{duration}."
            for lead, thing, duration in product(family.leads, words.objects, words.durations)
        ]
        middle = _add_lengths(_lengths(openings), _lengths(["", *reasons]))
        middle[(0, 0)] += 1  # the bare message
        ends = _add_lengths(_lengths([*offers, *family.no_offer]), _lengths(words.closings[tone]))
        whole = _add_lengths(_add_lengths(_lengths(words.greetings[tone]), middle), ends)
        low, high = default_rules().length
        total += sum(n for (a, b), n in whole.items() if low < a and b - 1 <= high - LENGTH_MARGIN)
    return total


def _lengths(parts: Sequence[str]) -> Counter[tuple[int, int]]:
    """How many parts have each (shortest, longest) length, a following space included."""
    return Counter(
        (low + 1, high + 1) if part else (0, 0)
        for part in parts
        for low, high in [length_range(part)]
    )


def _add_lengths(
    one: Counter[tuple[int, int]], other: Counter[tuple[int, int]]
) -> Counter[tuple[int, int]]:
    total: Counter[tuple[int, int]] = Counter()
    for ((a, b), n), ((c, d), m) in product(one.items(), other.items()):
        total[(a + c, b + d)] += n * m
    return total
