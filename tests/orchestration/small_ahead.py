"""The process that makes stages ahead, on the toy's graph in place of the product's.

python -m tests.orchestration.small_ahead FOLDER HOME STORE BEHAVIOUR PIDS
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, cast, get_args

import dagster as dg

from churn_assets.orchestration import ahead, run_follower
from churn_assets.stages import child_process
from churn_assets.stages.registry import STAGES, Declaration
from tests.orchestration.graph import Backend, toy_definitions
from tests.stages.toy.stage import Behaviour

TOYS = "tests.stages.toy"


def load_job(name: str) -> dg.JobDefinition:
    """The job of the toy's graph, whatever it is called."""
    home, store, behaviour, pids = os.environ["SMALL_AHEAD"].split("|")
    assert behaviour in get_args(Behaviour)
    compute: dict[str, Any] = {"backend": "local", "local": {"grace_seconds": 0.5}}
    backend = Backend(home, store, compute)
    toys = toy_definitions(backend, cast(Behaviour, behaviour), Path(pids) if pids else None, 1)
    return toys.resolve_job_def("toy")


if __name__ == "__main__":
    folder, *rest = sys.argv[1:]
    os.environ["SMALL_AHEAD"] = "|".join(rest)
    child_process.STAGE_PROGRAM = TOYS
    STAGES["sft_model"] = Declaration(
        "sft_model", f"{TOYS}.stage:run", f"{TOYS}.stage:ToyConfig", "gpu", resumable=True
    )
    vars(ahead)["MADE_AHEAD"] = frozenset({STAGES["sft_model"].area})
    run_follower.DEFINITIONS = "tests.orchestration.small_ahead"
    sys.exit(0 if ahead.main(folder) else 1)
