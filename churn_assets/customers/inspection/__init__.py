"""A first look at a table that nobody has described yet: a first contract with its guesses."""
