"""The simulator, the training and the exact planner."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.bench.measuring import Row, cpu_of, in_turn, limited, not_measured
from benchmarks.bench.world import World
from churn_assets.decision.config import PRESETS
from churn_assets.decision.exact.pareto import solve_budget
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.environment import ACTION_SIZES, VectorRetention
from churn_assets.decision.mdp.groups import Groups

PRESET = "moderate"
ENVIRONMENTS, STEPS = 1024, 50
LARGEST_GAP = 1e-3
NO_SB3 = "stable-baselines3 is not installed"


def population(world: World) -> Groups:
    """The graph's customers, as the environment has them."""
    return Groups.load(world.folder("retention_environment"))


def environment(world: World) -> Iterator[Row]:
    """Steps a second of all environments at once, against SB3's loop over scalar ones."""
    name = "environment steps"
    if importlib.util.find_spec("stable_baselines3") is None:
        yield not_measured(name, "≥ 20 × as many a second", NO_SB3)
        return
    # By name: the project does without it.
    vec_env: Any = importlib.import_module("stable_baselines3.common.vec_env")
    from churn_assets.decision.mdp.gym_env import RetentionEnv

    customers, params = population(world).train, PRESETS[PRESET]
    ours = VectorRetention(customers, params, ENVIRONMENTS, 0)
    peer = vec_env.DummyVecEnv([lambda: RetentionEnv(customers, params)])
    peer.reset()
    drawn = np.random.default_rng(0).integers(ACTION_SIZES, size=(STEPS, ENVIRONMENTS, 3))

    def step_ours() -> None:
        for actions in drawn:
            ours.step(actions)

    def step_peer() -> None:
        for actions in drawn:
            peer.step(actions[:1])

    seconds = in_turn(step_ours, step_peer, 7)
    rates = STEPS * np.array([ENVIRONMENTS, 1]) / seconds
    times = rates[:, 0] / rates[:, 1]
    middle = np.median(rates, axis=0)
    yield Row(
        name,
        float(middle[0]),
        float(middle[1]),
        float(middle[0] / middle[1]),
        "≥ 20 ×, against a scalar environment written for speed",
        False,  # the scalar one is the vector one of length 1: not written for speed
        unit="1/CPU s",
        peer_is="SB3 DummyVecEnv of `gym_env.RetentionEnv`",
        spread=(float(times.min()), float(times.max())),
        note="the peer flatters us: its environment is the vector one with one customer",
    )


def training(world: World) -> Iterator[Row]:
    """Time to 95 and 99 % of captured uplift, against SB3's PPO."""
    why = "SB3's PPO on this environment is not written yet"
    if importlib.util.find_spec("stable_baselines3") is None:
        why = NO_SB3
    yield not_measured("time to 95 / 99 % of captured uplift", "faster at each, 3 seeds", why)


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
