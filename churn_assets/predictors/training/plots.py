"""Pictures of a model for the asset's metadata: calibration, importance, offer curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from churn_assets.domain.offers import OFFER_PERCENTAGES
from churn_assets.domain.statistics import wilson_interval
from churn_assets.predictors.training.metrics import calibration_curve, ece

mpl.use("Agg")

Floats = NDArray[np.float64]


def _save(figure: Figure, folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # No software version in the file: the same model gives the same bytes.
    figure.savefig(folder / f"{name}.png", dpi=80, metadata={"Software": None})


def plot_calibration(folder: Path, title: str, curves: Mapping[str, tuple[Floats, Floats]]) -> None:
    """Reliability diagram with 95 % intervals of the observed rates, and a histogram below.

    Args:
        folder: where `calibration.png` goes.
        title: says what the rows are.
        curves: name -> labels (N,) and probabilities (N,).
    """
    figure = Figure(figsize=(6, 6), layout="constrained")
    top, bottom = figure.subplots(2, 1, height_ratios=[4, 1], sharex=True)
    top.plot([0, 1], [0, 1], color="0.6", linestyle="--", linewidth=1)
    for name, (labels, probabilities) in curves.items():
        curve = calibration_curve(labels, probabilities)
        below, above = wilson_interval(curve.observed, curve.count)
        top.errorbar(
            curve.predicted,
            curve.observed,
            yerr=np.maximum([curve.observed - below, above - curve.observed], 0),
            marker="o",
            markersize=4,
            capsize=2,
            linewidth=1.2,
            label=f"{name} (ECE {ece(labels, probabilities):.3f})",
        )
        bottom.hist(probabilities, bins=40, range=(0, 1), histtype="step")
    top.set(ylabel="observed rate", title=title, xlim=(0, 1), ylim=(0, 1))
    top.legend(loc="upper left")
    bottom.set(xlabel="predicted probability", ylabel="rows")
    _save(figure, folder, "calibration")


def plot_importance(folder: Path, names: Sequence[str], contributions: Floats) -> None:
    """Bars of the mean |SHAP value| (log-odds) of each feature; contributions (N, F)."""
    importance = np.abs(contributions).mean(axis=0)
    order = np.argsort(importance, kind="stable")
    figure = Figure(figsize=(6, 0.28 * len(names) + 1), layout="constrained")
    axes = figure.subplots()
    axes.barh([names[i] for i in order], importance[order], color="#3b6ea5")
    axes.set(xlabel="mean |contribution| to the log-odds", title="feature importance (SHAP)")
    _save(figure, folder, "importance")


def plot_offer_curves(
    folder: Path,
    customers: Floats,
    presets: Mapping[str, Mapping[str, Any]],
    offers: Sequence[float] = OFFER_PERCENTAGES,
    unit: str = "%",
    top: float | None = 1,
) -> None:
    """P(accept) against the offer, under the assumed preset and beside it under the others.

    Args:
        folder: where `offer_curves.png` goes.
        customers: predictions of all customers, (M, 4), drawn as a mean and two bands.
        presets: where responses come from -> `customer_curve` and `offer_curve`; first the one
            that the predictions are of.
        offers: what each level gives, in `unit`.
        top: of the axis; None: as high as the curves.
    """
    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for low, high, shade in ((5, 95, 0.2), (25, 75, 0.4)):
        bounds = np.percentile(customers, [low, high], axis=0)
        left.fill_between(offers, *bounds, alpha=shade, color="#3b6ea5", label=f"{low}-{high} %")
    left.set(title=f"{len(customers):,} customers, predicted", ylabel="P(accept)", ylim=(0, top))
    right.set(title="held-out contacts, by the offer they had")
    for (name, shown), color in zip(presets.items(), ("#1d3557", "#c1666b"), strict=False):
        left.plot(offers, shown["customer_curve"], color=color, label=f"mean, {name}")
        curve = shown["offer_curve"]
        observed = np.asarray(curve["observed"])
        reach = np.abs(np.asarray(curve["observed_interval"]).T - observed)
        right.plot(offers, curve["predicted"], color=color, label=f"predicted, {name}")
        right.errorbar(
            offers,
            observed,
            yerr=reach,
            fmt="x",
            capsize=3,
            color=color,
            label="its responses, 95 % interval",
        )
    for axes in (left, right):
        axes.set(xlabel=f"offer ({unit})", xticks=offers)
        axes.legend(loc="upper left")
    _save(figure, folder, "offer_curves")
