"""What messages know of a customer: how long one is bound, and what one has."""

from typing import Literal, get_args

Contract = Literal["Month-to-month", "One year", "Two year"]
Service = Literal["internet", "phone", "streaming", "security"]

CONTRACTS: tuple[Contract, ...] = get_args(Contract)
SERVICES: tuple[Service, ...] = get_args(Service)
MAX_TENURE = 1200
"""Months that somebody may have been a customer."""
MAX_CHARGES = 99_999_999.99
"""What somebody may pay in a month, in currency: in rupiah or dong, too."""
