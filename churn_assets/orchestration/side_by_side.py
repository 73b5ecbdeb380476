"""The executor of a run on this machine: steps in this process, programs beside them.

A process for each of the many small steps would cost more than the steps. But a stage that is a
program only makes this process wait, and what doesn't depend on it can go on meanwhile: training
the messages' models takes no longer than all the rest.
"""

from __future__ import annotations

import os
import queue
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import dagster as dg

# Private: Dagster has executors that run one step in this process and such that run each in another
# one; what both are made of has no public name.
from dagster._core.events import EngineEventData
from dagster._core.execution.api import ExecuteRunWithPlanIterable
from dagster._core.execution.compute_logs import create_compute_log_file_key
from dagster._core.execution.context.system import (
    PlanExecutionContext,
    PlanOrchestrationContext,
    StepExecutionContext,
)
from dagster._core.execution.context_creation_job import PlanExecutionContextManager
from dagster._core.execution.plan.execute_plan import dagster_event_sequence_for_step
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._utils.interrupts import pop_captured_interrupt

from churn_assets.orchestration.pipes import INTERRUPTED
from churn_assets.stages.registry import STAGES

LANES = {"gpu": 1, "cpu": 2}
"""How many programs run at a time: stages that want a GPU in production use all cores here."""
LANE_OF = {"gpu": "gpu", "cpu": "cpu", "aside": "cpu"}
POLL_SECONDS = 0.2

Told = queue.SimpleQueue[tuple[StepExecutionContext, dg.DagsterEvent | BaseException | None]]
"""What the programs' threads say: an event, why a step broke off, or None at its end."""


class SideBySide(dg.Executor):
    """Runs a plan's steps as the module says."""

    retries = RetryMode.ENABLED

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[dg.DagsterEvent]:
        """The run's events; raises what breaks it off, an interruption for one."""
        process = EngineEventData.in_process(os.getpid(), execution_plan.step_keys_to_execute)
        said = f"Executing steps in process {os.getpid()}, programs beside it"
        yield dg.DagsterEvent.engine_event(plan_context, said, event_specific_data=process)
        manager = PlanExecutionContextManager(
            job=plan_context.job,
            retry_mode=plan_context.retry_mode,
            execution_plan=plan_context.execution_plan,
            run_config=plan_context.run_config,
            dagster_run=plan_context.dagster_run,
            instance=plan_context.instance,
            raise_on_error=plan_context.raise_on_error,
            output_capture=plan_context.output_capture,
            step_dependency_config=self.step_dependency_config,
        )
        yield from ExecuteRunWithPlanIterable(plan_context.execution_plan, _events, manager)


@dg.executor(name="side_by_side")
def side_by_side(_: dg.InitExecutorContext) -> SideBySide:
    """Steps in this process, programs beside them."""
    return SideBySide()


def _events(
    job_context: PlanExecutionContext, execution_plan: ExecutionPlan
) -> Iterator[dg.DagsterEvent]:
    """All steps' events. An interruption stops the programs that are under way."""
    with ExitStack() as stack:
        yield _captured_output(job_context, execution_plan, stack)
        slots = stack.enter_context(
            InstanceConcurrencyContext(job_context.instance, job_context.dagster_run)
        )
        active = stack.enter_context(
            execution_plan.start(
                retry_mode=job_context.retry_mode, instance_concurrency_context=slots
            )
        )
        lanes = {
            name: stack.enter_context(ThreadPoolExecutor(count, f"lane-{name}"))
            for name, count in LANES.items()
        }
        told: Told = queue.SimpleQueue()
        here: deque[StepExecutionContext] = deque()
        try:
            while not active.is_complete:
                for step in active.get_steps_to_execute():
                    context = job_context.for_step(step, active.get_known_state())
                    stage = STAGES.get(step.key)
                    if stage is not None and stage.machine in LANE_OF:
                        lanes[LANE_OF[stage.machine]].submit(_run, context, told)
                    else:
                        here.append(context)
                yield from active.concurrency_event_iterator(job_context)
                if here:
                    _run(here.popleft(), told)
                for context, said in _taken(told):
                    if isinstance(said, BaseException):
                        raise said
                    if said is None:
                        active.verify_complete(job_context, context.step.key)
                    else:
                        yield said
                        active.handle_event(said)
                yield from active.plan_events_iterator(job_context)
                if pop_captured_interrupt():
                    raise dg.DagsterExecutionInterruptedError
        except BaseException:
            INTERRUPTED.add(job_context.run_id)
            for lane in lanes.values():  # which are left when their programs have ended
                lane.shutdown(wait=False, cancel_futures=True)
            raise


def _run(context: StepExecutionContext, told: Told) -> None:
    """Run a step and tell of it. What goes wrong in a step is an event; an exception is the run's
    end."""
    try:
        for event in dagster_event_sequence_for_step(context):
            told.put((context, event))
        told.put((context, None))
    except BaseException as error:  # noqa: BLE001 - raised where the run is followed
        told.put((context, error))


def _taken(
    told: Told,
) -> Iterator[tuple[StepExecutionContext, dg.DagsterEvent | BaseException | None]]:
    """All that has been told; waits a moment where nothing was."""
    try:
        yield told.get(timeout=POLL_SECONDS)
        while True:
            yield told.get_nowait()
    except queue.Empty:
        return


def _captured_output(
    job_context: PlanExecutionContext, execution_plan: ExecutionPlan, stack: ExitStack
) -> dg.DagsterEvent:
    """Has the whole process's output captured for the UI, as long as the stack is open."""
    steps = [step.key for step in execution_plan.get_steps_to_execute_in_topo_order()]
    manager = job_context.instance.compute_log_manager
    key = manager.build_log_key_for_run(job_context.run_id, create_compute_log_file_key())
    context = stack.enter_context(manager.capture_logs(key))
    return dg.DagsterEvent.capture_logs(job_context, steps, key, context)
