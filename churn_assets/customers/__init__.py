"""A company's own customers: the contract (one YAML file), reading its tables, and judging them."""
