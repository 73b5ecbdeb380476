"""The policy network without torch: three matrix products, served from safetensors."""

from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat
from safetensors import SafetensorError
from safetensors.numpy import load_file

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.mdp.actions import DELAYS, Decisions
from churn_assets.decision.mdp.dynamics import Array, affordable
from churn_assets.decision.mdp.state import BUDGET, COLUMNS, FATIGUE, PROBABILITIES, validate_states
from churn_assets.domain.offers import OFFER_LEVELS
from churn_assets.domain.statistics import logit

POLICY_FILE = "policy.json"
WEIGHTS_FILE = "network.safetensors"
SHAPES = {"contact": 2, "offer": OFFER_LEVELS, "delay": DELAYS, "value": 1}
_ENDS = dict(zip(SHAPES, accumulate(SHAPES.values()), strict=True))
HEADS = {head: slice(end - SHAPES[head], end) for head, end in _ENDS.items()}
"""Columns of each head in the product that serves all of them."""
CONTACT, OFFER, DELAY = (HEADS[head] for head in ("contact", "offer", "delay"))
_ACTIONS = DELAY.stop
BLOCK = 2048
IMPOSSIBLE = -1e9
"""Logit of an action that does nothing or isn't possible in a state."""


class NetworkSpec(BaseModel):
    """The JSON beside the weights: what turns states into features and logits into decisions.

    `mean` and `scale` are the fixed constants of the features' normalisation; `offer_price` lowers
    offer k's logit by offer_price x k: the calibration that makes the deployed (argmax) policy
    meet the budget.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: Literal["network"] = "network"
    params: EnvironmentParams
    mean: tuple[float, ...] = Field(min_length=len(COLUMNS), max_length=len(COLUMNS))
    scale: tuple[PositiveFloat, ...] = Field(min_length=len(COLUMNS), max_length=len(COLUMNS))
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
        """Read the weights.

        Raises:
            FileNotFoundError: there are none.
            ValueError: the file is damaged, or a tensor is missing, not finite or of another shape
                than the specification's network has; names the file.
        """
        path = folder / WEIGHTS_FILE
        try:
            weights = load_file(path)
        except SafetensorError as error:
            raise ValueError(f"{path} is damaged: {error}") from error
        width = len(weights.get("trunk.0.bias", ()))
        layers = {"trunk.0": (width, len(COLUMNS)), "trunk.2": (width, width)}
        layers |= {head: (size, width) for head, size in SHAPES.items()}
        for layer, shape in layers.items():
            for name, expected in ((f"{layer}.weight", shape), (f"{layer}.bias", shape[:1])):
                found = weights.get(name)
                if found is None or found.shape != expected or not np.isfinite(found).all():
                    raise ValueError(f"{path}: {name} is not {expected} finite numbers")
        return cls(weights, spec)

    def outputs(self, states: Array) -> Array:
        """(N, 15) raw outputs before masks; `HEADS` says which columns are whose.

        In double precision: a trained network's outputs reach 60, where single precision is only
        good to 1e-5. Some thousand rows at a time, so that their hidden layers stay in the cache.
        """
        starts = range(0, max(len(states), 1), BLOCK)
        return np.concatenate([self._outputs(states[start : start + BLOCK]) for start in starts])

    def _outputs(self, states: Array) -> Array:
        mean, scale = self._normalisation
        hidden = (raw_features(states) - mean) / scale
        for weights, bias in self._layers[:-1]:
            hidden = np.maximum(hidden @ weights + bias, 0)
        weights, bias = self._layers[-1]
        outputs: Array = hidden @ weights + bias
        return outputs

    def decide(self, states: NDArray[np.float64]) -> Decisions:
        """Decide for states (N, 9); see `actions.Policy`."""
        states = validate_states(states)
        return decide_from_outputs(self.outputs(states), states, self.spec)

    @cached_property
    def _normalisation(self) -> tuple[Array, Array]:
        return np.asarray(self.spec.mean), np.asarray(self.spec.scale)

    @cached_property
    def _layers(self) -> list[tuple[Array, Array]]:
        """Transposed weights and biases of the trunk's two layers and of the heads side by side."""
        exact = {name: tensor.astype(np.float64) for name, tensor in self.weights.items()}
        groups = (("trunk.0",), ("trunk.2",), tuple(SHAPES))
        return [
            (
                np.concatenate([exact[f"{name}.weight"] for name in group]).T,
                np.concatenate([exact[f"{name}.bias"] for name in group]),
            )
            for group in groups
        ]


def decide_from_outputs(outputs: Array, states: Array, spec: NetworkSpec) -> Decisions:
    """Mask, apply the calibration and take each head's most probable action, for certain."""
    can_contact, can_offer = action_masks(states, spec.params)
    can_contact[:, 1] &= states[:, FATIGUE] < spec.params.contact_cap  # deployed: the cap is kept
    logits = outputs[:, :_ACTIONS].copy()
    logits[:, CONTACT][~can_contact] = IMPOSSIBLE
    logits[:, OFFER][~can_offer] = IMPOSSIBLE
    logits[:, OFFER] -= spec.offer_price * np.arange(OFFER_LEVELS)
    contact = logits[:, 1] > logits[:, 0]
    offer, delay = logits[:, OFFER].argmax(axis=1), logits[:, DELAY].argmax(axis=1)
    return Decisions(contact, offer * contact, delay, np.ones(len(states)))
