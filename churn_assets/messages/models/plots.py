"""The stages' pictures, small enough for an asset's metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure


def calibration_plot(bins: Sequence[Mapping[str, float]], path: Path) -> None:
    """Reward margins: how sure the model is against how often it is right."""
    figure, axes = plt.subplots(figsize=(5, 4))
    axes.plot([0.5, 1], [0.5, 1], "--", color="grey", label="calibrated")
    sizes = [10 + 2 * bin_["pairs"] ** 0.5 * 4 for bin_ in bins]
    axes.scatter([b["expected"] for b in bins], [b["observed"] for b in bins], s=sizes)
    axes.set(xlabel="sigmoid of the margin", ylabel="share of pairs ranked right")
    axes.set_title("Reward model on held-out families")
    axes.legend()
    _save(figure, path)


def training_plot(history: Sequence[Mapping[str, float]], kl_target: float, path: Path) -> None:
    """PPO-Text: reward, KL against its target, beta, entropy, clip fraction and pass rate."""
    figure, grid = plt.subplots(2, 3, figsize=(11, 5.5))
    steps = [row["iteration"] for row in history]
    names = ["score", "kl", "beta", "entropy", "clip_fraction", "pass_rate"]
    for axes, name in zip(grid.flat, names, strict=True):
        axes.plot(steps, [row[name] for row in history])
        axes.set_title(name)
        axes.set_xlabel("iteration")
    grid.flat[1].axhline(kl_target, linestyle="--", color="grey")
    grid.flat[1].axhspan(0.5 * kl_target, 1.5 * kl_target, alpha=0.1)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    plt.close(figure)
