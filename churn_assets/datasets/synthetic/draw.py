"""Seeded draws shared by the tabular generators."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Column = NDArray[np.object_]


class Draw:
    """Draws for `rows` rows from one seeded generator."""

    def __init__(self, rows: int, seed: int) -> None:
        self.rows = rows
        self.rng = np.random.default_rng(seed)

    def one_of(self, **shares: float) -> Column:
        """Category names (N,), the given shares being scaled to one."""
        names, weights = list(shares), np.array(list(shares.values()))
        return self.rng.choice(np.array(names, dtype=object), self.rows, p=weights / weights.sum())

    def when(self, probability: float | NDArray[np.float64]) -> NDArray[np.bool_]:
        """True (N,) with the given probability, one number or one for each row."""
        return np.asarray(self.rng.random(self.rows) < probability)

    def labels(self, logits: NDArray[np.float64], rate: float) -> NDArray[np.bool_]:
        """Outcomes (N,) of the logistic truth whose intercept gives `rate` on average."""
        low, high = -20.0, 20.0
        for _ in range(60):
            middle = (low + high) / 2
            if sigmoid(logits + middle).mean() < rate:
                low = middle
            else:
                high = middle
        return self.when(sigmoid(logits + low))


def sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float64)


def yes_no(flags: NDArray[np.bool_], yes: str = "Yes", no: str = "No") -> Column:
    return np.where(flags, yes, no).astype(object)


def linear(frame: pd.DataFrame, effects: dict[str, dict[str, float]]) -> NDArray[np.float64]:
    """Sum over columns of each row's category's effect in log-odds (N,); others count 0."""
    total = np.zeros(len(frame))
    for column, effect in effects.items():
        total += frame[column].map(effect).fillna(0.0).to_numpy(dtype=float)
    return total
