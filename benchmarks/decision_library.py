"""A library beside ours, on the default preset: its PPO, and stepping scalar environments.

    python -m benchmarks.decision_library --work FOLDER

`--work` is the work folder of `benchmarks.decision`: the same customers, oracle and calibration.
Needs stable-baselines3: `pip install -c constraints.txt -e '.[bench]'`. Writes
DECISION_LIBRARY.json and its section in DECISION.md.

The library gets what our trainer has wherever its interface lets it: the same network, the same
normalised observations, settings, multiplier rule, steps, calibration and exact evaluation. It has
no masks, and no say in the next state's value.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray

from benchmarks.decision_tables import replace_section, table
from churn_assets.decision.config import DEFAULT_PRESET, PRESETS, DecisionConfig, PpoConfig
from churn_assets.decision.exact.comparison import captured_uplift
from churn_assets.decision.exact.policy_value import evaluate
from churn_assets.decision.learning.calibration import calibrate_policy
from churn_assets.decision.learning.lagrange import LagrangeMultiplier
from churn_assets.decision.learning.network import single_thread
from churn_assets.decision.learning.network_numpy import NetworkPolicy, NetworkSpec, raw_features
from churn_assets.decision.learning.ppo import feature_spec
from churn_assets.decision.mdp.customers import Customers, representative
from churn_assets.decision.mdp.environment import ACTION_SIZES, VectorRetention, branch, observe
from churn_assets.decision.mdp.groups import Groups
from churn_assets.decision.mdp.gym_env import RetentionEnv
from churn_assets.decision.mdp.state import FATIGUE, RISK
from churn_assets.decision.policy import load_network
from churn_assets.decision.world import load_curve

try:
    from stable_baselines3 import PPO
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
    from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv
except ImportError as error:
    raise SystemExit(
        "this benchmark compares with stable-baselines3, which the project itself doesn't need: "
        "install it with `pip install -c constraints.txt -e '.[bench]'`"
    ) from error

HERE = Path(__file__).parent
PARAMS = PRESETS[DEFAULT_PRESET]
SETTINGS = PpoConfig()
SEEDS = (0,)
VARIANTS = (("sampled", 1.0), ("expected", 1.0), ("expected", 1.5))
"""Rewards, and updates relative to ours: 1.5 times as many take the library our CPU seconds."""
STEP_COUNTS = (512, 4096)


class LibraryEnv(VecEnv):
    """`VectorRetention` as the library's `VecEnv`, with linear penalties like our trainer's.

    Rewards are shares of value, shaped with 1 - risk, times `reward_scale`. "sampled" takes the
    answer that came, "expected" the mean over both.
    """

    render_mode = None

    def __init__(self, customers: Customers, spec: NetworkSpec, rewards: str, seed: int) -> None:
        count = SETTINGS.customers
        self.envs = VectorRetention(customers, PARAMS, count, 1_000_003 * (seed + 1), "value")
        self.spec, self.rewards = spec, rewards
        self.budget_price = self.fatigue_price = 0.0
        self.excess, self.ends = 0.0, 0
        box = spaces.Box(-np.inf, np.inf, (9,), np.float32)
        super().__init__(count, box, spaces.MultiDiscrete(list(ACTION_SIZES)))

    def features(self, states: NDArray[np.float64]) -> NDArray[np.float32]:
        """(N, 9) normalised with the stored constants, as our trainer's."""
        scaled = (raw_features(states) - self.spec.mean) / np.asarray(self.spec.scale)
        return scaled.astype(np.float32)

    def reset(self) -> NDArray[np.float32]:
        return self.features(self.envs.observation)

    def step_async(self, actions: NDArray[np.int64]) -> None:
        self.actions = actions

    def step_wait(self) -> tuple[Any, Any, Any, list[dict[str, Any]]]:
        before, situation = self.envs.observation, self.envs.situation
        outcome = branch(situation, self.actions, PARAMS)
        step = self.envs.step(self.actions)
        if self.rewards == "sampled":
            retained = before[:, RISK] - step.final_observation[:, RISK]
            discount = outcome.discount * step.accepted
        else:
            yes, no = (observe(one, PARAMS)[:, RISK] for one in (outcome.accepted, outcome.refused))
            retained = before[:, RISK] - outcome.probability * (yes - no) - no
            discount = outcome.discount * outcome.probability
        over = step.contacted & (before[:, FATIGUE] >= PARAMS.contact_cap)
        self.excess, self.ends = self.excess + over.sum(), self.ends + step.terminated.sum()
        reward = retained - outcome.fixed_cost - (1 + self.budget_price) * discount
        reward = SETTINGS.reward_scale * (reward - self.fatigue_price * over)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        return self.features(step.observation), reward.astype(np.float32), step.terminated, infos

    def close(self) -> None:
        """Nothing is held open."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [getattr(self, attr_name)] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        raise NotImplementedError("the environments are one object")

    def env_method(self, method_name: str, *args: Any, **kwargs: Any) -> list[Any]:
        raise NotImplementedError("the environments are one object")

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        return [False] * self.num_envs


class Trunk(BaseFeaturesExtractor):
    """The specified trunk, shared by all heads: the library builds separate ones otherwise."""

    def __init__(self, observation_space: spaces.Box) -> None:
        width = SETTINGS.hidden
        super().__init__(observation_space, width)
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(9, width),
            torch.nn.ReLU(),
            torch.nn.Linear(width, width),
            torch.nn.ReLU(),
        )

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        return self.layers(observations)


class MultiplierCallback(BaseCallback):
    """The multipliers, moved as our trainer moves them; and its entropy schedule."""

    model: PPO

    def __init__(self, env: LibraryEnv, base: Customers, price: float, total: int) -> None:
        super().__init__()
        self.env, self.updates, self.total = env, 0, total
        self.sample_of_base = representative(base, SETTINGS.dual_customers)
        self.budget = LagrangeMultiplier(price, PARAMS.budget_limit, SETTINGS.budget_rate)
        self.fatigue = LagrangeMultiplier(
            SETTINGS.fatigue_start, SETTINGS.fatigue_tolerance, SETTINGS.fatigue_rate
        )

    def _on_rollout_start(self) -> None:
        passed = self.updates / self.total
        if self.updates and passed >= SETTINGS.dual_from:
            self.fatigue.update(self.env.excess / max(self.env.ends, 1))
            if self.updates % SETTINGS.dual_every == 0:
                policy = deployed(self.model, self.env.spec)
                found = evaluate(policy, self.sample_of_base, PARAMS)
                self.budget.update(found.mean("spend"))
        self.env.excess, self.env.ends = 0.0, 0
        self.env.budget_price, self.env.fatigue_price = self.budget.value, self.fatigue.value
        self.model.ent_coef = between(SETTINGS.entropy_start, SETTINGS.entropy_end)(1 - passed)
        self.updates += 1

    def _on_step(self) -> bool:
        return True


def between(start: float, end: float) -> Callable[[float], float]:
    """A schedule linear in the share of training that is left."""
    return lambda left: end + left * (start - end)


def deployed(model: PPO, spec: NetworkSpec) -> NetworkPolicy:
    """The library's network as the served one: its one action layer cut into three heads."""
    found = {name: tensor.numpy().copy() for name, tensor in model.policy.state_dict().items()}
    weights = {}
    for kind in ("weight", "bias"):
        for layer in (0, 2):
            weights[f"trunk.{layer}.{kind}"] = found[f"features_extractor.layers.{layer}.{kind}"]
        heads = np.split(found[f"action_net.{kind}"], np.cumsum(ACTION_SIZES)[:-1])
        for name, head in zip(("contact", "offer", "delay"), heads, strict=True):
            weights[f"{name}.{kind}"] = head
        weights[f"value.{kind}"] = found[f"value_net.{kind}"]
    return NetworkPolicy(weights, spec, name="library ppo")


def train_library(
    groups: Groups, price: float, rewards: str, seed: int, updates: int
) -> tuple[NetworkPolicy, float]:
    """The library's PPO with our settings; the policy and the CPU seconds."""
    env = LibraryEnv(groups.train, feature_spec(groups.train, PARAMS), rewards, seed)
    begun = time.process_time()
    model = PPO(
        "MlpPolicy",
        env,
        learning_rate=between(SETTINGS.learning_rate_start, SETTINGS.learning_rate_end),
        n_steps=SETTINGS.horizon,
        batch_size=SETTINGS.minibatch,
        n_epochs=SETTINGS.epochs,
        gamma=1.0,
        gae_lambda=SETTINGS.gae_lambda,
        clip_range=SETTINGS.clip,
        vf_coef=SETTINGS.value_coefficient,
        max_grad_norm=SETTINGS.gradient_norm,
        policy_kwargs={"net_arch": [], "features_extractor_class": Trunk},
        seed=seed,
        device="cpu",
    )
    steps = updates * SETTINGS.customers * SETTINGS.horizon
    model.learn(steps, callback=MultiplierCallback(env, groups.train, price, updates))
    return deployed(model, env.spec), time.process_time() - begun


def steps_per_second(customers: Customers, count: int, scalar_steps: int = 4) -> dict[str, float]:
    """Environment steps per CPU second with random actions: vectorised, and one by one."""
    actions = np.random.default_rng(0).integers(0, ACTION_SIZES, size=(count, 3))
    envs = VectorRetention(customers, PARAMS, count)
    scalar = DummyVecEnv([lambda: RetentionEnv(customers, PARAMS)] * count)
    scalar.reset()

    def rate(step: Callable[[NDArray[np.int64]], Any], times: int) -> float:
        begun = time.process_time()
        for _ in range(times):
            step(actions)
        return times * count / (time.process_time() - begun)

    fast, slow = rate(envs.step, 100), rate(scalar.step, scalar_steps)
    return {"vectorised": fast, "scalar": slow, "ratio": fast / slow}


def compare_ppo(work: Path, groups: Groups) -> list[dict[str, Any]]:
    """Ours and the library's, calibrated alike, exactly on the test customers."""
    stages = work / DEFAULT_PRESET
    trained = json.loads((stages / "decision_policy" / "report.json").read_text())["trained"]
    price, runs = trained[DEFAULT_PRESET]["warm_price"], trained[DEFAULT_PRESET]["runs"]
    curve = load_curve(stages / "oracle_policy", DEFAULT_PRESET)
    calibration = groups.calibration(DecisionConfig().calibration_customers)
    rows = []

    def add(name: str, seed: int, policy: NetworkPolicy, seconds: float) -> None:
        found = evaluate(policy, groups.test, PARAMS)
        figures = {
            "captured_uplift": captured_uplift(curve, found),
            "spend_ratio": found.mean("spend") / PARAMS.budget_limit,
            "cpu_seconds": seconds,
        }
        rows.append({"name": name, "seed": seed} | figures)
        print(rows[-1], flush=True)

    for seed in SEEDS:
        ours = load_network(stages / "decision_policy" / DEFAULT_PRESET / f"seed-{seed}")
        add("ours", seed, ours, runs[seed]["train_seconds"])
        for rewards, longer in VARIANTS:
            updates = round(longer * SETTINGS.updates)
            policy, seconds = train_library(groups, price, rewards, seed, updates)
            name = f"library, {rewards} rewards, {longer:g} x the steps"
            add(name, seed, calibrate_policy(policy, calibration), seconds)
    return rows


def main() -> None:
    """Measure both, and write the section."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--work", type=Path, required=True, help="of benchmarks.decision")
    work = parser.parse_args().work
    single_thread()
    groups = Groups.load(work / "retention_environment")
    figures = {
        "steps_per_second": {str(n): steps_per_second(groups.train, n) for n in STEP_COUNTS},
        "ppo": compare_ppo(work, groups),
    }
    (HERE / "DECISION_LIBRARY.json").write_text(json.dumps(figures, indent=2) + "\n")
    replace_section(HERE / "DECISION.md", "library", tables(figures))


def tables(figures: dict[str, Any]) -> str:
    """The section's Markdown."""
    speeds = [
        [count, f"{row['vectorised']:,.0f}", f"{row['scalar']:,.0f}", f"{row['ratio']:.0f}"]
        for count, row in figures["steps_per_second"].items()
    ]
    ppo = [
        [
            row["name"],
            str(row["seed"]),
            f"{100 * row['captured_uplift']:.1f} %",
            f"{100 * row['spend_ratio']:.1f} %",
            f"{row['cpu_seconds']:.0f}",
        ]
        for row in figures["ppo"]
    ]
    return "\n\n".join(
        [
            table(["PPO", "seed", "captured uplift", "spend / limit", "CPU s"], ppo),
            "Environment steps per CPU second, random actions.",
            table(["customers", "vectorised", "scalar in DummyVecEnv", "ratio"], speeds),
        ]
    )


if __name__ == "__main__":
    main()
