"""The schema of the built-in contract's customers, as its YAML says it."""

from churn_assets.customers.contract.model import BUILT_IN, load_contract
from churn_assets.customers.fields import schema_of

BUILT_IN_CONTRACT = load_contract(BUILT_IN)
BUILT_IN_SCHEMA = schema_of(BUILT_IN_CONTRACT)
