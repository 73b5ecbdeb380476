"""A judge of messages that is of another kind than the reward model, and what it learnt from."""
