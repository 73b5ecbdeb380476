"""The simulator, the training and the exact planner."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.bench.measuring import Row, compared, cpu_of, in_turn, limited, not_measured
from benchmarks.bench.scalar import ScalarRetention
from benchmarks.bench.world import World
from churn_assets.decision.config import PRESETS, EnvironmentParams, PpoConfig, TrainingSettings
from churn_assets.decision.exact.comparison import captured_uplift
from churn_assets.decision.exact.pareto import solve_budget
from churn_assets.decision.exact.policy_value import evaluate
from churn_assets.decision.learning.network import PolicyNetwork, single_thread
from churn_assets.decision.learning.ppo import Trainer
from churn_assets.decision.learning.training import Yardstick
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.environment import ACTION_SIZES, VectorRetention
from churn_assets.decision.mdp.groups import Groups

PRESET = "moderate"
ENVIRONMENTS, STEPS = 1024, 50
LARGEST_GAP = 1e-3
SHARES = (0.95, 0.99)
LONGEST = 3
"""SB3's training is broken off after so many times our time to the last share."""
NO_SB3 = "stable-baselines3 is not installed (pip install --no-deps stable-baselines3)"


def population(world: World) -> Groups:
    """The graph's customers, as the environment has them."""
    return Groups.load(world.folder("retention_environment"))


def environment(world: World) -> Iterator[Row]:
    """Steps a second of all environments at once, against SB3's loop over scalar ones."""
    name, goal = "environment steps", "≥ 20 × as many a second"
    if importlib.util.find_spec("stable_baselines3") is None:
        yield not_measured(name, goal, NO_SB3)
        return
    # By name: the project does without it.
    vec_env: Any = importlib.import_module("stable_baselines3.common.vec_env")
    customers, params = population(world).train, PRESETS[PRESET]
    ours = VectorRetention(customers, params, ENVIRONMENTS, 0)
    peer = vec_env.DummyVecEnv([lambda: ScalarRetention(customers, params)])
    peer.reset()
    drawn = np.random.default_rng(0).integers(ACTION_SIZES, size=(STEPS, ENVIRONMENTS, 3))

    def step_ours() -> None:
        for actions in drawn:
            ours.step(actions)

    def step_peer() -> None:
        for actions in drawn[0]:
            peer.step(actions[None])

    seconds = in_turn(step_ours, step_peer, 7)
    rates = ENVIRONMENTS * np.array([STEPS, 1]) / seconds
    times = rates[:, 0] / rates[:, 1]
    middle = np.median(rates, axis=0)
    ratio = float(middle[0] / middle[1])
    yield Row(
        name,
        float(middle[0]),
        float(middle[1]),
        ratio,
        goal,
        ratio >= 20,
        unit="1/CPU s",
        peer_is="SB3 DummyVecEnv of a scalar environment written for speed (`bench/scalar.py`)",
        spread=(float(times.min()), float(times.max())),
    )


def training(world: World) -> Iterator[Row]:
    """Processor time to shares of captured uplift, against SB3's PPO, seed by seed."""
    names = {share: f"time to {share:.0%} of captured uplift" for share in SHARES}
    if importlib.util.find_spec("stable_baselines3") is None:
        for name in names.values():
            yield not_measured(name, "faster, 3 seeds", NO_SB3)
        return
    peer = importlib.import_module("benchmarks.bench.peer")
    single_thread()
    groups, params = population(world), PRESETS[PRESET]
    settings = TrainingSettings(preset=PRESET)
    yardstick = Yardstick.of(groups, params, settings)

    def captured(policy: Any) -> float:
        found = evaluate(policy, yardstick.customers, params.clean)
        return captured_uplift(yardstick.curve, found)

    clocks = []
    for seed in range(3):
        ours = peer.Clock(captured, SHARES, math.inf)
        train_ours(groups.train, params, settings.ppo, seed, ours)
        theirs = peer.Clock(captured, SHARES, LONGEST * ours.seconds)
        sizes = settings.ppo.customers, settings.ppo.horizon
        peer.train(groups.train, params, yardstick.price, seed, theirs, *sizes)
        clocks.append((ours, theirs))
    for share, name in names.items():
        seconds = np.array([[clock.reached[share] for clock in both] for both in clocks])
        row = compared(name, seconds, 1.0, "SB3's PPO, told the optimum's price", unit="CPU s")
        ours_missed = sum(math.isinf(ours.reached[share]) for ours, _ in clocks)
        missed = sum(theirs.reached[share] >= theirs.limit for _, theirs in clocks)
        notes = [f"not reached by {ours_missed} of our 3 trainings"] if ours_missed else []
        if missed:
            notes.append(f"{missed} of 3 runs of SB3 broken off at {LONGEST} × our time")
        yield replace(row, note="; ".join(notes))


def train_ours(
    customers: Customers, params: EnvironmentParams, config: PpoConfig, seed: int, clock: Any
) -> None:
    """The product's own training, for every price and world, until the last share is captured."""
    trainer = Trainer(customers, params, config, seed)

    def look(update: int, network: PolicyNetwork, _: dict[str, float]) -> None:
        if update % 4 == 0:
            clock.look(network.deployed(trainer.spec.at(trainer.budget.value)))
            if clock.over:
                raise Enough

    with contextlib.suppress(Enough):
        trainer.train(look)


class Enough(Exception):  # noqa: N818 - no error
    """Whoever watches a training has seen what they wanted to see."""


def oracle(world: World) -> Iterator[Row]:
    """The exact optimum of everybody: all splits together."""
    groups = population(world)
    parts = (groups.train, groups.valid, groups.test)
    risk, accept, value = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("risk", "accept", "value")
    )
    everybody = Customers(risk, accept, value)
    params = PRESETS[PRESET].clean
    gaps: list[float] = []
    found = [cpu_of(lambda: gaps.append(solve_budget(everybody, params).gap)) for _ in range(3)]
    note = f"{len(everybody):,} customers, one thread's processor time, gap {gaps[0]:.3%}"
    row = limited("oracle, whole population, gap ≤ 0.1 %", found, 15, "s", note=note)
    yield row if gaps[0] <= LARGEST_GAP else replace(row, met=False)
