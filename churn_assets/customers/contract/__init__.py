"""The contract, a YAML file: which tables there are and what their columns mean."""
