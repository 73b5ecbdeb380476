"""Whether the world is still the one that the models learnt: inputs, scores, what came true, and
whether the service keeps to what it promised.
"""
