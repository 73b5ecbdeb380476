"""The discounts that a customer can be offered, by level and by percentage."""

OFFER_PERCENTAGES: tuple[int, ...] = (0, 5, 10, 15)
"""Percent off the monthly charge for a year, by offer level 0..3; level 0 is no discount."""

OFFER_LEVELS = len(OFFER_PERCENTAGES)
