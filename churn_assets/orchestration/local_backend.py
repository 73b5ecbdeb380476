"""The local backend: a stage is a child process of this machine."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import dagster as dg

from churn_assets.orchestration.config import LocalConfig
from churn_assets.orchestration.pipes import received_report, stop_if_canceled
from churn_assets.stages.child_process import run_child, stage_command
from churn_assets.stages.runner import with_sources
from churn_assets.stages.spec import StageReport, StageSpec

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class LocalBackend:
    """Runs `python -m churn_assets.stages NAME` and follows it through Dagster Pipes.

    Not `dg.PipesSubprocessClient`: that one leaves the child's output out of the event log, waits
    for an interrupted child that does not listen, and orphans it when Dagster itself is killed.
    """

    def __init__(self, config: LocalConfig, checkpoints: Path, cache: Path) -> None:
        self.config = config
        self.checkpoints = checkpoints
        self.cache = cache

    def run(self, context: dg.AssetExecutionContext, spec: StageSpec) -> StageReport:
        """Run the stage; raises StageError if its process fails."""
        spec = with_sources(spec).with_checkpoints_below(self.checkpoints)
        # The run's own copies: none is fetched twice, and what the store drops goes from there.
        spec = spec.model_copy(update={"cache": str(self.cache)})
        with dg.open_pipes_session(
            context=context,
            context_injector=dg.PipesTempFileContextInjector(),
            message_reader=dg.PipesTempFileMessageReader(),
            extras={"spec": spec.model_dump(mode="json")},
        ) as session:
            run_child(
                stage_command(spec.stage),
                {**self._threads(), **session.get_bootstrap_env_vars()},
                log_lines=self.config.log_lines,
                grace_seconds=self.config.grace_seconds,
                on_poll=partial(stop_if_canceled, context),
            )
        return received_report(session)

    def _threads(self) -> dict[str, str]:
        count = self.config.threads
        return dict.fromkeys(THREAD_VARIABLES, str(count)) if count else {}
