"""What every area speaks of: offers, value, splits, statistics, when a figure misses its bound.

Knows no other room of the product, and needs numpy and pydantic at most.
"""
