"""The three disjoint groups of customers, and who stands for many."""

from dataclasses import dataclass
from pathlib import Path

from churn_assets.decision.baselines import representative
from churn_assets.decision.customers import Customers, concatenate


@dataclass(frozen=True)
class Groups:
    """Disjoint customers, as the folder of the retention environment holds them."""

    train: Customers
    valid: Customers
    test: Customers

    @classmethod
    def load(cls, folder: Path) -> "Groups":
        """Read the retention environment's folder."""
        names = ("train", "valid", "test")
        return cls(*(Customers.load(folder / f"{name}.safetensors") for name in names))

    def calibration(self, count: int) -> Customers:
        """Customers of training and validation, equal shares of value."""
        return representative(concatenate([self.train, self.valid]), count)
