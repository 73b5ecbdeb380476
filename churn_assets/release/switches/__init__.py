"""Small files in the store that every server follows: kill switch, experiment, budget price."""
