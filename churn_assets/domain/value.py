"""What a customer is worth: the money that an assessment period's decisions are about."""

MONTHS_OF_VALUE = 12
"""A customer's value is so many times the monthly charge, in its currency."""
