"""How the steps of a run are executed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg

from churn_assets.orchestration.config import ComputeConfig

CONCURRENT_STEPS = 4


STOPPED = frozenset({"DagsterExecutionInterruptedError", "KeyboardInterrupt"})
"""The errors that a signal or a click on Terminate ends a step with."""


def was_stopped(event: dg.DagsterEvent) -> bool:
    """Whether a step ended, or is to be tried again, since somebody stopped the run."""
    error: Any
    if event.is_step_up_for_retry:
        error = event.step_retry_data.error
    elif event.is_step_failure:
        error = event.step_failure_data.error
    else:
        return False
    while error is not None and error.cls_name not in STOPPED:
        error = error.cause
    return error is not None


class _Stoppable(dg.Executor):
    """Ends the run where a step is stopped. Dagster's own takes the interrupt of a step with a
    retry policy for a failure like any other: it goes on with the next step, or tries again."""

    def __init__(self, inner: dg.Executor) -> None:
        self.inner = inner

    @property
    def retries(self) -> Any:
        return self.inner.retries

    def execute(self, plan_context: Any, execution_plan: Any) -> Iterator[dg.DagsterEvent]:
        for event in self.inner.execute(plan_context, execution_plan):
            yield event
            if was_stopped(event):
                raise KeyboardInterrupt


@dg.executor(name="in_process", config_schema=dg.in_process_executor.config_schema.as_field())
def one_after_the_other(context: dg.InitExecutorContext) -> dg.Executor:
    """Steps in this process, one at a time, until somebody stops the run."""
    create = dg.in_process_executor.executor_creation_fn
    if create is None:
        raise TypeError("Dagster's in-process executor makes no executor")
    return _Stoppable(create(context))


def choose_executor(config: ComputeConfig) -> dg.ExecutorDefinition:
    """One step after the other here; side by side where the work is done elsewhere.

    Locally the run makes one stage at a time (`ahead.py` may make others beside it), and a process
    for each of the many small checks would cost more than the checks (20 trivial assets: 2 s in
    process, 35 s in processes). On Modal a step only waits, so independent stages run at the same
    time, each step in a process forked from one that has the definitions loaded.
    """
    if config.backend == "local":
        return one_after_the_other
    forkserver = {"forkserver": {"preload_modules": ["churn_assets.definitions"]}}
    return dg.multiprocess_executor.configured(
        {"max_concurrent": CONCURRENT_STEPS, "start_method": forkserver}
    )
