"""Calibrators: from a booster's log-odds to a probability. Applying one needs numpy only.

Fitting them is in `boosting`, on out-of-fold scores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from churn_assets.domain.statistics import sigmoid
from churn_assets.predictors.config import CalibrationKind

CALIBRATION_KINDS: tuple[CalibrationKind, ...] = get_args(CalibrationKind)
Floats = NDArray[np.float64]

CERTAIN = 30.0  # log-odds beyond which float64 would round a probability to 0 or 1


class Calibrator(Protocol):
    """A non-decreasing map from log-odds (N,) to probabilities (N,), strictly within (0, 1)."""

    def __call__(self, margins: NDArray[np.floating[Any]]) -> Floats: ...

    def to_json(self) -> dict[str, Any]:
        """What `calibrator_from_json` needs to rebuild it."""
        ...


@dataclass(frozen=True)
class SigmoidCalibrator:
    """p = sigmoid(slope · margin + intercept) (Platt, 1999), the argument held within ±CERTAIN."""

    slope: float
    intercept: float

    def __call__(self, margins: NDArray[np.floating[Any]]) -> Floats:
        scores = self.slope * np.asarray(margins, dtype=np.float64) + self.intercept
        return sigmoid(np.minimum(np.maximum(scores, -CERTAIN), CERTAIN))

    def to_json(self) -> dict[str, Any]:
        return {"kind": "sigmoid", "slope": self.slope, "intercept": self.intercept}


@dataclass(frozen=True)
class IsotonicCalibrator:
    """Linear interpolation between the knots of an isotonic regression (Zadrozny & Elkan, 2002).

    Attributes:
        margins: increasing log-odds.
        probabilities: non-decreasing, strictly within (0, 1), as many as `margins`.
    """

    margins: tuple[float, ...]
    probabilities: tuple[float, ...]

    def __call__(self, margins: NDArray[np.floating[Any]]) -> Floats:
        return np.interp(np.asarray(margins, dtype=np.float64), self.margins, self.probabilities)

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": "isotonic",
            "margins": list(self.margins),
            "probabilities": list(self.probabilities),
        }


def calibrator_from_json(stored: Mapping[str, Any]) -> Calibrator:
    """The inverse of `Calibrator.to_json`; raises ValueError for an unknown kind."""
    if stored["kind"] == "sigmoid":
        return SigmoidCalibrator(stored["slope"], stored["intercept"])
    if stored["kind"] == "isotonic":
        return IsotonicCalibrator(tuple(stored["margins"]), tuple(stored["probabilities"]))
    raise ValueError(f"unknown calibrator kind {stored['kind']!r}: expected sigmoid or isotonic")
