"""The program `churn_assets.stages`, without Dagster's long pauses."""

from __future__ import annotations

import runpy

from tests.stages.pauses import shorten

if __name__ == "__main__":
    shorten()
    runpy.run_module("churn_assets.stages", run_name="__main__", alter_sys=True)
