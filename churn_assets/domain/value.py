"""What a customer is worth: the money that an assessment period's decisions are about."""

MONTHS_OF_VALUE = 12
"""A customer's value is so many times the monthly charge, in its currency."""


def amount(value: float, currency: str = "", digits: int = 2, *, signed: bool = False) -> str:
    """Money in a sentence, as the console writes it: "$1,234.50", "−€7.00".

    Args:
        currency: what it begins with; empty where none is known.
        digits: decimals.
        signed: whether a gain has its plus.
    """
    shown = round(value, digits)
    sign = "−" if shown < 0 else "+" if signed and shown > 0 else ""
    return f"{sign}{currency}{abs(shown):,.{digits}f}"
