"""What outcomes have measured of the response to offers, on top of an accept model.

    logit P(accept | customer, offer k) = m + o_k + s_m (m − c_m) + s_r z_r + s_b z_b

m is the model's own log-odds for the offer; z_r and z_b, the customer's risk (its log-odds) and
bill (its logarithm), each minus its centre and divided by its scale, and kept within ± 3. The
offsets o say how often each offer is accepted, the slopes s by whom: with s_m = −0.9 hardly
anything of the model's own ranking is left. Who asks without risk or bill is answered for a
customer at its centre.

A larger offer is never accepted less often, whatever the offsets say: where they would have it so,
it is accepted as often as the smaller one, and a hair more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churn_assets.domain.measured import SLOPES, Measured
from churn_assets.domain.statistics import Floats, logit, sigmoid

LEAST_RISE = 1e-4
"""Log-odds by which a larger offer is accepted more often than a smaller one, at least."""
FARTHEST = 3.0
LEAST_BILL = 0.01


def about(risk: Floats, bills: Floats) -> Floats:
    """(N, 2) log-odds of the churn risks and logarithms of the monthly bills, as slopes see them
    before they are centred; NaN where a bill is."""
    return np.column_stack([logit(risk), np.log(np.maximum(bills, LEAST_BILL))])


@dataclass(frozen=True)
class Correction:
    """What is added to an accept model's log-odds.

    offsets: (4,) by offer. slopes, centres, scales: (3,) of the model's own log-odds (whose scale
    is 1), of the churn risk and of the bill.
    """

    offsets: Floats
    slopes: Floats
    centres: Floats
    scales: Floats

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Correction | None:
        """From what `as_json` says; None where it says nothing."""
        if not document.get("offsets"):
            return None
        rows = document.get("slopes") or [{"slope": 0.0, "centre": 0.0, "scale": 1.0}] * len(SLOPES)
        slopes, centres, scales = (
            np.array([row[name] for row in rows], np.float64)
            for name in ("slope", "centre", "scale")
        )
        return cls(np.array(document["offsets"], np.float64), slopes, centres, scales)

    @classmethod
    def measured(cls, measured: Measured) -> Correction | None:
        """What outcomes say; None where they say nothing."""
        return cls.of(as_json(measured))

    def shift(self, known: Floats) -> Floats:
        """(N,) what risk and bill add, from `about` (N, 2); one that isn't known adds nothing."""
        z = np.clip((known - self.centres[1:]) / self.scales[1:], -FARTHEST, FARTHEST)
        return np.asarray(np.nan_to_num(z) @ self.slopes[1:])

    def moved(self, scores: Floats, offsets: Floats, shift: Floats) -> Floats:
        """Log-odds as corrected; all three are of one shape."""
        return scores + offsets + self.slopes[0] * (scores - self.centres[0]) + shift

    def taken_out(self, scores: Floats, level: NDArray[np.int64], known: Floats) -> Floats:
        """(N,) the model's own log-odds, from corrected ones of these offers (0..3).

        Args:
            scores: (N,). known: (N, 2), `about` these customers.
        """
        rest = scores - self.offsets[level] - self.shift(known)
        return np.asarray((rest + self.slopes[0] * self.centres[0]) / (1 + self.slopes[0]))


def corrected(
    probabilities: NDArray[np.float64], correction: Correction, known: Floats | None = None
) -> NDArray[np.float64]:
    """P(accept) (N, 4) of a model, corrected; `known`: `about` the customers, (N, 2)."""
    shift = np.zeros(len(probabilities)) if known is None else correction.shift(known)
    scores = correction.moved(logit(probabilities), correction.offsets, shift[:, None])
    for level in range(1, scores.shape[1]):
        scores[:, level] = np.maximum(scores[:, level], scores[:, level - 1] + LEAST_RISE)
    return sigmoid(scores)


def raised(accept: Floats, level: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(N,) whether an offer's acceptance is only that of the smaller one and a hair more, from
    corrected probabilities (N, 4): then nobody can tell what the model itself said of it."""
    scores, rows = logit(accept), np.arange(len(accept))
    below = scores[rows, np.maximum(level - 1, 0)]
    return np.asarray((level > 0) & (scores[rows, level] - below < 1.01 * LEAST_RISE))


def as_json(measured: Measured) -> dict[str, Any]:
    """`offsets` and `slopes`, as `model.json` and a release's report hold them."""
    slopes: Sequence[dict[str, Any]] = [
        {"of": name, "slope": one.slope.used, "centre": one.centre, "scale": one.scale}
        for name, one in zip(SLOPES, measured.slopes, strict=False)
    ]
    return {"offsets": [figure.used for figure in measured.offsets], "slopes": list(slopes)}


def take_over(model: Path, measured_world: Path | None, responses: str) -> dict[str, Any]:
    """Write what is measured into a model's folder, if it was measured against such a model.

    Args:
        measured_world: folder of what is measured; None: nothing is.
        responses: where the model's responses are from, word for word: what was measured against
            another assumption says nothing about this one.

    Returns:
        `offsets` and `slopes`; both empty where nothing was taken over.
    """
    measured = Measured.load(measured_world) if measured_world else Measured()
    if not measured.offsets or measured.responses != responses:
        return as_json(Measured())
    found = as_json(measured)
    path = model / "model.json"
    document = json.loads(path.read_text()) | found
    path.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
    return found
