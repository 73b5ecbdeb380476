"""Slots: what the model writes instead of values, and how they are filled."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache

from churn_assets.customers.languages import Language

# Room that every template has for a name. A longer one needs a template that leaves more.
ROOM_FOR_NAME = 40
# By language: the first month as a tenure, one month, and several.
MONTH_WORDS: Mapping[Language, tuple[str, str, str]] = {
    "en": ("first month", "month", "months"),
    "es": ("1 mes", "mes", "meses"),
}
YEAR_WORDS: Mapping[Language, str] = {"en": "years", "es": "años"}
WHOLE_YEARS_FROM = 24
"""From so many months on a tenure is told in whole years: nobody speaks of 119 months."""
# Shortest and longest text that fills each slot, so that a template's length can be judged once
# for every customer. bill: "$0.00" to a four-letter currency and "99999999.99".
SLOT_LENGTHS: Mapping[str, tuple[int, int]] = {
    "name": (1, ROOM_FOR_NAME),
    "tenure": (6, 11),
    "offer": (2, 3),
    "bill": (5, 15),
    "months": (7, 9),
    "subject": (6, 40),
}
OF_OFFERS = frozenset(("offer", "months"))
"""Slots that are only filled where there is a discount."""
OF_OWN_CONTRACTS = "subject"
"""The slot of words from a company's contract: in reviewed templates only, no model writes it."""
SLOTS = tuple(SLOT_LENGTHS)
SLOT_TOKENS = tuple(f"{{{slot}}}" for slot in SLOTS if slot != OF_OWN_CONTRACTS)
_SLOT = re.compile(r"\{([^{}]*)\}")
_JOINS_BEFORE = frozenset(".,$")
MARK = "\ufffc"  # object replacement character: stands for a value while the words are judged
# One private-use character for each slot while values are searched for. No value can hold one.
_SLOT_MARKS = {slot: chr(0xE000 + i) for i, slot in enumerate(SLOTS)}
MARKS = frozenset((MARK, *_SLOT_MARKS.values()))


def slots_in(template: str) -> list[str]:
    """Every slot's name in order of appearance, unknown ones included."""
    return _SLOT.findall(template)


def slot_places(template: str) -> set[int]:
    """Where each slot begins."""
    return {match.start() for match in _SLOT.finditer(template)}


def has_stray_brace(template: str) -> bool:
    """Whether a brace is left that belongs to no slot, as in "Hi {name"."""
    return "{" in (rest := _SLOT.sub("", template)) or "}" in rest


def mask_slots(template: str, mark: str) -> str:
    """The template with every slot replaced by `mark`."""
    return _SLOT.sub(mark, template)


def length_range(template: str) -> tuple[int, int]:
    """Shortest and longest filled text over all customers. Raises KeyError: unknown slot."""
    fixed = len(_SLOT.sub("", template))
    slots = slots_in(template)
    low = fixed + sum(SLOT_LENGTHS[slot][0] for slot in slots)
    return low, fixed + sum(SLOT_LENGTHS[slot][1] for slot in slots)


def without_name(template: str, greetings: Sequence[str]) -> str | None:
    """The template for a customer who isn't named: "Hello, we" for "Dear {name}, we".

    None when the name stands elsewhere than behind a greeting at the beginning.
    """
    named = _greeted(tuple(greetings)).match(template)
    if named is None:
        return None
    greeting = "Hello" if named[1].casefold() == "dear" else named[1]
    return greeting + template[named.end() :]


@cache
def _greeted(greetings: tuple[str, ...]) -> re.Pattern[str]:
    """A greeting and the name behind it."""
    words = "|".join(map(re.escape, greetings))
    return re.compile(rf"(¡?(?:{words})(?: again)?),? \{{name\}}(?=[,.!?:;])", re.IGNORECASE)


def fill(template: str, values: Mapping[str, str]) -> str:
    """Put the values in, in one pass: a value is never searched for slots.

    Raises KeyError when the template has a slot that `values` has not.
    """
    parts = list(_parts(template))
    parts[1::2] = [values[slot] for slot in parts[1::2]]
    return "".join(parts)


@lru_cache(maxsize=65_536)  # a bank has a few thousand templates
def _parts(template: str) -> tuple[str, ...]:
    """Text, slot, text, slot, …, text."""
    return tuple(_SLOT.split(template))


@lru_cache(maxsize=65_536)
def _lone_slots(template: str) -> frozenset[str] | None:
    """The slots, where each value will stand alone whatever it is; None where one may not, for
    what is written or filled in beside it."""
    for match in _SLOT.finditer(template):
        before, after = template[: match.start()][-1:], template[match.end() :][:1]
        if before == "}" or after == "{" or _joined(before, after):
            return None
    return frozenset(slots_in(template))


def only_in_slots(template: str, text: str, values: Mapping[str, str]) -> bool:
    """Whether each value stands alone in its slot, and nowhere else in the text that was filled
    from the template: `unfill` then gives the template, whatever else the text says. False where
    that would take a closer look."""
    slots = _lone_slots(template)
    if slots is None or "{" in text or "}" in text:
        return False
    if not text.isascii() and not MARKS.isdisjoint(text):
        return False
    for slot, value in values.items():
        place = text.find(value)
        if (text.find(value, place + 1) if slot in slots else place) >= 0:
            return False
    return True


def own_values(values: Mapping[str, str], offer_percentage: int) -> Mapping[str, str]:
    """Which of the values are the customer's: "0%" isn't."""
    if offer_percentage:
        return values
    return {slot: value for slot, value in values.items() if slot not in OF_OFFERS}


def unfill(text: str, values: Mapping[str, str]) -> str:
    """The template that a text was filled from: every value as its slot, the longest first.

    Slots of the same value can't be told apart: both are named, as in "{tenure|months}".
    """
    slots: dict[str, list[str]] = {}
    for slot, value in values.items():
        slots.setdefault(value, []).append(slot)
    for value in sorted(slots, key=len, reverse=True):
        for place in reversed(standing_alone(value, text)):
            text = text[: place.start] + _SLOT_MARKS[slots[value][0]] + text[place.stop :]
    for named in slots.values():
        text = text.replace(_SLOT_MARKS[named[0]], f"{{{'|'.join(named)}}}")
    return text


def standing_alone(value: str, text: str) -> list[slice]:
    """Where the value is not part of a longer word or number: "5%" is not in "15%"."""
    found = []
    start = text.find(value)
    while start >= 0:
        end = start + len(value)
        before, after = text[start - 1 : start], text[end : end + 1]
        joined = _joined(before, after)
        if not joined:
            found.append(slice(start, end))
        start = text.find(value, start + 1 if joined else end)
    return found


def _joined(before: str, after: str) -> bool:
    """Whether what stands between two characters is part of a longer word or number."""
    return _in_a_word(before) or before in _JOINS_BEFORE or _in_a_word(after)


def _in_a_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def context_pattern(pattern: str) -> re.Pattern[str]:
    """A rule's pattern with one slot in it, which becomes the group "slot"."""
    slot = _SLOT.search(pattern)
    if slot is None or slot[1] not in SLOT_LENGTHS:
        raise ValueError(f"slot context {pattern!r} names no slot")
    named = rf"(?P<slot>\{{(?:\w+\|)*{slot[1]}(?:\|\w+)*\}})"
    return re.compile(pattern.replace(slot[0], named), re.IGNORECASE)
