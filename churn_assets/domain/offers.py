"""The discounts that a customer can be offered, by level and by percentage."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

OFFER_PERCENTAGES: tuple[int, ...] = (0, 5, 10, 15)
"""Percent off the monthly charge for a year, by offer level 0..3; level 0 is no discount. Those of
the built-in contract, and of every other that names none."""

OFFER_LEVELS = len(OFFER_PERCENTAGES)


class Offers(BaseModel):
    """What a company offers.

    Attributes:
        percent: off the monthly charge, in whole per cent, one for each of the four levels, from
            0 (no discount) up.
        months: for how long.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    percent: tuple[int, int, int, int] = (0, 5, 10, 15)
    months: int = Field(12, ge=1, le=99)

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if self.percent[0] != 0 or list(self.percent) != sorted({*self.percent}):
            raise ValueError(f"percent has to rise from 0, not {list(self.percent)}")
        if self.percent[-1] > 100 or self.percent[-1] * self.months > 1200:
            raise ValueError(
                f"{self.percent[-1]} % for {self.months} months is over a year's price"
            )
        return self

    @property
    def shares(self) -> tuple[float, float, float, float]:
        """What each level costs once it is accepted, as a share of the customer's yearly value."""
        none, low, middle, high = (each * self.months / 1200 for each in self.percent)
        return none, low, middle, high


def as_percentage(cell: Any) -> Any:
    """A file's cell as whole per cent where it says that: `15 %`, `15,0` and `15.0` are 15. All
    else, as `15,5 %`, stays as it is, for whoever checks it to refuse by its name."""
    if not isinstance(cell, str):
        return cell
    try:
        number = float(cell.strip().removesuffix("%").replace(",", "."))
    except ValueError:
        return cell
    return int(number) if number.is_integer() else cell


def percent_of(offers: Offers | None) -> tuple[int, ...]:
    """The percentages by level, also where a contract names none."""
    return OFFER_PERCENTAGES if offers is None else offers.percent
