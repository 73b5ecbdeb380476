"""Exact path-dependent SHAP values of complete trees, from a table per leaf.

A leaf is reached when the D conditions on its path all hold. Let o_j be 1 if the row satisfies
every condition of the path's j-th feature, and z_j the share of the training weight that does. The
leaf then is a game of its own whose value for a set S of known features is

    v(S) = leaf · prod_{j in S} o_j · prod_{j not in S} z_j,

and the Shapley value of player i is the weighted sum over S of v(S + i) - v(S) (Lundberg et al.,
2020, "From local explanations to global understanding with explainable AI for trees"). The weights
are those of a Beta integral, so the sum over all S is a single integral of a polynomial,

    phi_i = leaf · (o_i - z_i) · integral over t in [0, 1] of prod_{j != i} (t·o_j + (1-t)·z_j),

which Gauss-Legendre quadrature gives exactly. Since o is one of 2^D patterns, all values of all
leaves are tabulated once; explaining a row is a look-up.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PathShapley:
    """Tabulated Shapley values of L leaves whose paths have D conditions.

    Attributes:
        node: (D, L) flat index of each condition's inner node in the (I, T) bits.
        right: (D, L, 1) whether the path leaves that node to the right.
        table: (D * L * 2^D) Shapley value of each player for each pattern of satisfied conditions.
        scatter: (D * L, F) one where a player is a feature: sums players into features.
    """

    node: NDArray[np.intp]
    right: NDArray[np.bool_]
    table: NDArray[np.float32]
    scatter: NDArray[np.float32]

    @classmethod
    def of(
        cls, feature: NDArray[np.intp], left_share: Floats, leaf: NDArray[np.float32], features: int
    ) -> PathShapley:
        """From the complete trees' node features and shares (I, T) and leaves (2^D, T)."""
        leaves, trees = leaf.shape
        depth = leaves.bit_length() - 1
        code = np.arange(leaves)[:, None]  # its bits, first to last, are the path's directions
        right = np.stack([(code >> (depth - 1 - d)) & 1 for d in range(depth)]).astype(bool)
        inner = np.stack([2**d - 1 + (code >> (depth - d)) for d in range(depth)])
        node = (inner * trees + np.arange(trees)).reshape(depth, -1)
        right = np.broadcast_to(right, (depth, leaves, trees)).reshape(depth, -1)
        left = left_share.ravel()[node]
        share = np.where(right, 1 - left, left)
        completes = np.isnan(share)  # such a node never turns a row away: a dummy player
        players = np.where(completes, -1, feature.ravel()[node])
        # The two leaves below a completing node are one leaf: keep the left one.
        value = np.where((completes & right).any(axis=0), 0.0, leaf.reshape(-1))
        table = _tabulate(players, np.where(completes, 1.0, share), value)
        scatter = (players[:, :, None] == np.arange(features)).astype(np.float32)
        return cls(node, right[:, :, None], table.ravel(), scatter.reshape(-1, features))

    def contributions(self, bits: NDArray[np.bool_]) -> NDArray[np.float32]:
        """SHAP values (N, F) of the rows whose node decisions are `bits` (I, T, N)."""
        depth, rows = len(self.node), bits.shape[2]
        satisfied = bits.reshape(-1, rows).take(self.node, axis=0) == self.right
        pattern = np.zeros(satisfied.shape[1:], np.intp)
        for d in range(depth):
            pattern += satisfied[d].astype(np.intp) << d
        entry = self._first_entry + pattern
        return self.table.take(entry).reshape(-1, rows).T @ self.scatter

    @cached_property
    def _first_entry(self) -> NDArray[np.intp]:
        """(D, L, 1) where the 2^D patterns of each leaf's player begin in the table."""
        depth, leaves = self.node.shape
        return (np.arange(depth * leaves) << depth).reshape(depth, leaves, 1)


def _tabulate(players: NDArray[np.intp], share: Floats, value: Floats) -> NDArray[np.float32]:
    """Shapley values (D, L * 2^D) of players (D, L), -1 for a dummy, with shares z (D, L)."""
    depth, leaves = players.shape
    same = players[:, None] == players[None]  # (D, D, L): conditions on one feature are one player
    later = (same & np.tri(depth, k=-1, dtype=bool)[:, :, None]).any(axis=1) | (players < 0)
    z = np.where(later, 1.0, np.where(same, share[None], 1.0).prod(axis=1))
    pattern = (np.arange(2**depth)[:, None] >> np.arange(depth)) & 1
    holds = pattern.astype(bool)[:, None, :, None] | ~same[None]  # (2^D, D, D, L)
    o = np.where(later, 1.0, holds.all(axis=2))
    points, weights = np.polynomial.legendre.leggauss((depth + 1) // 2)
    table = np.zeros((depth, leaves, 2**depth))
    for t, weight in zip((points + 1) / 2, weights / 2, strict=True):
        mixed = t * o + (1 - t) * z
        for i in range(depth):
            others = np.delete(mixed, i, axis=1).prod(axis=1)
            table[i] += (weight * value * (o[:, i] - z[i]) * others).T
    return table.reshape(depth, -1).astype(np.float32)
