"""The policy network without torch: three matrix products, served from safetensors."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from safetensors.numpy import load_file

from churn_assets.decision.actions import DELAYS, OFFERS, Decisions
from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.dynamics import Array, affordable, logit
from churn_assets.decision.state import (
    ACCEPT,
    BUDGET,
    COLUMNS,
    FATIGUE,
    RISK,
    validate_states,
)

WEIGHTS_FILE = "network.safetensors"
SHAPES = {"contact": 2, "offer": OFFERS, "delay": DELAYS, "value": 1}
_ENDS = dict(zip(SHAPES, accumulate(SHAPES.values()), strict=True))
HEADS = {head: slice(end - SHAPES[head], end) for head, end in _ENDS.items()}
"""Columns of each head in the product that serves all of them."""
IMPOSSIBLE = -1e9
"""Logit of an action that does nothing or isn't possible in a state."""


class NetworkSpec(BaseModel):
    """The JSON beside the weights: what turns states into features and logits into decisions.

    `mean` and `scale` are the fixed constants of the features' normalisation; `offer_price` lowers
    offer k's logit by offer_price x k: the calibration that makes the deployed (argmax) policy
    meet the budget.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["network"] = "network"
    params: EnvironmentParams
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    offer_price: float = 0.0


def raw_features(states: Array) -> Array:
    """(N, 9): probabilities as logits, the other columns as they are."""
    features = np.array(states, dtype=np.float64)
    features[:, RISK] = logit(states[:, RISK])
    features[:, ACCEPT] = logit(states[:, ACCEPT])
    return features


def action_masks(
    states: Array, params: EnvironmentParams
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(N, 2) possible contacts (closed after `contact_stop`) and (N, 4) affordable offers."""
    contact = np.ones((len(states), 2), dtype=bool)
    contact[:, 1] = states[:, FATIGUE] < params.contact_stop
    return contact, affordable(states[:, BUDGET], params)


@dataclass(frozen=True)
class NetworkPolicy:
    """Deployed mode: the most probable contact, then the most probable offer and delay."""

    weights: dict[str, NDArray[np.float32]]
    spec: NetworkSpec
    name: str = "ppo"

    @classmethod
    def load(cls, folder: Path, spec: NetworkSpec) -> "NetworkPolicy":
        """Read the weights; raises ValueError when they don't fit the specification's network."""
        weights = load_file(folder / WEIGHTS_FILE)
        width = weights["trunk.0.weight"].shape[0]
        expected = {"trunk.0": (width, len(COLUMNS)), "trunk.2": (width, width)}
        expected |= {head: (size, width) for head, size in SHAPES.items()}
        for layer, shape in expected.items():
            if weights[f"{layer}.weight"].shape != shape:
                raise ValueError(f"{folder / WEIGHTS_FILE}: {layer} is not {shape}")
        return cls(weights, spec)

    def heads(self, states: Array) -> dict[str, NDArray[np.float32]]:
        """Raw outputs per head, (N, 2), (N, 4), (N, 8) and (N, 1), before masks."""
        features = (raw_features(states) - self.spec.mean) / np.asarray(self.spec.scale)
        hidden = self._dense("trunk.0", features.astype(np.float32))
        hidden = self._dense("trunk.2", np.maximum(hidden, 0))
        weights, bias = self._all_heads
        outputs = np.maximum(hidden, 0) @ weights + bias
        return {head: outputs[:, columns] for head, columns in HEADS.items()}

    def decide(self, states: NDArray[np.float64]) -> Decisions:
        """Decide for states (N, 9); see `actions.Policy`."""
        states = validate_states(states)
        return decide_from_heads(self.heads(states), states, self.spec)

    @cached_property
    def _all_heads(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(width, 15) weights and (15,) biases of the four heads side by side."""
        return (
            np.concatenate([self.weights[f"{head}.weight"] for head in SHAPES]).T,
            np.concatenate([self.weights[f"{head}.bias"] for head in SHAPES]),
        )

    def _dense(self, layer: str, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        return inputs @ self.weights[f"{layer}.weight"].T + self.weights[f"{layer}.bias"]


def decide_from_heads(
    heads: Mapping[str, NDArray[np.floating]], states: Array, spec: NetworkSpec
) -> Decisions:
    """Mask, apply the calibration and take each head's most probable action."""
    can_contact, can_offer = action_masks(states, spec.params)
    can_contact[:, 1] &= states[:, FATIGUE] < spec.params.contact_cap  # deployed: the cap is kept
    contact_logits = np.where(can_contact, heads["contact"], IMPOSSIBLE)
    offer_logits = np.where(can_offer, heads["offer"], IMPOSSIBLE)
    offer_logits = offer_logits - spec.offer_price * np.arange(OFFERS)
    contact = contact_logits.argmax(axis=1)
    offer, delay = offer_logits.argmax(axis=1), heads["delay"].argmax(axis=1)
    probability = _largest(contact_logits) * _largest(heads["delay"])
    probability *= np.where(contact == 1, _largest(offer_logits), 1.0)
    return Decisions(contact == 1, np.where(contact == 1, offer, 0), delay, probability)


def _largest(logits: NDArray[np.floating]) -> Array:
    """Softmax probability of the most probable action."""
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    largest: Array = 1 / weights.sum(axis=1, dtype=np.float64)
    return largest
