"""What a plan is made from, as one digest: where it is the same, the plan would be the same."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churn_assets.campaign.planning.plan import Planner
from churn_assets.stages.sources import code_version


def fingerprint(planner: Planner, *, curves: bool) -> str:
    """Hex SHA-256 of everything that `planner.plan` reads, its code and the settings included.

    Taken from the problem as it is solved, not from where that comes from: a customer whose quiet
    hours began, a contact that came of age or another price of money is another problem. Of the
    time itself only the plan's days are in it; when a plan was made is no part of what it says.
    """
    sources, options = planner.sources, planner.options
    special = sorted(options.special)
    facts: list[Any] = [
        code_version(f"{__name__}:fingerprint"),
        planner.config.model_dump(mode="json"),
        curves,
        [str(day) for day in planner.days],
        planner.ids,
        special,
        sources.release_id,
        sources.assessor.percent,
        planner.budget,
        sources.price.price if sources.price else None,
        planner.paid,
        planner.warnings,
        sources.exploration,
        sources.promises["decision_id"].to_pylist(),
        *(rows.to_pylist() for rows in (planner.promises.now, planner.promises.later)),
    ]
    arrays: list[NDArray[Any]] = [
        planner.eligibility.rule,
        planner.allowed,
        planner.taken,
        planner.made,
        *(options.value, options.cost, options.survival, options.earliest),
        *(options.accept, options.risk),
        *(array for row in special for array in options.special[row]),
        *([planner.uniform] if sources.exploration else []),
    ]
    digest = hashlib.sha256(json.dumps(facts, default=str).encode())
    for array in arrays:
        digest.update(f"{array.shape} {array.dtype.str}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
