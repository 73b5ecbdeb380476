"""The specified network in torch: shared 128-128 ReLU trunk, heads contact, offer, delay, value."""

from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import Tensor, nn

from churn_assets.decision.learning.network_numpy import (
    POLICY_FILE,
    SHAPES,
    WEIGHTS_FILE,
    NetworkPolicy,
    NetworkSpec,
)
from churn_assets.decision.mdp.observation import COLUMNS


class PolicyNetwork(nn.Module):
    """Features (N, 9) -> logits (N, 2), (N, 4), (N, 8) and value (N, 1).

    Orthogonal initialisation; small gains on the heads, so that the first policy is near uniform
    (Engstrom et al. 2020, "Implementation Matters in Deep Policy Gradients").
    """

    def __init__(self, hidden: int, inputs: int = len(COLUMNS)) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()
        )
        self.contact = nn.Linear(hidden, SHAPES["contact"])
        self.offer = nn.Linear(hidden, SHAPES["offer"])
        self.delay = nn.Linear(hidden, SHAPES["delay"])
        self.value = nn.Linear(hidden, SHAPES["value"])
        for name, layer in self.named_modules():
            if isinstance(layer, nn.Linear):
                gain = {"value": 1.0}.get(name, 0.01 if name in SHAPES else 2**0.5)
                nn.init.orthogonal_(layer.weight, gain)
                nn.init.zeros_(layer.bias)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        hidden = self.trunk(features)
        return self.contact(hidden), self.offer(hidden), self.delay(hidden), self.value(hidden)

    def values(self, features: Tensor) -> Tensor:
        """(N,) the value head alone."""
        values: Tensor = self.value(self.trunk(features)).squeeze(-1)
        return values

    def deployed(self, spec: NetworkSpec) -> NetworkPolicy:
        """The same network for serving, in numpy."""
        weights = {
            name: np.ascontiguousarray(tensor.detach().numpy(), dtype=np.float32)
            for name, tensor in self.state_dict().items()
        }
        return NetworkPolicy({name: array.copy() for name, array in weights.items()}, spec)


def save_network(policy: NetworkPolicy, folder: Path) -> None:
    """Write policy.json and the weights, as `load_policy` reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(policy.weights, folder / WEIGHTS_FILE)
    (folder / POLICY_FILE).write_text(policy.spec.model_dump_json(indent=2))


def single_thread() -> None:
    """One thread: the matrices are too small to share, and results don't depend on the machine."""
    torch.set_num_threads(1)
