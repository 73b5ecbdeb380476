"""What outcomes have measured of the response to offers, on top of an accept model.

    logit P(accept | customer, offer k) = m + o_k + s_m (m − c_m) + s_r z_r + s_b z_b + g_k(r, b)

m is the model's own log-odds for the offer; z_r and z_b, the customer's risk (its log-odds) and
bill (its logarithm), each minus its centre and divided by its scale, and kept within ± 3. The
offsets o say how often each offer is accepted, the slopes s by whom: with s_m = −0.9 hardly
anything of the model's own ranking is left. g is what trees have learnt to add by risk and bill
where there are answers enough (`domain.measured.Steps`), a table of steps; else it is 0. Who asks
without risk or bill is answered for a customer at its centre.

A larger offer is never accepted less often, whatever the offsets say: where they would have it so,
it is accepted as often as the smaller one, and a hair more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churn_assets.domain.measured import SLOPES, Measured
from churn_assets.domain.offers import OFFER_LEVELS
from churn_assets.domain.statistics import Floats, logit, sigmoid

LEAST_RISE = 1e-4
"""Log-odds by which a larger offer is accepted more often than a smaller one, at least."""
FARTHEST = 3.0
LEAST_BILL = 0.01
STEPS = ("risks", "bills", "added")


def about(risk: Floats, bills: Floats) -> Floats:
    """(N, 2) log-odds of the churn risks and logarithms of the monthly bills, as slopes see them
    before they are centred; NaN where a bill is."""
    return np.column_stack([logit(risk), np.log(np.maximum(bills, LEAST_BILL))])


@dataclass(frozen=True)
class Correction:
    """What is added to an accept model's log-odds.

    offsets: (4,) by offer. slopes, centres, scales: (3,) of the model's own log-odds (whose scale
    is 1), of the churn risk and of the bill. risks, bills, added: as in `domain.measured.Steps`.
    """

    offsets: Floats
    slopes: Floats
    centres: Floats
    scales: Floats
    risks: Floats = field(default_factory=lambda: np.empty(0))
    bills: Floats = field(default_factory=lambda: np.empty(0))
    added: Floats = field(default_factory=lambda: np.zeros((OFFER_LEVELS, 1, 1)))

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
        steps = document.get("steps") or {}
        table = {name: np.array(steps[name], np.float64) for name in STEPS if steps}
        return cls(np.array(document["offsets"], np.float64), slopes, centres, scales, **table)

    @classmethod
    def measured(cls, measured: Measured) -> Correction | None:
        """What outcomes say; None where they say nothing."""
        return cls.of(as_json(measured))

    def shift(self, known: Floats) -> Floats:
        """(N, 4) what risk and bill add to each offer's, from `about` (N, 2)."""
        known = np.where(np.isnan(known), self.centres[1:], known)
        z = np.clip((known - self.centres[1:]) / self.scales[1:], -FARTHEST, FARTHEST)
        seen = known.astype(np.float32)  # as the trees saw it
        at_risk = np.searchsorted(self.risks, seen[:, 0], side="right")
        at_bill = np.searchsorted(self.bills, seen[:, 1], side="right")
        return np.asarray((z @ self.slopes[1:])[:, None] + self.added[:, at_risk, at_bill].T)

    def moved(self, scores: Floats, known: Floats) -> Floats:
        """(N, 4) log-odds as corrected, of the model's own (N, 4) and `about` the customers."""
        ranked = self.slopes[0] * (scores - self.centres[0])
        return np.asarray(scores + self.offsets + ranked + self.shift(known))

    def moved_at(self, level: NDArray[np.int64], scores: Floats, known: Floats) -> Floats:
        """(N,) `moved` of the offers (N,) 0..3 whose own log-odds (N,) are given."""
        every = np.repeat(scores[:, None], OFFER_LEVELS, axis=1)
        return self.moved(every, known)[np.arange(len(level)), level]

    def taken_out(self, scores: Floats, level: NDArray[np.int64], known: Floats) -> Floats:
        """(N,) the model's own log-odds, from corrected ones of these offers (0..3).

        Args:
            scores: (N,). known: (N, 2), `about` these customers.
        """
        shift = self.shift(known)[np.arange(len(level)), level]
        rest = scores - self.offsets[level] - shift
        return np.asarray((rest + self.slopes[0] * self.centres[0]) / (1 + self.slopes[0]))


def corrected(
    probabilities: NDArray[np.float64], correction: Correction, known: Floats | None = None
) -> NDArray[np.float64]:
    """P(accept) (N, 4) of a model, corrected; `known`: `about` the customers, (N, 2)."""
    if known is None:
        known = np.full((len(probabilities), len(STEPS) - 1), np.nan)
    scores = correction.moved(logit(probabilities), known)
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
    """`offsets`, `slopes` and `steps`, as `model.json` and a release's report hold them."""
    slopes: Sequence[dict[str, Any]] = [
        {"of": name, "slope": one.slope.used, "centre": one.centre, "scale": one.scale}
        for name, one in zip(SLOPES, measured.slopes, strict=False)
    ]
    return {
        "offsets": [figure.used for figure in measured.offsets],
        "slopes": list(slopes),
        "steps": measured.steps.model_dump(mode="json") if measured.steps else None,
    }


def take_over(model: Path, measured_world: Path | None, responses: str) -> dict[str, Any]:
    """Write what is measured into a model's folder, if it was measured against such a model.

    Args:
        measured_world: folder of what is measured; None: nothing is.
        responses: where the model's responses are from, word for word: what was measured against
            another assumption says nothing about this one.

    Returns:
        `as_json`; of nothing where nothing was taken over.
    """
    measured = Measured.load(measured_world) if measured_world else Measured()
    if not measured.offsets or measured.responses != responses:
        return as_json(Measured())
    found = as_json(measured)
    path = model / "model.json"
    document = json.loads(path.read_text()) | found
    path.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
    return found
