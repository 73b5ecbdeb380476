"""Policies that nobody trained: rules, their tuning, and a bandit."""
