"""Seeded draws of tables, column by column, from log-odds that earlier columns give."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache, reduce
from importlib.resources import files
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.object_]
Floats = NDArray[np.float64]
Table = dict[str, NDArray[Any]]
Knots = Mapping[str, Sequence[float]]

AND = " & "  # joins the columns of an interaction, and their levels


@cache
def summary(name: str) -> dict[str, Any]:
    """The fitted summary `<name>.json` beside this file; `fit` says what is in it."""
    text = files(__package__).joinpath(f"{name}.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


class Draw:
    """Draws for `rows` rows of one table.

    The table's name goes into the seed: other draws with the same number (the stages draw with 42
    too, one for each row) must not repeat these, which would tie what they draw to the data.
    """

    def __init__(self, table: str, rows: int, seed: int) -> None:
        self.rows = rows
        self.rng = np.random.default_rng([seed, *table.encode()])

    def levels(self, names: Sequence[str], logits: Floats) -> Column:
        """One of K names for each row (N,), by softmax of the logits (N, K)."""
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        bounds = np.cumsum(weights, axis=1)
        point = self.rng.random(self.rows) * bounds[:, -1]
        return np.array(names, dtype=object)[(point[:, None] >= bounds[:, :-1]).sum(axis=1)]

    def numbers(self, band: Column, bands: Mapping[str, Mapping[str, float]]) -> NDArray[np.int64]:
        """A whole number for each row's band (N,), by the numbers' shares within the band."""
        found = np.zeros(self.rows, dtype=np.int64)
        for name, shares in bands.items():
            members = np.flatnonzero(band == name)
            weights = np.array(list(shares.values()))
            numbers = np.array([int(number) for number in shares])
            found[members] = self.rng.choice(numbers, len(members), p=weights / weights.sum())
        return found

    def columns(self, fitted: Mapping[str, Any], table: Table) -> Table:
        """`table` with the summary's columns added in their order (see `fit`)."""
        for name, column in fitted["columns"].items():
            names = column["levels"]
            drawn = self.levels(names, log_odds(table, column, fitted["knots"], self.rows))
            for other, allowed in column.get("among", {}).items():
                drawn[~np.isin(table[other], allowed)] = column["otherwise"]
            table[name] = drawn
            if "bands" in column:
                table[name.removesuffix(" band")] = self.numbers(drawn, column["bands"])
        return table


def log_odds(table: Table, column: Mapping[str, Any], knots: Knots, rows: int) -> Floats:
    """Log-odds (rows, K) of a column's K levels against the first one, which has 0."""
    total = np.zeros((rows, len(column["levels"])))
    total[:, 1:] = column["intercepts"]
    for term, effects in column["effects"].items():
        for label, effect in effects.items():
            total[:, 1:] += weight(table, term, label, knots)[:, None] * np.array(effect)
    return total


def labels(table: Table, term: str, knots: Knots) -> list[str]:
    """A term's labels: a category's levels, a number's knots, and an interaction's pairs."""
    own = [
        [f"{knot:g}" for knot in knots[name]] if name in knots else sorted(set(table[name]))
        for name in term.split(AND)
    ]
    return [AND.join(several) for several in product(*own)]


def weight(table: Table, term: str, label: str, knots: Knots) -> Floats:
    """What a label's effect is multiplied by in each row (N,), 0..1.

    For a category, whether the row has this level. For a number, 1 at the label's knot, falling
    linearly to 0 at the knots beside it, so that effects are interpolated. For an interaction
    `a & b`, the product.
    """
    parts = zip(term.split(AND), label.split(AND), strict=True)
    return reduce(np.multiply, (_weight(table[n], level, knots.get(n)) for n, level in parts))


def _weight(column: NDArray[Any], level: str, knots: Sequence[float] | None) -> Floats:
    if knots is None:
        return np.asarray(column == level, dtype=np.float64)
    unit = [float(f"{knot:g}" == level) for knot in knots]
    return np.interp(column.astype(np.float64), knots, unit)
