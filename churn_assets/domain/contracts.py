"""How long a customer is bound: the contracts that IBM Telco's customers have."""

from typing import Literal, get_args

Contract = Literal["Month-to-month", "One year", "Two year"]

CONTRACTS: tuple[Contract, ...] = get_args(Contract)
