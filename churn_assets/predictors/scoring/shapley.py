"""Exact path-dependent SHAP values of complete trees, by looking them up.

A leaf is reached when the D conditions on its path all hold. Let o_j be 1 if the row satisfies
every condition of the path's j-th feature, and z_j the share of the training weight that does. The
leaf then is a game of its own whose value for a set S of known features is

    v(S) = leaf · prod_{j in S} o_j · prod_{j not in S} z_j,

and the Shapley value of player i is the weighted sum over S of v(S + i) - v(S) (Lundberg et al.,
2020, "From local explanations to global understanding with explainable AI for trees"). The weights
are those of a Beta integral, so the sum over all S is a single integral of a polynomial,

    phi_i = leaf · (o_i - z_i) · integral over t in [0, 1] of prod_{j != i} (t·o_j + (1-t)·z_j),

which Gauss-Legendre quadrature gives exactly. Since o is one of 2^D patterns, all values of all
leaves are tabulated once. The four leaves of a subtree of height 2 share the path to it, so their
tables are added up to one over the D + 1 nodes that decide among them; explaining a row is one
look-up a subtree.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


HEIGHT = 2
"""Of the subtrees that have a table. A table has 2^(D - HEIGHT + 2^HEIGHT - 1) rows: with 3, those
of a tree of depth 3 would no longer fit into a processor's nearer caches."""


@dataclass(frozen=True)
class SubtreeShapley:
    """Tabulated Shapley values of S subtrees, each decided by n nodes: its path's and its own.

    Attributes:
        node: (n, S) flat index of each subtree's nodes in the (I, T) bits.
        table: (S * 2^n, n) Shapley value of each node's feature, for each pattern of bits.
        scatter: (S * n, F) one where a node asks for a feature: sums nodes into features.
    """

    node: NDArray[np.intp]
    table: NDArray[np.float32]
    scatter: NDArray[np.float32]

    @classmethod
    def of(
        cls, feature: NDArray[np.intp], left_share: Floats, leaf: NDArray[np.float32], features: int
    ) -> SubtreeShapley:
        """From the complete trees' node features and shares (I, T) and leaves (2^D, T)."""
        leaves, trees = leaf.shape
        depth = leaves.bit_length() - 1
        code = np.arange(leaves)[:, None]  # its bits, first to last, are the path's directions
        right = np.stack([(code >> (depth - 1 - d)) & 1 for d in range(depth)]).astype(bool)
        inner = np.stack([2**d - 1 + (code >> (depth - d)) for d in range(depth)])
        path = (inner * trees + np.arange(trees)).reshape(depth, -1)
        right = np.broadcast_to(right, (depth, leaves, trees)).reshape(depth, -1)
        left = left_share.ravel()[path]
        share = np.where(right, 1 - left, left)
        completes = np.isnan(share)  # such a node never turns a row away: a dummy player
        players = np.where(completes, -1, feature.ravel()[path])
        # The two leaves below a completing node are one leaf: keep the left one.
        value = np.where((completes & right).any(axis=0), 0.0, leaf.reshape(-1))
        by_leaf = _tabulate(players, np.where(completes, 1.0, share), value)
        table = _add_up(by_leaf.reshape(depth, leaves, trees, leaves))
        inner = _nodes_of_subtrees(depth)[:, :, None]
        node = (inner * trees + np.arange(trees)).reshape(len(inner), -1)
        players = np.where(np.isnan(left_share), -1, feature).ravel()[node]
        scatter = (players.T[:, :, None] == np.arange(features)).astype(np.float32)
        return cls(node, table.reshape(-1, len(node)), scatter.reshape(-1, features))

    def contributions(self, bits: NDArray[np.bool_]) -> NDArray[np.float32]:
        """SHAP values (N, F) of the rows whose node decisions are `bits` (I, T, N)."""
        rows = bits.shape[2]
        decisions = bits.reshape(-1, rows).take(self.node, axis=0).view(np.uint8)
        pattern = np.bitwise_or.reduce(decisions << self._positions, axis=0)
        entry = self._first_entry + pattern.T
        return self.table.take(entry, axis=0).reshape(rows, -1) @ self.scatter

    @cached_property
    def _positions(self) -> NDArray[np.uint8]:
        """(n, 1, 1) which bit of the pattern each node is."""
        return np.arange(len(self.node), dtype=np.uint8)[:, None, None]

    @cached_property
    def _first_entry(self) -> NDArray[np.intp]:
        """(S,) where the 2^n patterns of each subtree begin in the table."""
        nodes, subtrees = self.node.shape
        return np.arange(subtrees) << nodes


def _nodes_of_subtrees(depth: int) -> NDArray[np.intp]:
    """(n, 2^(depth - height)) the inner nodes that decide among each subtree's leaves."""
    above = max(depth - HEIGHT, 0)
    subtree = np.arange(2**above)
    path = [2**d - 1 + (subtree >> (above - d)) for d in range(above)]
    own = [
        2 ** (above + r) - 1 + (subtree << r) + i for r in range(depth - above) for i in range(2**r)
    ]
    return np.stack(path + own)


def _add_up(by_leaf: Floats) -> NDArray[np.float32]:
    """(D, 2^D, T, 2^D) tables of leaves -> (S, T, 2^n, n) of subtrees.

    A leaf's table is by the pattern of its satisfied conditions, a subtree's by its nodes' bits.
    """
    depth, leaves, trees, _ = by_leaf.shape
    nodes = _nodes_of_subtrees(depth)
    pattern = np.arange(2 ** len(nodes))
    table = np.zeros((nodes.shape[1], trees, len(pattern), len(nodes)))
    for leaf in range(leaves):
        subtree = leaf * nodes.shape[1] // leaves
        path = [2**d - 1 + (leaf >> (depth - d)) for d in range(depth)]
        positions = [nodes[:, subtree].tolist().index(node) for node in path]
        satisfied = np.zeros(len(pattern), np.intp)
        for d, position in enumerate(positions):
            goes_right = (leaf >> (depth - 1 - d)) & 1
            satisfied |= ((pattern >> position & 1) == goes_right) << d
        for d, position in enumerate(positions):
            table[subtree, :, :, position] += by_leaf[d, leaf][:, satisfied]
    return table.astype(np.float32)


def _tabulate(players: NDArray[np.intp], share: Floats, value: Floats) -> Floats:
    """Shapley values (D, L, 2^D) of players (D, L), -1 for a dummy, with shares z (D, L)."""
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
    return table
