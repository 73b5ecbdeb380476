"""Which run waits for which Modal call: written in the run's tags, so that no call is forgotten.

A killed process cancels nothing. Its call would train on, and cost, beside the one that the next
attempt makes. So the next attempt at the stage, and the next start of the product, end it first.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress

import dagster as dg

from churn_assets.orchestration.config import ModalConfig
from churn_assets.stages.registry import PROGRAMS

log = logging.getLogger(__name__)
TAG = "churn/modal_call."
CALL = "fc-"  # Modal's ids of calls begin so
SETTLED = "ended"


def note(instance: dg.DagsterInstance, run_id: str, stage: str, call_id: str) -> None:
    """Write down that the run waits for the call."""
    instance.add_run_tags(run_id, {TAG + stage: call_id})


def settle(instance: dg.DagsterInstance, run_id: str, stage: str) -> None:
    """Write down that the call has ended."""
    instance.add_run_tags(run_id, {TAG + stage: SETTLED})


def cancel_abandoned(
    instance: dg.DagsterInstance, config: ModalConfig, run_id: str, stage: str
) -> None:
    """End the calls of a stage that nobody waits for, before `run_id` makes another one.

    Those are the calls of runs that are over, and what an earlier attempt of this run left.
    """
    for run, _, call_id in _open_calls(instance, [stage]):
        if run.is_finished or run.run_id == run_id:
            _cancel(instance, config, run.run_id, stage, call_id)


def cancel_calls_of(instance: dg.DagsterInstance, run_id: str) -> None:
    """End what a run whose process was killed has started on Modal, if Modal can be reached now;
    else the next attempt at the stage does."""
    for run, stage, call_id in list(_open_calls(instance, PROGRAMS)):
        if run.run_id != run_id:
            continue
        # Imported here: a run that called nothing on Modal needs no client of it.
        import modal

        from churn_assets.orchestration.modal.calls import OUTAGE

        try:
            _cancel(instance, ModalConfig(outage_seconds=0), run_id, stage, call_id)
        except (modal.exception.Error, *OUTAGE) as error:
            log.warning("%s goes on until its stage is started again: %s", call_id, error)


def _open_calls(
    instance: dg.DagsterInstance, stages: Iterable[str]
) -> Iterator[tuple[dg.DagsterRun, str, str]]:
    """Run, stage and id of the calls that nobody has seen ending.

    By the tags' own table: two steps that write at once lose one of both in the run's record.
    """
    for key, calls in instance.get_run_tags([TAG + s for s in stages], value_prefix=CALL):
        for call_id in sorted(calls):
            for run in instance.get_runs(dg.RunsFilter(tags={key: call_id})):
                yield run, key.removeprefix(TAG), call_id


def _cancel(
    instance: dg.DagsterInstance, config: ModalConfig, run_id: str, stage: str, call_id: str
) -> None:
    import modal

    from churn_assets.orchestration.modal.calls import cancel

    with suppress(modal.exception.NotFoundError):  # Modal forgets calls that ended long ago
        cancel(modal.FunctionCall.from_id(call_id), config)
    settle(instance, run_id, stage)
    log.warning("%s of run %s was left running as %s: cancelled", stage, run_id, call_id)
