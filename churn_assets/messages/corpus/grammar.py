"""A written grammar of retention messages: `grammar.json` holds the words, this holds the order.

`grammar.varied.json` has the same parts with choices in them, "[thank you|thanks] for joining us.",
and reasons that lead to the offer in one sentence.

A message has a greeting, an offer, and some of an opening, a reason and a closing. Opening and
offer wording belong to a family; the families of the test split are never seen in training.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from churn_assets.messages.config import Phrasing
from churn_assets.messages.corpus.prompts import Situation
from churn_assets.messages.shield.brief import TONES, TenureBand
from churn_assets.messages.shield.repetition import repeats
from churn_assets.messages.shield.rules import default_rules
from churn_assets.messages.shield.slots import length_range

Split = Literal["train", "test"]
SPLITS: tuple[Split, ...] = ("train", "test")
Shape = Literal["full", "signed", "opened", "bare"]
# What a message has beside greeting and offer: opening and reason; reason and closing; opening and
# closing; closing. The shield's length leaves no room for all three.
WITH_REASON: Mapping[Shape, float] = {"full": 2 / 3, "signed": 1 / 3}
# The corpus. Fixed: three in four give a reason; the others are correct, people write such ones
# too, and the preference pairs say which are better: that is what PPO-Text has to learn. Varied:
# nearly all, for a base that PPO-Text can't lead far from SFT before the sentences become worse.
SHAPES: Mapping[Phrasing, Mapping[Shape, float]] = {
    "fixed": {"full": 0.5, "signed": 0.25, "opened": 0.17, "bare": 0.08},
    "varied": {"full": 0.7, "signed": 0.26, "opened": 0.03, "bare": 0.01},
}
_FILES: Mapping[Phrasing, str] = {"fixed": "grammar.json", "varied": "grammar.varied.json"}
CHOICE = re.compile(r"\[([^\]]*)\]")
SENTENCES = re.compile(r"(?<=[.!?:])\s+")  # what stands between two
# The grammar keeps this far from the shield's longest text: a model cannot count characters. A base
# that has read much goes less astray.
LENGTH_MARGIN: Mapping[Phrasing, int] = {"fixed": 25, "varied": 15}
MOST_DRAWS = 20_000  # for one message; a few hundred where its opening is among the longest


class Family(BaseModel):
    """Openings and offers that go together, of one train of thought.

    Attributes:
        any: openings for a customer of any tenure.
        new, tenured: openings for one in the first months, and for all others.
        leads: what leads to an offer.
        no_offer: sentences in its place, where none is to be promised.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    any: tuple[str, ...]
    new: tuple[str, ...]
    tenured: tuple[str, ...]
    leads: tuple[str, ...]
    no_offer: tuple[str, ...]

    def openings(self, band: TenureBand) -> tuple[str, ...]:
        """Every opening that may be written to a customer of this tenure band."""
        return self.any + self.of_the_band(band)

    def of_the_band(self, band: TenureBand) -> tuple[str, ...]:
        """The openings that are of a customer's time with us; `any` suits every time."""
        return self.new if band == "new" else self.tenured


class Grammar(BaseModel):
    """The words by where they stand in a message.

    A reason by topic is a sentence, or a clause ("As thanks for having your phone with us,") that
    leads to the offer in one sentence: then `gives` are the verbs behind it, `asks` what follows
    the clauses in `reasons_without_offer` where none is to be promised.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    greetings: Mapping[str, tuple[str, ...]]
    reasons: Mapping[str, tuple[str, ...]]
    reasons_without_offer: Mapping[str, tuple[str, ...]] = {}
    gives: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    objects: tuple[str, ...]
    durations: tuple[str, ...]
    closings: Mapping[str, tuple[str, ...]]
    families: Mapping[str, Family]
    held_out_families: tuple[str, ...]

    def families_of(self, split: Split) -> list[str]:
        """Names of the families that write a split, sorted: those that are held out write messages
        to test on, in words that no model has learnt from."""
        held_out = set(self.held_out_families)
        return sorted(held_out if split == "test" else set(self.families) - held_out)

    def split_of(self, family: str) -> Split:
        """The split that a family writes: `test` where it is held out, else `train`."""
        return "test" if family in self.held_out_families else "train"

    def reasons_for(self, topic: str, offer: int) -> tuple[str, ...]:
        """What may be said of a topic to whom this discount is promised, or none."""
        return (not offer and self.reasons_without_offer.get(topic)) or self.reasons[topic]

    def sentences(self) -> list[str]:
        """Every part that a message can have, in no order, choices as they are written; parts of an
        offer by themselves."""
        listed = [*self.greetings.values(), *self.closings.values(), *self.reasons.values()]
        listed += [*self.reasons_without_offer.values(), self.gives, self.asks]
        listed += [self.objects, self.durations]
        for family in self.families.values():
            listed += [family.any, family.new, family.tenured, family.leads, family.no_offer]
        return [part for parts in listed for part in parts]


@cache
def grammar(phrasing: Phrasing = "fixed") -> Grammar:
    """The grammar of this phrasing, read once from the file beside this module."""
    path = Path(__file__).with_name(_FILES[phrasing])
    return Grammar.model_validate(json.loads(path.read_text(encoding="utf-8")))


def fits(template: str, phrasing: Phrasing = "fixed") -> bool:
    """Whether the filled text keeps to the shield's length for every customer."""
    low, high = default_rules().length
    shortest, longest = length_range(template)
    return low <= shortest and longest <= high - LENGTH_MARGIN[phrasing]


@dataclass(frozen=True)
class Draft:
    """A message in its parts, what it was written for and of which family its words are.

    `opening`, `reason` and `closing` are None where the message has none; `offer` is a sentence
    without an offer where none is to be promised.
    """

    situation: Situation
    family: str
    greeting: str
    opening: str | None
    reason: str | None
    offer: str
    closing: str | None
    phrasing: Phrasing = "fixed"

    @property
    def words(self) -> Grammar:
        """The grammar that it was written by."""
        return grammar(self.phrasing)

    @property
    def split(self) -> Split:
        """Which split the message belongs to, by its family."""
        return self.words.split_of(self.family)

    @property
    def parts(self) -> list[str]:
        """The sentences in their order: an opening leads to its family's offer, and the reason
        stands behind both; without an opening the reason leads, as one that is a clause does."""
        if self.reason is not None and self.reason.endswith(","):
            woven = f"{self.reason} {_lower_first(self.offer)}"
            found = (self.greeting, self.opening, woven, self.closing)
        elif self.opening is None:
            found = (self.greeting, self.reason, self.offer, self.closing)
        else:
            found = (self.greeting, self.opening, self.offer, self.reason or self.closing)
        return [part for part in found if part is not None]

    @property
    def text(self) -> str:
        """The template: the parts in their order as one text, with slots."""
        return join(self.parts)

    def is_sound(self) -> bool:
        """Whether its length is right for everybody and nothing in it is said twice."""
        return fits(self.text, self.phrasing) and not repeats(self.text)


def write_message(
    rng: random.Random,
    situation: Situation,
    family: str,
    shapes: Mapping[Shape, float] | None = None,
    phrasing: Phrasing = "fixed",
) -> str:
    """One template that suits the situation, of the length that the shield wants.

    `shapes` are the corpus' own unless others are asked for.
    """
    return write_draft(rng, situation, family, shapes, phrasing).text


def write_draft(
    rng: random.Random,
    situation: Situation,
    family: str,
    shapes: Mapping[Shape, float] | None = None,
    phrasing: Phrasing = "fixed",
    *,
    of_the_band: bool = False,
) -> Draft:
    """The same in its parts; an opening is one of the customer's time with us if that is asked for.

    Shape, by its weight in `shapes`, and opening are drawn before the rest: of those that make a
    message long there are as many as of others. Raises ValueError where nothing fits behind them.
    """
    words = grammar(phrasing)
    own = words.families[family]
    shapes = shapes or SHAPES[phrasing]
    (shape,) = rng.choices(list(shapes), list(shapes.values()))
    openings = own.of_the_band(situation.band) if of_the_band else own.openings(situation.band)
    opening = rng.choice(openings) if shape in ("full", "opened") else None
    closings = words.closings[situation.tone]
    for _ in range(MOST_DRAWS):
        draft = Draft(
            situation=situation,
            family=family,
            greeting=draw(rng, words.greetings[situation.tone]),
            opening=None if opening is None else vary(rng, opening),
            reason=draw_reason(rng, situation, words) if shape in WITH_REASON else None,
            offer=draw_offer(rng, situation, words, own, reason=shape in WITH_REASON),
            closing=None if shape == "full" else draw(rng, closings),
            phrasing=phrasing,
        )
        if draft.is_sound():
            return draft
    behind = "" if opening is None else f" behind {opening!r}"
    raise ValueError(
        f"no {shape} message of family {family!r}{behind} keeps to the shield's length and says "
        f"nothing twice: {MOST_DRAWS:,} were drawn, so write shorter or other words"
    )


def draw(rng: random.Random, parts: Sequence[str]) -> str:
    """One of the parts, its choices drawn."""
    return vary(rng, rng.choice(parts))


def vary(rng: random.Random, part: str) -> str:
    """The part with each of its choices drawn by itself; one without any as it is."""
    return CHOICE.sub(lambda found: rng.choice(found[1].split("|")), part)


def draw_reason(rng: random.Random, situation: Situation, words: Grammar) -> str:
    """Why we write to this customer: about their contract or one of their services."""
    return draw(rng, words.reasons_for(situation.about, situation.offer))


def draw_offer(
    rng: random.Random, situation: Situation, words: Grammar, family: Family, *, reason: bool
) -> str:
    """The sentence with the offer, or one without where none is to be promised; in words that go
    on from a reason where the grammar has some."""
    if not situation.offer:
        return draw(rng, (reason and words.asks) or family.no_offer)
    leads = (reason and words.gives) or family.leads
    return f"{draw(rng, leads)} {draw(rng, words.objects)}{draw(rng, words.durations)}."


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
    """How many distinct templates of the right length the fixed grammar can write, by exact count.

    Parts are told apart by where they stand, so distinct part lists are distinct texts; lengths
    add up, so histograms of lengths are convolved in place of writing every message.
    """
    words = grammar()
    reasons = _lengths([reason for group in words.reasons.values() for reason in group])
    total = 0
    for family, tone in product(words.families.values(), TONES):
        openings = _lengths([*family.any, *family.new, *family.tenured])
        parts = product(family.leads, words.objects, words.durations)
        offers = _lengths(
            [*family.no_offer, *(f"{lead} {thing}{duration}." for lead, thing, duration in parts)]
        )
        closings, greetings = _lengths(words.closings[tone]), _lengths(words.greetings[tone])
        beside = _add_lengths(openings, reasons)
        for other in (reasons, openings, _lengths([""])):
            beside.update(_add_lengths(other, closings))
        whole = _add_lengths(_add_lengths(greetings, offers), beside)
        low, high = default_rules().length
        high -= LENGTH_MARGIN["fixed"]
        total += sum(n for (a, b), n in whole.items() if low < a and b - 1 <= high)
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
