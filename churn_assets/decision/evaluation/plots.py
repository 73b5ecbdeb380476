"""The report's pictures. Matplotlib's Agg, small files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl

from churn_assets.domain.statistics import sigmoid

mpl.use("Agg")

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.colors import BoundaryNorm, ListedColormap

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.exact.oracle import build_chain, solve
from churn_assets.decision.exact.pareto import ParetoCurve
from churn_assets.decision.exact.policy_value import Evaluation
from churn_assets.decision.mdp.actions import Policy
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.dynamics import Array
from churn_assets.decision.mdp.transitions import fresh_start, observe

DPI = 80
OFFER_COLOURS = ["#eeeeee", "#c6dbef", "#6baed6", "#2171b5", "#08306b"]
STEPS_LABEL = "thousand environment steps"
SHAPE = np.array([-2.0, -0.2, 0.65, 1.25])
"""Logits of the four acceptances around the map's axis: the customers' average curve."""


def learning_curve(path: Path, runs: list[dict[str, Any]], baselines: dict[str, float]) -> None:
    """Captured uplift on validation customers over training, with baselines and oracle as lines."""
    figure, axes = plt.subplots(figsize=(7, 4))
    for run in runs:
        captured = [100 * point["captured_uplift"] for point in run["history"]]
        axes.plot(_thousands(run), captured, marker=".", label=f"PPO, seed {run['seed']}")
    axes.axhline(100, color="black", label="oracle")
    for index, (name, value) in enumerate(sorted(baselines.items(), key=lambda item: -item[1])):
        shown = f"{name} (test customers)"
        axes.axhline(100 * value, color=f"C{4 + index}", linestyle="--", linewidth=1.5, label=shown)
    axes.set(xlabel=STEPS_LABEL, ylabel="captured uplift, %", ylim=(75, 101.5))
    axes.legend(fontsize=8, loc="lower right")
    _save(figure, path)


def multipliers(path: Path, runs: list[dict[str, Any]], limit: float) -> None:
    """Both multipliers, and the deployed policy's spend that drives the first, over training."""
    panels = {
        "budget_multiplier": ("budget multiplier", 1.0),
        "spend": ("spend / limit", 1 / limit),
        "fatigue_multiplier": ("fatigue multiplier", 1.0),
    }
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.2))
    for panel, (name, (title, factor)) in zip(axes, panels.items(), strict=True):
        for run in runs:
            values = [factor * point[name] for point in run["history"]]
            panel.plot(_thousands(run), values, label=f"seed {run['seed']}")
        panel.set(xlabel=STEPS_LABEL, title=title)
        panel.set_ylim(0, 1.2 * panel.get_ylim()[1])  # small moves must look small
    axes[0].legend(fontsize=8, loc="lower right")
    axes[1].axhline(1, color="grey", linestyle=":")
    _save(figure, path)


def decision_map(
    path: Path, policy: Policy, params: EnvironmentParams, price: float, base: Customers
) -> None:
    """Offer by churn risk and acceptance of the third one, for PPO and for the optimum.

    The dots are the customers of `base`: where there are none, nothing was learnt.
    """
    risk = np.linspace(0.02, 0.95, 48)
    level = np.linspace(-2, 2, 40)
    accept = sigmoid(SHAPE + np.repeat(level, len(risk))[:, None])
    customers = Customers(np.tile(risk, len(level)), accept, np.ones(len(accept)))
    chain = build_chain(customers, params)
    fresh = chain.levels[0].place[0, 0, 0, 0, params.cooldown_days]
    decided = policy.decide(observe(fresh_start(customers, params), params))
    best = solve(chain, price)[0]
    offers = {
        "PPO": np.where(decided.contact, 1 + decided.offer, 0),
        "optimum": np.where(best.contact[fresh], 1 + best.offer[fresh], 0),
    }
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True, layout="constrained")
    colours = ListedColormap(OFFER_COLOURS)
    for panel, (title, chosen) in zip(panels, offers.items(), strict=True):
        image = panel.pcolormesh(
            risk,
            accept[:: len(risk), 2],
            chosen.reshape(len(level), len(risk)),
            cmap=colours,
            norm=BoundaryNorm(np.arange(-0.5, 5), 5),
        )
        panel.plot(base.risk, base.accept[:, 2], ".", color="black", markersize=1)
        panel.set(title=title, xlabel="churn risk", xlim=(0.02, 0.95), ylim=(0.2, 0.93))
    names = [f"{100 * discount:g} %" for discount in params.discounts]
    panels[0].set_ylabel(f"P(accept | {names[2]})")
    bar = figure.colorbar(image, ax=panels, ticks=range(5))
    bar.ax.set_yticklabels(["no contact", *names])
    _save(figure, path)


def pareto(
    path: Path, curve: ParetoCurve, limit: float, points: dict[str, tuple[float, float]]
) -> None:
    """Spend against uplift: the oracle's curve, the limit, and every policy."""
    figure, axes = plt.subplots(figsize=(7, 4.2))
    spend, uplift = curve.spend @ curve.weight, curve.uplift @ curve.weight
    axes.plot(100 * spend, 100 * uplift, color="black", marker=".", label="oracle")
    axes.axvline(100 * limit, color="grey", linestyle=":", label="budget limit")
    for index, (name, (spent, gained)) in enumerate(points.items()):
        marker, size = ("*", 14) if name == "PPO" else ("o", 6)
        axes.plot(100 * spent, 100 * gained, marker, markersize=size, color=f"C{index}", label=name)
    axes.set(xlabel="spend, % of yearly value", ylabel="uplift over leaving alone, % of value")
    axes.legend(fontsize=8, loc="lower right")
    _save(figure, path)


def break_even(path: Path, figures: Mapping[str, Any], name: str) -> None:
    """Net uplift of the served policy by effect share and persistence; below the line, contacting
    nobody is better."""
    net = 100 * np.asarray(figures["net_uplift"])
    shares, months = figures["effect_share"], figures["persistence"]
    most = float(np.abs(net).max())
    figure, axes = plt.subplots(figsize=(7.5, 4.6))
    columns, rows = np.arange(len(months)), np.arange(len(shares))
    image = axes.pcolormesh(columns, rows, net, cmap="RdBu", vmin=-most, vmax=most)
    for row, column in np.ndindex(net.shape):
        colour = "white" if abs(net[row, column]) > most / 2 else "black"
        shown = f"{net[row, column]:.1f}"
        axes.text(column, row, shown, ha="center", va="center", fontsize=8, color=colour)
    # The last column isn't a number of months: its own mark, no line to it.
    axes.contour(columns[:-1], rows, net[:, :-1], levels=[0.0], colors="black", linewidths=2)
    if (least := figures["least_share"][-1]) is not None:
        height = float(np.interp(least, shares, rows))
        axes.hlines(height, columns[-1] - 0.5, columns[-1] + 0.5, colors="black", linewidths=2)
    axes.axvline(columns[-1] - 0.5, color="grey", linewidth=1)
    axes.set_xticks(columns, ["12 bills\nfor sure" if m is None else str(m) for m in months])
    axes.set_yticks(rows, [f"{share:.0%}" for share in shares])
    axes.set(
        xlabel="months whose bills count, under the hazard that is left",
        ylabel="share of acceptances that work",
        title=f"net uplift of {name}, % of yearly value (line: contacting nobody is as good)",
    )
    axes.title.set_fontsize(10)
    figure.colorbar(image, ax=axes)
    _save(figure, path)


def oracle_against_policy(path: Path, best: Array, found: Evaluation) -> None:
    """Each test customer's exact uplift under the optimum and under PPO.

    Above the line are customers for whom PPO spends more than the optimum.
    """
    figure, axes = plt.subplots(figsize=(4.5, 4.5))
    axes.axline((0, 0), slope=1, color="grey", linewidth=1)
    axes.plot(100 * best, 100 * found.uplift, ".", markersize=3)
    axes.set(xlabel="oracle: uplift, % of value", ylabel="PPO: uplift, % of value")
    _save(figure, path)


def _thousands(run: dict[str, Any]) -> list[float]:
    """Environment steps at the points of a run's learning curve."""
    return [point["steps"] / 1000 for point in run["history"]]


def _save(figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if figure.get_layout_engine() is None:
        figure.tight_layout()
    figure.savefig(path, dpi=DPI)
    plt.close(figure)
