"""A stand-in for a Modal container: runs one function of the real app by `.local()`.

python -m tests.modal_jobs.container_main <function> <arguments> <outcome> <program of a stage>
"""

from __future__ import annotations

import json
import pickle
import signal
import sys
from pathlib import Path
from types import FrameType

import modal

from churn_assets.stages import child_process
from modal_jobs import app


def cancel(signum: int, frame: FrameType | None) -> None:
    """What Modal's own container does with an input that was cancelled."""
    raise modal.exception.InputCancellation("Input was cancelled")


def main(name: str, arguments: str, outcome: Path, program: str) -> None:
    signal.signal(signal.SIGUSR1, cancel)
    child_process.STAGE_PROGRAM = program
    function = getattr(app, name)
    try:
        result = (function.local(json.loads(arguments)), None)
    except BaseException as error:  # noqa: BLE001 (Modal, too, carries every error to the caller)
        result = (None, error)
    part = outcome.with_suffix(".part")
    part.write_bytes(pickle.dumps(result))
    part.replace(outcome)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4])
