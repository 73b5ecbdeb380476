"""A stage in the place of `sft_model` that trains nothing and misbehaves on request."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from churn_assets.stages.spec import Progress, Stage, silent

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
)
Behaviour = Literal["succeed", "raise", "kill", "hang", "deaf", "fail_once", "lose_container"]


class ToyConfig(BaseModel):
    behaviour: Behaviour = "succeed"
    pids: str = ""


def run(
    inputs: Mapping[str, Path],
    out: Path,
    config: ToyConfig,
    progress: Progress = silent,
    *,
    checkpoints: Path,
) -> dict[str, Any]:
    """Sum the numbers of the input `numbers`, saving the state after each addition."""
    numbers = [int(word) for word in (inputs["numbers"] / "numbers.txt").read_text().split()]
    state = checkpoints / "state"
    resumed_at = int(state.read_text()) if state.exists() else 0
    for step in range(resumed_at, len(numbers)):
        progress(step + 1, len(numbers), loss=1 / (step + 1))
        state.write_text(str(step + 1))
        if step == 1:
            misbehave(config, first_attempt=resumed_at == 0)
    (out / "model.json").write_text(f"{sum(numbers)}\n")
    (out / "plots").mkdir()
    (out / "plots" / "curve.png").write_bytes(PIXEL)
    return {"sum": sum(numbers), "resumed_at": resumed_at, "held_out": {"auc": 0.875}}


def misbehave(config: ToyConfig, *, first_attempt: bool) -> None:
    """Do what the test asked for, half-way through the work."""
    print("a line on standard output")
    print("a line on standard error", file=sys.stderr)
    match config.behaviour:
        case "raise":
            raise ValueError("the toy broke on purpose")
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "lose_container":
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(3_600)
        case "fail_once" if first_attempt:
            raise ValueError("the toy breaks the first time")
        case "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            hang(Path(config.pids))
        case "hang":
            hang(Path(config.pids))
        case _:
            pass


def hang(pids: Path) -> None:
    """Sleep, with a grandchild that sleeps too; their process ids are in the file `pids`."""
    grandchild = subprocess.Popen(["sleep", "3600"])
    pids.with_suffix(".part").write_text(f"{os.getpid()} {grandchild.pid}")
    pids.with_suffix(".part").replace(pids)
    time.sleep(3_600)


STAGE = Stage(name="sft_model", run=run, settings=ToyConfig, resumable=True)
