"""Pictures of the drift report, as PNG bytes."""

from __future__ import annotations

from typing import Any

from churn_assets.customers.quality.drift import NOTABLE
from churn_assets.outcomes.plots import new_figure, png

MOST = 15


def pictures(report: dict[str, Any]) -> dict[str, bytes]:
    """What the report has figures for: name -> PNG."""
    figures = {finding["name"]: finding["figures"] for finding in report["findings"]}
    drawn = {}
    psi = figures["customers_are_like_those_learnt_from"].get("psi")
    psi = psi or figures["scores_are_as_before"].get("psi")
    if psi:
        drawn["drift by column"] = _drift(psi)
    if curve := figures["risk_came_true"].get("curve"):
        drawn["risk that came true"] = _came_true(curve)
    daily = figures["contacts_keep_to_control_group_and_cap"].get("contacts_a_day", {})
    if len(daily) > 1:
        drawn["contacts a day"] = _daily(daily)
    return drawn


def _drift(psi: dict[str, float]) -> bytes:
    ordered = sorted(psi.items(), key=lambda pair: pair[1])[-MOST:]
    figure = new_figure(7, 1 + 0.25 * len(ordered))
    axes = figure.subplots()
    axes.barh([name for name, _ in ordered], [value for _, value in ordered])
    axes.axvline(NOTABLE, color="firebrick", linestyle="--", linewidth=1)
    axes.set_xlabel(f"population stability index ({NOTABLE}: another column)")
    return png(figure)


def _came_true(curve: list[dict[str, float]]) -> bytes:
    figure = new_figure(4.5, 4)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    axes.plot([point["expected"] for point in curve], [point["left"] for point in curve], "o-")
    axes.set_xlabel("churn risk that was predicted")
    axes.set_ylabel("share that left")
    return png(figure)


def _daily(contacts: dict[str, int]) -> bytes:
    figure = new_figure(7, 2.5)
    axes = figure.subplots()
    axes.bar(list(contacts), list(contacts.values()))
    axes.set_ylabel("contacts")
    axes.tick_params(axis="x", labelrotation=90, labelsize=7)
    return png(figure)
