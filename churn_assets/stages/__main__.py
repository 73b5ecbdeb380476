"""`python -m churn_assets.stages NAME`: the program of one stage, started by its asset."""

from __future__ import annotations

import sys

from churn_assets.stages.entry import main, take_one_card
from churn_assets.stages.registry import PROGRAMS, STAGES

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in PROGRAMS:
        raise SystemExit(f"usage: python -m churn_assets.stages {{{','.join(PROGRAMS)}}}")
    take_one_card()  # first: what some stages import looks for cards at once
    main(STAGES[sys.argv[1]].load())
