"""Slots: what the model writes instead of values, and how they are filled."""

from __future__ import annotations

import re
from collections.abc import Mapping

from churn_assets.messages.brief import MessageBrief
from churn_assets.messages.names import MAX_NAME_LENGTH

# Shortest and longest text that fills each slot, so that a template's length can be judged once
# for every customer. bill: "$0.00" to a four-letter currency and "99999.99".
SLOT_LENGTHS: Mapping[str, tuple[int, int]] = {
    "name": (1, MAX_NAME_LENGTH),
    "tenure": (8, 11),
    "offer": (2, 3),
    "bill": (5, 12),
    "months": (7, 9),
}
SLOTS = tuple(SLOT_LENGTHS)
SLOT_TOKENS = tuple(f"{{{slot}}}" for slot in SLOTS)
_SLOT = re.compile(r"\{([^{}]*)\}")


def slots_in(template: str) -> list[str]:
    """Every slot's name in order of appearance, unknown ones included."""
    return _SLOT.findall(template)


def has_stray_brace(template: str) -> bool:
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


def slot_values(brief: MessageBrief, *, currency: str, offer_months: int) -> dict[str, str]:
    """What each slot is filled with; units are part of the value, so that plurals are right."""
    tenure = "first month" if brief.tenure <= 1 else f"{brief.tenure} months"
    return {
        "name": brief.name,
        "tenure": tenure,
        "offer": f"{brief.offer_percentage}%",
        "bill": f"{currency}{brief.monthly_charges:.2f}",
        "months": "1 month" if offer_months == 1 else f"{offer_months} months",
    }


def fill(template: str, values: Mapping[str, str]) -> str:
    """Put the values in, in one pass: a value is never searched for slots.

    Raises KeyError when the template has a slot that `values` has not.
    """
    return _SLOT.sub(lambda match: values[match.group(1)], template)
