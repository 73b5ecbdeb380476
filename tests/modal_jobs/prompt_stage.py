"""The program `churn_assets.stages`, where Dagster's own pauses are a twentieth as long.

At the end of a stage on Modal it sleeps for some seven seconds, until what was printed last has
gone through a pipe; in a whole graph these are minutes.
"""

from __future__ import annotations

import runpy
import time
from types import SimpleNamespace

import dagster_pipes

SHARE = 0.05

if __name__ == "__main__":
    dagster_pipes.time = SimpleNamespace(  # type: ignore[attr-defined]
        sleep=lambda seconds: time.sleep(SHARE * seconds), time=time.time
    )
    dagster_pipes.PipesStdioLogWriterChannel.WAIT_FOR_TEE_SECONDS *= SHARE
    runpy.run_module("churn_assets.stages", run_name="__main__", alter_sys=True)
