"""How money and time are written in a message, and what a template's slots are filled with."""

from __future__ import annotations

from dataclasses import dataclass

from churn_assets.messages.shield.brief import MessageBrief
from churn_assets.messages.shield.slots import MONTH_WORDS, OF_OWN_CONTRACTS


@dataclass(frozen=True)
class Renderer:
    """Turns a customer's facts into the words that fill a template.

    currency: sign before amounts. offer_months: how long a discount lasts.
    """

    currency: str
    offer_months: int

    def values(self, brief: MessageBrief) -> dict[str, str]:
        """Slot -> what it is filled with; units belong to it, so that plurals are right.

        A customer without a usable name, with no month behind them, or of whom the contract lets no
        message speak, has no value for that slot.
        """
        first, month, months = MONTH_WORDS[brief.language]
        lasts = f"1 {month}" if self.offer_months == 1 else f"{self.offer_months} {months}"
        values = {
            "offer": f"{brief.offer_percentage}%",
            "bill": f"{self.currency}{brief.monthly_charges:.2f}",
            "months": lasts,
        }
        if brief.name is not None:
            values["name"] = brief.name
        if brief.subject is not None:
            values[OF_OWN_CONTRACTS] = brief.subject
        if brief.tenure:
            values["tenure"] = first if brief.tenure == 1 else f"{brief.tenure} {months}"
        return values
