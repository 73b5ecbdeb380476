"""A Lagrange multiplier: the learnt price of one constraint."""

from dataclasses import dataclass


@dataclass
class LagrangeMultiplier:
    """lambda <- max(0, lambda + rate x (used - limit)), the specification's dual ascent.

    `used` is a mean per episode, in the limit's unit, and may lie on either side of the limit: an
    update on a hinge excess could only ever raise the multiplier.
    """

    value: float
    limit: float
    rate: float

    def update(self, used: float) -> float:
        """Take one step and return the new value, >= 0."""
        self.value = max(0.0, self.value + self.rate * (used - self.limit))
        return self.value
