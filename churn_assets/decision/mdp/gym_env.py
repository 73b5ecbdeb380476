"""The scalar `gymnasium.Env`: `VectorRetention` with one environment, step for step."""

from typing import Any, cast

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.environment import (
    INFOS,
    Multipliers,
    VectorRetention,
    state_spaces,
)

Observation = NDArray[np.float64]


class RetentionEnv(gymnasium.Env[Observation, NDArray[np.int64]]):
    """One customer an episode; the observation after the last step is where the customer stood.

    Reward in currency, with the specification's hinge violations weighted by `multipliers`.
    """

    def __init__(
        self,
        customers: Customers,
        params: EnvironmentParams | None = None,
        multipliers: Multipliers | None = None,
    ) -> None:
        self.params = params or EnvironmentParams()
        self.envs = VectorRetention(customers, self.params, 1, multipliers=multipliers)
        observed, self.action_space = state_spaces(self.params)
        self.observation_space = cast("spaces.Space[Observation]", observed)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode; without a seed the next one of the present random stream."""
        super().reset(seed=seed)
        if seed is not None:
            self.envs.reset(seed=seed)
        return self.envs.observation[0], {"value": float(self.envs.value[0])}

    def step(
        self, action: NDArray[np.int64]
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """One decision of whole numbers, else a ValueError; never truncated."""
        value = float(self.envs.value[0])
        step = self.envs.advance(np.asarray(action).reshape(1, -1))
        info = {"value": value} | {name: getattr(step, name)[0].item() for name in INFOS}
        terminated = bool(step.terminated[0])
        return step.final_observation[0], float(step.reward[0]), terminated, False, info
