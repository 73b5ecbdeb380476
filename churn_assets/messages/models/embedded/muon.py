"""Muon (Jordan et al. 2024) for the embedded model's weight matrices; any optimizer's moments as a
file.

The momentum is replaced by the nearest orthogonal matrix before each step. The embedded model needs
three quarters of AdamW's steps for the same loss (benchmarks/messages.md). torch.optim.Muon works
in bfloat16, which CPUs without bfloat16 units do slower than a whole training step.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import Parameter

from churn_assets.messages.models.tensors import read_tensors

# Quintic Newton-Schulz coefficients of the reference implementation, and its number of rounds.
A, B, C = 3.4445, -4.7750, 2.0315
ROUNDS = 5


def orthogonalized(matrices: Tensor) -> Tensor:
    """(n, rows <= columns): singular values pressed towards 1 (0.7 to 1.2), vectors kept."""
    x = matrices / (matrices.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(ROUNDS):
        gram = x @ x.mT
        x = A * x + (B * gram + C * gram @ gram) @ x
    return x


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised; matrices of one shape are done in one batch."""

    def __init__(
        self, matrices: Iterable[Parameter], lr: float, momentum: float = 0.95, decay: float = 0.01
    ) -> None:
        super().__init__(matrices, {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update in place: weights decay, then take an orthogonalised step of the learning rate
        x sqrt(max(1, rows / columns))."""
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[tuple[Parameter, Tensor]]] = defaultdict(list)
            for parameter in group["params"]:
                momentum = self.state[parameter].setdefault("m", torch.zeros_like(parameter))
                momentum.lerp_(parameter.grad, 1 - group["momentum"])
                look_ahead = parameter.grad.lerp(momentum, group["momentum"])
                wide = look_ahead if look_ahead.shape[0] <= look_ahead.shape[1] else look_ahead.T
                by_shape[wide.shape].append((parameter, wide))
            for members in by_shape.values():
                steps = orthogonalized(torch.stack([wide for _, wide in members]))
                for (parameter, _), wide in zip(members, steps, strict=True):
                    rows, columns = parameter.shape
                    step = wide if wide.shape == parameter.shape else wide.T
                    parameter.mul_(1 - group["lr"] * group["decay"])
                    parameter.add_(step, alpha=-group["lr"] * max(1.0, rows / columns) ** 0.5)


def save_moments(optimizer: torch.optim.Optimizer, path: Path) -> None:
    """What the optimizer remembers of earlier gradients, as safetensors."""
    moments = {
        f"{index}.{name}": value
        for index, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }
    save_file(moments, path)


def load_moments(optimizer: torch.optim.Optimizer, path: Path) -> None:
    """Put into place what `save_moments` wrote; learning rates stay as they are.

    Raises DamagedArtifactError as `read_tensors`.
    """
    state = optimizer.state_dict()
    for key, value in read_tensors(path).items():
        index, name = key.split(".", 1)
        state["state"].setdefault(int(index), {})[name] = value
    optimizer.load_state_dict(state)
