"""The program `tests.stages.toy`, without Dagster's long pauses."""

from __future__ import annotations

from churn_assets.stages.entry import main
from tests.stages.pauses import shorten
from tests.stages.toy.stage import STAGE

if __name__ == "__main__":
    shorten()
    main(STAGE)
