"""Muon's orthogonalisation against the singular value decomposition."""

from __future__ import annotations

import torch

from churn_assets.messages.models.embedded.muon import Muon, orthogonalized


def test_singular_values_are_pressed_to_one_and_vectors_kept() -> None:
    """Why: it stands in for U V^T, within the band that five rounds reach."""
    torch.manual_seed(0)
    matrix = torch.randn(1, 16, 32)
    found = orthogonalized(matrix)[0]
    values = torch.linalg.svdvals(found)
    assert values.min() > 0.3
    assert values.max() < 1.3
    u, _, v = torch.linalg.svd(matrix[0], full_matrices=False)
    aligned = (u.T @ found @ v.T).diagonal()
    torch.testing.assert_close(aligned, values.sort(descending=True).values, atol=0.6, rtol=0)
    assert (aligned > 0.3).all()


def test_it_solves_a_linear_regression() -> None:
    """Why: tall and wide matrices must both step downhill."""
    torch.manual_seed(0)
    x = torch.randn(64, 8)
    for shape in ((8, 24), (24, 8)):
        true = torch.randn(*shape)
        weight = torch.nn.Parameter(torch.zeros(*shape))
        inputs = torch.randn(64, shape[0])
        optimizer = Muon([weight], lr=0.1)
        first = None
        for step in range(200):
            optimizer.param_groups[0]["lr"] = 0.1 * (1 - step / 200)
            loss = ((inputs @ (weight - true)) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            first = first or loss.item()
        assert loss.item() < 0.02 * first
    assert x.shape == (64, 8)
