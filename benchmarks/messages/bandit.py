"""What the template bandit loses against always sending the best template, where appeal is known.

    python -m benchmarks.messages.bandit            # prints the Markdown of message_bandit.md, and
                                                   # draws its curve, message_bandit.png

Simulated customers answer with a template's appeal in their cell; answers come in after `BATCH`
sends together. Regret is the expected number of successes missed. Seeds differ in appeal and in
every draw.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from churn_assets.messages.writing.bandit import Audience, BanditSettings, Outcome, TemplateBandit
from churn_assets.messages.writing.bank import all_cells

SENDS, BATCH, TEMPLATES = 10_000, 250, 8
ENDS = slice(1_000), slice(-1_000, None)
LOWEST, HIGHEST = 0.05, 0.20
SHARED = 0.8  # of a template's appeal that is the same in every cell

Method = Literal["even", "thompson"]


@dataclass(frozen=True)
class World:
    """Appeal (phase, cell, template); phases share the sends evenly, weights (cell,) add to 1."""

    appeal: NDArray[np.float64]
    weights: NDArray[np.float64]

    @classmethod
    def draw(cls, rng: np.random.Generator, cells: int = 1, phases: int = 1) -> World:
        """Rates between 5 and 20 %; in each later phase the templates swap their appeal."""
        common = rng.uniform(LOWEST, HIGHEST, (1, 1, TEMPLATES))
        own = rng.uniform(LOWEST, HIGHEST, (1, cells, TEMPLATES))
        first = SHARED * common + (1 - SHARED) * own
        appeal = np.concatenate([first[..., rng.permutation(TEMPLATES)] for _ in range(phases)])
        return cls(appeal, rng.dirichlet(np.ones(cells)))


def regret(
    world: World, seed: int, method: Method = "thompson", settings: BanditSettings | None = None
) -> NDArray[np.float64]:
    """(SENDS,) expected successes missed with each send; the bandit never sees `world`."""
    rng = np.random.default_rng(seed)
    phases, cells, _ = world.appeal.shape
    names = [f"template {i}" for i in range(TEMPLATES)]
    bandit, known = TemplateBandit(settings), [Audience(*cell) for cell in all_cells()[:cells]]
    missed, waiting = np.zeros(SENDS), list[Outcome]()
    shares: dict[Audience, NDArray[np.float64]] = {}
    for send in range(SENDS):
        place = int(rng.choice(cells, p=world.weights))
        cell, rates = known[place], world.appeal[send * phases // SENDS, place]
        if method == "thompson" and cell not in shares:
            shares[cell] = bandit.probabilities(cell, names)
        drawn = int(rng.choice(TEMPLATES, p=shares.get(cell)))
        missed[send] = rates.max() - rates[drawn]
        waiting.append(Outcome(cell, names[drawn], bool(rng.random() < rates[drawn])))
        if len(waiting) == BATCH:
            bandit.learn(waiting)
            waiting, shares = [], {}
    return missed


SETTINGS: dict[str, dict[str, int]] = {
    "one cell": {"cells": 1, "phases": 1},
    "24 cells, few answers in most": {"cells": 24, "phases": 1},
    "one cell, appeal swapped half way": {"cells": 1, "phases": 2},
}


METHODS: dict[str, tuple[Method, BanditSettings | None]] = {
    "even shares": ("even", None),
    "Thompson, never forgets": ("thompson", BanditSettings(memory=1e12)),
    "Thompson": ("thompson", None),
}
CURVE = Path(__file__).parents[1] / "message_bandit.png"

Regrets = Mapping[tuple[str, str], NDArray[np.float64]]
"""(world, method) -> (seeds, SENDS) as `regret` has it."""


def measure(seeds: int) -> Regrets:
    return {
        (name, label): np.array(
            [
                regret(World.draw(np.random.default_rng(seed), **kind), seed, method, settings)
                for seed in range(seeds)
            ]
        )
        for name, kind in SETTINGS.items()
        for label, (method, settings) in METHODS.items()
    }


def lines(regrets: Regrets) -> Iterator[str]:
    """The table in Markdown."""
    yield "| world | method | regret of 10,000 sends | first, last 1,000 |"
    yield "|---|---|---|---|"
    for (name, label), missed in regrets.items():
        total, spread = missed.sum(1).mean(), standard_error(missed.sum(1))
        first, last = (missed[:, part].sum(1).mean() for part in ENDS)
        yield f"| {name} | {label} | {total:.0f} ± {spread:.0f} | {first:.0f}, {last:.0f} |"


def curve(regrets: Regrets) -> Figure:
    """Regret so far after each send, mean and one standard error over the seeds, world by world."""
    figure = Figure(figsize=(11, 3.6))
    for axes, name in zip(figure.subplots(1, len(SETTINGS), sharey=True), SETTINGS, strict=True):
        for label in METHODS:
            so_far = regrets[name, label].cumsum(1)
            mean, spread = so_far.mean(0), standard_error(so_far)
            axes.plot(mean, label=label)
            axes.fill_between(np.arange(len(mean)), mean - spread, mean + spread, alpha=0.2)
        axes.set(title=name, xlabel="sends")
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("successes missed so far")
    figure.axes[0].legend(loc="upper left")
    figure.tight_layout()
    return figure


def standard_error(found: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the mean over the first axis."""
    spread: NDArray[np.float64] = found.std(0, ddof=1) / np.sqrt(len(found))
    return spread


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    regrets = measure(parser.parse_args().seeds)
    print("\n".join(lines(regrets)))
    curve(regrets).savefig(CURVE, dpi=80)


if __name__ == "__main__":
    main()
