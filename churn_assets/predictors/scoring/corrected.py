"""What outcomes have measured of the response to offers, on top of an accept model.

`model.json` then holds `offsets`, what is added to logit P(accept) at each offer. A larger offer is
never accepted less often, whatever the offsets say: where they would have it so, it is accepted as
often as the smaller one, and a hair more.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from churn_assets.domain.measured import Measured
from churn_assets.domain.statistics import logit, sigmoid

LEAST_RISE = 1e-4
"""Log-odds by which a larger offer is accepted more often than a smaller one, at least."""


def corrected(probabilities: NDArray[np.float64], offsets: Sequence[float]) -> NDArray[np.float64]:
    """P(accept) (N, 4) with the offsets of the four offers added to its log-odds."""
    scores = logit(probabilities) + np.asarray(offsets)
    for level in range(1, scores.shape[1]):
        scores[:, level] = np.maximum(scores[:, level], scores[:, level - 1] + LEAST_RISE)
    return sigmoid(scores)


def take_over(model: Path, measured_world: Path | None, responses: str) -> list[float]:
    """Write the measured offsets into a model's folder, if they were measured against such a model.

    Args:
        measured_world: folder of what is measured; None: nothing is.
        responses: where the model's responses are from, word for word: offsets against another
            assumption say nothing about this one.

    Returns:
        The four offsets; empty where none were taken over.
    """
    measured = Measured.load(measured_world) if measured_world else Measured()
    if not measured.offsets or measured.responses != responses:
        return []
    offsets = [figure.used for figure in measured.offsets]
    path = model / "model.json"
    document = json.loads(path.read_text()) | {"offsets": offsets}
    path.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
    return offsets
