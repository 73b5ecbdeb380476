"""Constrained PPO: the network, its training, and its calibration to the budget."""
