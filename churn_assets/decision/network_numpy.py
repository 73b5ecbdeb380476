"""The policy network without torch: three matrix products, served from safetensors."""

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
    BUDGET,
    COLUMNS,
    FATIGUE,
    PROBABILITIES,
    validate_states,
)

WEIGHTS_FILE = "network.safetensors"
SHAPES = {"contact": 2, "offer": OFFERS, "delay": DELAYS, "value": 1}
_ENDS = dict(zip(SHAPES, accumulate(SHAPES.values()), strict=True))
HEADS = {head: slice(end - SHAPES[head], end) for head, end in _ENDS.items()}
"""Columns of each head in the product that serves all of them."""
CONTACT, OFFER, DELAY = (HEADS[head] for head in ("contact", "offer", "delay"))
_ACTIONS = DELAY.stop
_STARTS, _SIZES = [0, OFFER.start, DELAY.start], [2, OFFERS, DELAYS]
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
    features[:, PROBABILITIES] = logit(states[:, PROBABILITIES])
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

    def outputs(self, states: Array) -> NDArray[np.float32]:
        """(N, 15) raw outputs before masks; `HEADS` says which columns are whose."""
        mean, scale = self._normalisation
        features = (raw_features(states) - mean) / scale
        hidden = self._dense("trunk.0", features.astype(np.float32))
        hidden = self._dense("trunk.2", np.maximum(hidden, 0))
        weights, bias = self._all_heads
        outputs: NDArray[np.float32] = np.maximum(hidden, 0) @ weights + bias
        return outputs

    def decide(self, states: NDArray[np.float64]) -> Decisions:
        """Decide for states (N, 9); see `actions.Policy`."""
        states = validate_states(states)
        return decide_from_outputs(self.outputs(states), states, self.spec)

    @cached_property
    def _normalisation(self) -> tuple[Array, Array]:
        return np.asarray(self.spec.mean), np.asarray(self.spec.scale)

    @cached_property
    def _all_heads(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(width, 15) weights and (15,) biases of the four heads side by side."""
        return (
            np.concatenate([self.weights[f"{head}.weight"] for head in SHAPES]).T,
            np.concatenate([self.weights[f"{head}.bias"] for head in SHAPES]),
        )

    def _dense(self, layer: str, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        return inputs @ self.weights[f"{layer}.weight"].T + self.weights[f"{layer}.bias"]


def decide_from_outputs(
    outputs: NDArray[np.floating], states: Array, spec: NetworkSpec
) -> Decisions:
    """Mask, apply the calibration and take each head's most probable action."""
    can_contact, can_offer = action_masks(states, spec.params)
    can_contact[:, 1] &= states[:, FATIGUE] < spec.params.contact_cap  # deployed: the cap is kept
    logits = outputs[:, :_ACTIONS].astype(np.float64)
    logits[:, CONTACT][~can_contact] = IMPOSSIBLE
    logits[:, OFFER][~can_offer] = IMPOSSIBLE
    logits[:, OFFER] -= spec.offer_price * np.arange(OFFERS)
    contact = logits[:, 1] > logits[:, 0]
    offer, delay = logits[:, OFFER].argmax(axis=1), logits[:, DELAY].argmax(axis=1)
    likeliest = _largest(logits)
    probability = likeliest[:, 0] * likeliest[:, 2] * np.where(contact, likeliest[:, 1], 1.0)
    return Decisions(contact, offer * contact, delay, probability)


def _largest(logits: Array) -> Array:
    """(N, 3) softmax probability of each head's most probable action, all heads in one pass."""
    largest = np.maximum.reduceat(logits, _STARTS, axis=1)
    weights = np.exp(logits - largest.repeat(_SIZES, axis=1))
    probabilities: Array = 1 / np.add.reduceat(weights, _STARTS, axis=1)
    return probabilities
