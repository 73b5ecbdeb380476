"""`python -m churn_assets.stages NAME`: the program of one stage, started by its asset."""

from __future__ import annotations

import os
import sys

from churn_assets.stages.entry import main
from churn_assets.stages.registry import STAGES

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in STAGES:
        raise SystemExit(f"usage: python -m churn_assets.stages {{{','.join(STAGES)}}}")
    # Before torch is loaded: a thread that waits for another one sleeps. By default it spins, and
    # keeps that other one from the core where more threads than cores are at work.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    main(STAGES[sys.argv[1]].load())
