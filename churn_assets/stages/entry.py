"""How a stage meets the orchestrator: Dagster Pipes messages around `run_stage`.

`python -m churn_assets.stages NAME` is the same program under the local backend, where messages
travel through a file, and in a Modal container, where they travel through a bucket.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any

from dagster_pipes import (
    PipesContext,
    PipesEnvVarParamsLoader,
    PipesGCSContextLoader,
    PipesGCSMessageWriter,
    open_dagster_pipes,
)

from churn_assets.stages.checkpoints import held_checkpoints
from churn_assets.stages.child_process import StageError, end_with_parent
from churn_assets.stages.runner import SpecOfSources, made_before, run_stage
from churn_assets.stages.spec import Stage, StageSpec
from churn_assets.storage.opening import open_store

PROGRESS_SECONDS = 2.0
MESSAGE_SECONDS = 2


class ThrottledProgress:
    """A `Progress` that reports at most every `seconds`, and always a loop's last step."""

    def __init__(
        self,
        report: Callable[[str], None],
        seconds: float = PROGRESS_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.report = report
        self.seconds = seconds
        self.clock = clock
        self._reported_at = -float("inf")

    def __call__(self, step: int, total: int, **metrics: float) -> None:
        now = self.clock()
        if step < total and now - self._reported_at < self.seconds:
            return
        self._reported_at = now
        figures = "".join(f" {name}={value:.4g}" for name, value in metrics.items())
        self.report(f"{step}/{total}{figures}")


def open_pipes() -> PipesContext:
    """The Pipes session that this process was started for.

    Raises:
        SystemExit: the process was not started by a compute backend.
        StageError: another container has spoken in this session. Modal starts a function that was
            pre-empted again on the same input, but nobody listens to it any more.
    """
    params = PipesEnvVarParamsLoader()
    if not params.is_dagster_pipes_process():
        raise SystemExit("a stage is started by its asset: run `churn materialize`")
    messages = params.load_messages_params()
    if "bucket" not in messages:
        return open_dagster_pipes(params_loader=params)
    # Imported here: only a Modal container talks to the bucket.
    from churn_assets.storage.gcs import storage_client

    client = storage_client()
    first = client.bucket(messages["bucket"]).blob(f"{messages['key_prefix']}/1.json")
    if first.exists():
        raise StageError("was pre-empted; the checkpoints are kept, a retry resumes from them")
    return open_dagster_pipes(
        params_loader=params,
        context_loader=PipesGCSContextLoader(client),
        message_writer=PipesGCSMessageWriter(client, interval=MESSAGE_SECONDS),
    )


def run_with_pipes(stage: Stage, pipes: PipesContext, held: ExitStack) -> StageSpec:
    """Run the stage that the Pipes session asks for and report back what it made.

    Where another run makes the same on this machine, or has a call before ours on Modal, it is
    waited for, and what it made is reported: it was asked for before there was anything to reuse.

    Args:
        held: lets go of the checkpoints when it is closed.

    Returns:
        What was asked for; its checkpoints are still there.

    Raises:
        ValueError: the session asks for another stage than this program's.
        StageError: the sources changed since it was asked.
    """
    spec = SpecOfSources.model_validate(pipes.get_extra("spec"))
    if spec.stage != stage.name:
        raise ValueError(f"asked to run {spec.stage!r}, but this program runs {stage.name!r}")
    progress = ThrottledProgress(lambda line: pipes.log.info(f"{stage.name} {line}"))
    if stage.resumable and spec.checkpoints is not None:
        waits = f"{stage.name} waits for another run on this machine that makes the same"
        held.enter_context(held_checkpoints(Path(spec.checkpoints), lambda: pipes.log.info(waits)))
    store = open_store(spec.store_url, cache=None if spec.cache is None else Path(spec.cache))
    known = made_before(spec, store) if spec.reuse else None
    report = known or run_stage(stage, spec, store, progress)
    message: dict[str, Any] = {"report": report.model_dump(mode="json")}
    pipes.report_custom_message(message)
    return spec


def main(stage: Stage) -> None:
    """Entry point of a stage's program."""
    signal.signal(signal.SIGTERM, _interrupt)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")
    with ExitStack() as held:
        with open_pipes() as pipes:
            end_with_parent()
            spec = run_with_pipes(stage, pipes, held)
        spec.remove_checkpoints()  # only now: closing the session sent the report


def take_one_card() -> None:
    """Hide all graphics cards but the first from this process, before PyTorch looks for them.

    Transformers' trainer would spread a model over all that it sees, which our losses and adapters
    don't survive, and models are small enough for one. An empty list stays empty: the processor.
    """
    shown = os.environ.get("CUDA_VISIBLE_DEVICES", "0")
    os.environ["CUDA_VISIBLE_DEVICES"] = shown.split(",")[0]


def _interrupt(signum: int, frame: FrameType | None) -> None:
    """A stop request unwinds the stage like Ctrl-C; loops with checkpoints first finish a step."""
    raise KeyboardInterrupt
