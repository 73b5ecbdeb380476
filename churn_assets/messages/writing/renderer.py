"""How money and time are written in a message, and what a template's slots are filled with."""

from __future__ import annotations

from dataclasses import dataclass

from churn_assets.messages.shield.brief import MessageBrief
from churn_assets.messages.shield.slots import (
    MONTH_WORDS,
    OF_OWN_CONTRACTS,
    WHOLE_YEARS_FROM,
    YEAR_WORDS,
)

SIGNS = {"EUR": "€", "GBP": "£", "USD": "$"}
LONGEST_SIGN = 4  # what `SLOT_LENGTHS` leaves room for


def sign_of(currency: str) -> str | None:
    """How an amount in a currency ("EUR") begins: "€", or the code and a space; None where it is
    none that fits into a message."""
    sign = SIGNS.get(currency, f"{currency} " if currency.isalpha() else currency)
    return sign if 0 < len(sign) <= LONGEST_SIGN else None


def tenure_in_words(brief: MessageBrief) -> str:
    """A tenure of two months or more: "23 months", "9 years" of 119 months."""
    if brief.tenure >= WHOLE_YEARS_FROM:
        return f"{brief.tenure // 12} {YEAR_WORDS[brief.language]}"
    return f"{brief.tenure} {MONTH_WORDS[brief.language][2]}"


@dataclass(frozen=True)
class Renderer:
    """Turns a customer's facts into the words that fill a template.

    currency: sign before amounts; None: no message names an amount. offer_months: how long a
    discount lasts.
    """

    currency: str | None
    offer_months: int

    def values(self, brief: MessageBrief) -> dict[str, str]:
        """Slot -> what it is filled with; units belong to it, so that plurals are right.

        A customer without a usable name, with no month behind them, whose bill isn't known, or of
        whom the contract lets no message speak, has no value for that slot.
        """
        first, month, months = MONTH_WORDS[brief.language]
        lasts = f"1 {month}" if self.offer_months == 1 else f"{self.offer_months} {months}"
        values = {
            "offer": f"{brief.offer_percentage}%",
            "months": lasts,
        }
        if self.currency is not None:
            values["bill"] = f"{self.currency}{brief.monthly_charges:.2f}"
        if brief.name is not None:
            values["name"] = brief.name
        if brief.subject is not None:
            values[OF_OWN_CONTRACTS] = brief.subject
        if brief.names_tenure:
            values["tenure"] = first if brief.tenure == 1 else tenure_in_words(brief)
        return values
