"""Whom to contact when with which discount: the assumed world, its exact optimum, rules, and PPO.

May import `predictors` and what lies below; knows nothing of messages.
"""
