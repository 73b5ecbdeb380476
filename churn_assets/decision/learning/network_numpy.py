"""The policy network without torch: three matrix products, served from safetensors."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, model_validator
from safetensors import SafetensorError
from safetensors.numpy import load_file

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.mdp.actions import DELAYS, LONGEST_DELAY, Decisions, Ranking
from churn_assets.decision.mdp.dynamics import Array, affordable
from churn_assets.decision.mdp.observation import (
    BUDGET,
    COLUMNS,
    DAYS,
    FATIGUE,
    PROBABILITIES,
    validate_states,
)
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
ContextName = Literal[
    "price",
    "cooldown_days",
    "acceptance_effect",
    "annoyance_effect",
    "cooldown_reluctance",
    "fatigue_reluctance",
    "contact_cost",
]
PRICE_OFFSET = 1.0
"""What is added to the price before its logarithm, which has none at 0."""
BLOCK = 512
IMPOSSIBLE = -1e9
"""Logit of an action that does nothing or isn't possible in a state."""


class NetworkSpec(BaseModel):
    """The JSON beside the weights: what turns states into features and logits into decisions.

    `mean` and `scale` are the fixed constants of the features' normalisation: of the state's nine,
    then of the context's. `context` names what the network is told beside the state: the budget's
    `price` and constants of the world (`params`); a release of before the network was told
    anything has none. `price` is the calibration that makes the deployed (argmax) policy meet the
    budget; `offer_price` was that of a network without context: it lowers offer k's logit by
    offer_price x k.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: Literal["network"] = "network"
    params: EnvironmentParams
    mean: tuple[float, ...]
    scale: tuple[PositiveFloat, ...]
    context: tuple[ContextName, ...] = ()
    price: float = Field(0.0, ge=0)
    offer_price: float = 0.0

    @model_validator(mode="after")
    def _one_constant_per_feature(self) -> Self:
        expected = len(COLUMNS) + len(self.context)
        for name in ("mean", "scale"):
            if len(getattr(self, name)) != expected:
                raise ValueError(f"{name}: {len(getattr(self, name))} numbers, expected {expected}")
        return self

    def at(self, price: float) -> Self:
        """The same network told another price; without one among its context, a ValueError."""
        if "price" not in self.context:
            raise ValueError("context: this network was not trained to be told a price")
        return self.model_copy(update={"price": price})

    def within(self, params: EnvironmentParams) -> Self:
        """The same network in another world, which it is told as far as its context has it."""
        return self.model_copy(update={"params": params})

    @property
    def inputs(self) -> int:
        """Number of the network's inputs."""
        return len(self.mean)


def context_features(
    names: Sequence[ContextName], price: ArrayLike, params: EnvironmentParams
) -> Array:
    """(..., K) what a network is told beside the state, for prices (...).

    The price is log(price + `PRICE_OFFSET`), so that its ratios count; the world's constants are as
    they are.
    """
    price = np.asarray(price, dtype=np.float64)
    told = np.empty((*price.shape, len(names)))
    for place, name in enumerate(names):
        priced = name == "price"
        told[..., place] = np.log(price + PRICE_OFFSET) if priced else getattr(params, name)
    return told


def raw_features(states: Array) -> Array:
    """(N, 9): probabilities as logits, the other columns as they are."""
    features = np.array(states, dtype=np.float64)
    features[:, PROBABILITIES] = logit(states[:, PROBABILITIES])
    return features


def action_masks(
    states: Array, params: EnvironmentParams
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(N, 2) possible contacts (closed after `contact_stop` and in the hard cooldown) and (N, 4)
    affordable offers."""
    contact = np.ones((len(states), 2), dtype=bool)
    contact[:, 1] = states[:, FATIGUE] < params.contact_stop
    contact[:, 1] &= states[:, DAYS] >= params.hard_cooldown_days
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
        layers = {"trunk.0": (width, spec.inputs), "trunk.2": (width, width)}
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
        good to 1e-5. Some hundred rows at a time, so that their hidden layers stay in the cache.
        """
        starts = range(0, max(len(states), 1), BLOCK)
        return np.concatenate([self._outputs(states[start : start + BLOCK]) for start in starts])

    def _outputs(self, states: Array) -> Array:
        mean, scale = self._normalisation
        hidden = (raw_features(states) - mean) / scale
        for weights, bias in (self._first, *self._layers[1:-1]):
            hidden = hidden @ weights
            hidden += bias
            np.maximum(hidden, 0, out=hidden)
        weights, bias = self._layers[-1]
        outputs: Array = hidden @ weights + bias
        return outputs

    def decide(self, states: NDArray[np.float64]) -> Decisions:
        """Decide for states (N, 9); see `actions.Policy`.

        At the contact cap there is nothing left to decide in the period: the next look is as late
        as can be. (A network of before it was told anything chose that delay as any other.)
        """
        states = validate_states(states)
        if not self.spec.context:
            return decide_from_outputs(self.outputs(states), states, self.spec)
        rows = np.flatnonzero(states[:, FATIGUE] < self.spec.params.contact_cap)
        count = len(states)
        if len(rows) == count:
            return decide_from_outputs(self.outputs(states), states, self.spec)
        contact, offer = np.zeros(count, dtype=bool), np.zeros(count, dtype=np.int64)
        delay = np.full(count, LONGEST_DELAY, dtype=np.int64)
        if not len(rows):  # the network has nothing to say, and would take its time
            return Decisions(contact, offer, delay, np.ones(count))
        some = states[rows]
        decided = decide_from_outputs(self.outputs(some), some, self.spec)
        contact[rows], offer[rows], delay[rows] = decided.contact, decided.offer, decided.delay
        return Decisions(contact, offer, delay, np.ones(count))

    def ranking(self, states: NDArray[np.float64]) -> Ranking:
        """The log probabilities of its softmax heads; see `actions.Policy`. The delay is a head of
        its own, the same for every option."""
        states = validate_states(states)
        logits = masked_logits(self.outputs(states), states, self.spec)
        contact, offer = (_log_softmax(logits[:, head]) for head in (CONTACT, OFFER))
        preference = np.column_stack([contact[:, 0], contact[:, 1:] + offer])
        delay = logits[:, DELAY].argmax(axis=1)
        return Ranking(preference, np.repeat(delay[:, None], preference.shape[1], axis=1))

    @cached_property
    def _normalisation(self) -> tuple[Array, Array]:
        """Mean and scale of the state's nine features."""
        count = len(COLUMNS)
        return np.asarray(self.spec.mean[:count]), np.asarray(self.spec.scale[:count])

    @cached_property
    def _first(self) -> tuple[Array, Array]:
        """The first layer: the context is the same for every state, so it is part of the bias."""
        (weights, bias), spec, count = self._layers[0], self.spec, len(COLUMNS)
        told = context_features(spec.context, spec.price, spec.params)
        told = (told - np.asarray(spec.mean[count:])) / np.asarray(spec.scale[count:])
        return weights[:count], bias + told @ weights[count:]

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
    """Take each head's most probable action, for certain."""
    logits = masked_logits(outputs, states, spec)
    contact = logits[:, 1] > logits[:, 0]
    offer, delay = logits[:, OFFER].argmax(axis=1), logits[:, DELAY].argmax(axis=1)
    return Decisions(contact, offer * contact, delay, np.ones(len(states)))


def masked_logits(outputs: Array, states: Array, spec: NetworkSpec) -> Array:
    """(N, 14) logits of the three heads, masked, with the calibration applied."""
    can_contact, can_offer = action_masks(states, spec.params)
    can_contact[:, 1] &= states[:, FATIGUE] < spec.params.contact_cap  # deployed: the cap is kept
    logits = outputs[:, :_ACTIONS].copy()
    logits[:, CONTACT][~can_contact] = IMPOSSIBLE
    logits[:, OFFER][~can_offer] = IMPOSSIBLE
    logits[:, OFFER] -= spec.offer_price * np.arange(OFFER_LEVELS)
    return logits


def _log_softmax(logits: Array) -> Array:
    shifted = logits - logits.max(axis=1, keepdims=True)
    normed: Array = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return normed
