"""Pictures of the lift report, as PNG bytes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLES = {
    "churn": "churn rate",
    "retained_value": "value kept",
    "spend": "spend",
    "net": "net gain",
}


def pictures(report: dict[str, Any]) -> dict[str, bytes]:
    """Name -> picture, of those that the report has figures for: none before the first outcome."""
    found = {}
    if "qini" in report["by_customer"]:
        found["whom contacting helps"] = qini(report["by_customer"])
    if "effects" in report:
        found["net gain over time"] = interval_over_time(report)
        found["effects"] = effects(report)
    return found


def interval_over_time(report: dict[str, Any]) -> bytes:
    """The net gain per customer with the interval that is valid at every look."""
    figure, axes = _axes("customers whose outcome is known", "net gain per customer, in currency")
    looks = [look for look in report["over_time"] if np.isfinite(look["lower"])]
    count = [look["customers"] for look in looks]
    axes.fill_between(
        count, [look["lower"] for look in looks], [look["upper"] for look in looks], alpha=0.25
    )
    axes.plot(count, [look["net"] for look in looks])
    axes.axhline(0, color="black", linewidth=0.8)
    # The first looks know next to nothing: drawn whole, they would flatten all that follow.
    later = [look[bound] for look in looks[len(looks) // 4 :] for bound in ("lower", "upper")]
    if later:
        axes.set_ylim(min(0.0, *later), max(0.0, *later))
    axes.set_title(report["sentence"], fontsize=9, wrap=True)
    return png(figure)


def effects(report: dict[str, Any]) -> bytes:
    """Treated minus control with 95 % intervals, plain and adjusted, each in its own unit."""
    figure = new_figure(9, 2.6)
    for axes, (name, title) in zip(figure.subplots(1, len(TITLES)), TITLES.items(), strict=True):
        effect = report["effects"][name]
        for row, kind in enumerate(("effect", "adjusted")):
            bounds = effect[f"{kind}_lower"], effect[f"{kind}_upper"]
            axes.plot(bounds, [row, row], linewidth=3, solid_capstyle="butt")
            axes.plot(effect[kind], row, "k|", markersize=12)
        axes.axvline(0, color="black", linewidth=0.8)
        axes.set_yticks([0, 1], ["plain", "adjusted"] if name == "churn" else ["", ""])
        axes.set_ylim(-0.7, 1.7)
        axes.set_title(title, fontsize=9)
        axes.tick_params(labelsize=7)
    figure.suptitle("treated minus control, 95 %", fontsize=9)
    return png(figure)


def qini(report: dict[str, Any]) -> bytes:
    """Net gain as more customers are treated, largest predicted effect first, beside the straight
    line of treating at random and the better of everybody and nobody."""
    figure, axes = _axes("share of customers treated", "net gain per customer, in currency")
    curve = np.array(report["qini"])
    share = np.linspace(0, 1, len(curve))
    axes.plot(share, curve, label="by predicted effect")
    axes.plot(share, share * curve[-1], "--", label="at random")
    axes.axhline(max(0.0, curve[-1]), color="black", linewidth=0.8, label="best for everybody")
    axes.legend(fontsize=8)
    axes.set_title(report["sentence"], fontsize=9, wrap=True)
    return png(figure)


def _axes(x: str, y: str) -> tuple[Figure, Any]:
    figure = new_figure(7, 3.5)
    axes = figure.subplots()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return figure, axes


def new_figure(width: float, height: float) -> Figure:
    """An empty one, in inches."""
    from matplotlib.figure import Figure  # here: slow to load, and most reports have no picture

    return Figure(figsize=(width, height), layout="constrained")


def png(figure: Figure) -> bytes:
    """The figure as a PNG."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110)
    return content.getvalue()
