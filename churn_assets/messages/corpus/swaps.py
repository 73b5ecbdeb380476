"""What doesn't fit: one part of a message is exchanged for one that suits another customer.

As many sentences as before, and drawn from the same lists: only the prompt tells which is right,
neither the length nor any word.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace

from churn_assets.messages.config import Phrasing
from churn_assets.messages.corpus.grammar import (
    WITH_REASON,
    Draft,
    Shape,
    draw,
    write_draft,
)
from churn_assets.messages.corpus.prompts import Situation
from churn_assets.messages.shield.brief import CONTRACTS, SERVICES, TENURE_BANDS, TONES


def wrong_fact(rng: random.Random, draft: Draft) -> Draft:
    """A reason about a service or contract that the customer hasn't."""
    known = {*draft.situation.services, draft.situation.contract}
    topics = [t for t in (*SERVICES, *CONTRACTS) if t not in known]
    reasons = draft.words.reasons_for(rng.choice(topics), draft.situation.offer)
    return replace(draft, reason=draw(rng, reasons))


def missing_reason(rng: random.Random, draft: Draft) -> Draft:
    """A sentence that suits everybody in place of the reason, or none."""
    if rng.random() < 0.5:
        return replace(draft, reason=None)
    family = draft.words.families[rng.choice(draft.words.families_of(draft.split))]
    return replace(draft, reason=draw(rng, family.no_offer))


def wrong_band(rng: random.Random, draft: Draft) -> Draft:
    """An opening for customers of another time with us."""
    family, band = draft.words.families[draft.family], draft.situation.band
    others = {o for other in TENURE_BANDS if other != band for o in family.of_the_band(other)}
    return replace(draft, opening=draw(rng, sorted(others - {*family.of_the_band(band)})))


def wrong_closing(rng: random.Random, draft: Draft) -> Draft:
    """The closing of another tone."""
    return replace(draft, closing=_of_another_tone(rng, draft.words.closings, draft))


def wrong_greeting(rng: random.Random, draft: Draft) -> Draft:
    """The greeting of another tone."""
    return replace(draft, greeting=_of_another_tone(rng, draft.words.greetings, draft))


def _of_another_tone(rng: random.Random, words: Mapping[str, tuple[str, ...]], draft: Draft) -> str:
    own = words[draft.situation.tone]
    others = [word for tone in TONES for word in words[tone] if word not in own]
    return draw(rng, others)


Swap = Callable[[random.Random, Draft], Draft]
SWAPS: Mapping[str, Swap] = {
    swap.__name__: swap
    for swap in (
        wrong_fact,
        missing_reason,
        wrong_band,
        wrong_closing,
        wrong_greeting,
    )
}

# What a message must have so that a part can be exchanged; any with a reason will do for others.
_FULL: Mapping[Shape, float] = {"full": 1}
_SHAPES_FOR: Mapping[str, Mapping[Shape, float]] = {
    "missing_reason": _FULL,
    "wrong_band": _FULL,
    "wrong_closing": {"signed": 1},
}


def write_swapped(
    rng: random.Random,
    situation: Situation,
    family: str,
    swap: str,
    phrasing: Phrasing = "fixed",
) -> tuple[Draft, Draft]:
    """A message that suits the customer and gives a reason, and the same with one part exchanged;
    both of the length that the shield wants."""
    shapes, banded = _SHAPES_FOR.get(swap, WITH_REASON), swap == "wrong_band"
    while True:
        draft = write_draft(rng, situation, family, shapes, phrasing, of_the_band=banded)
        swapped = SWAPS[swap](rng, draft)
        if swapped.is_sound():
            return draft, swapped
