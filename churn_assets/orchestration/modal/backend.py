"""The Modal backend: a stage is a call of a deployed function, followed through a bucket."""

from __future__ import annotations

from functools import partial
from pathlib import PurePosixPath

import dagster as dg
import modal
from dagster_gcp.pipes import PipesGCSContextInjector, PipesGCSMessageReader
from google.cloud import storage

from churn_assets.orchestration.config import CHECKPOINTS, ModalConfig
from churn_assets.orchestration.modal import records
from churn_assets.orchestration.modal.calls import (
    OUTAGE,
    cancel,
    deployed_function,
    through_outage,
    wait,
)
from churn_assets.orchestration.pipes import received_report, stop_if_canceled
from churn_assets.stages.child_process import StageError
from churn_assets.stages.spec import StageReport, StageSpec

ENDED = (
    StageError,
    modal.exception.FunctionTimeoutError,
    modal.exception.InternalFailure,
    modal.exception.RemoteError,
)
"""By these a call itself has ended; any other error only ends the wait for it."""


class ModalBackend:
    """Calls the deployed function of the stage's name and follows it through Dagster Pipes.

    Messages travel through objects in `config.pipes_bucket`, because the container can't reach this
    process. Not `dagster-modal`: that one opens the Pipes session in the local entry point of
    `modal run`, so the remote code has none to report to.
    """

    def __init__(self, config: ModalConfig, client: storage.Client | None) -> None:
        self.config = config
        self.client = client

    def run(self, context: dg.AssetExecutionContext, spec: StageSpec) -> StageReport:
        """Call the function and wait; raises StageError if the stage or Modal fails."""
        if self.client is None:
            raise StageError(
                "can't run on Modal with artifacts in the local folder "
                f"{spec.store_url}: set CHURN_STORE=gs://<bucket>/<prefix>"
            )
        spec = spec.with_checkpoints_below(PurePosixPath(CHECKPOINTS))
        bucket = self.config.pipes_bucket
        try:
            function = deployed_function(self.config, spec.stage)
            records.cancel_abandoned(context.instance, self.config, context.run.run_id, spec.stage)
            with dg.open_pipes_session(
                context=context,
                context_injector=PipesGCSContextInjector(bucket=bucket, client=self.client),
                message_reader=PipesGCSMessageReader(
                    bucket=bucket,
                    client=self.client,
                    interval=self.config.message_seconds,
                    include_stdio_in_messages=True,
                ),
                extras={"spec": spec.model_dump(mode="json")},
            ) as session:
                env = dict(session.get_bootstrap_env_vars())
                call = through_outage(lambda: function.spawn(env), self.config)
                self._follow(context, spec.stage, call)
        except (modal.exception.Error, *OUTAGE) as error:
            raise StageError(f"on Modal: {explain(error)}") from error
        return received_report(session)

    def _follow(
        self, context: dg.AssetExecutionContext, stage: str, call: modal.FunctionCall[None]
    ) -> None:
        """Wait for the call; whatever interrupts the wait ends the call."""
        try:
            records.note(context.instance, context.run.run_id, stage, call.object_id)
            context.log.info(f"{stage} runs on Modal as {call.object_id}")
            wait(call, self.config, partial(stop_if_canceled, context))
        except ENDED:
            records.settle(context.instance, context.run.run_id, stage)
            raise
        except BaseException:
            # Also when Modal can't be reached: a stage that nobody follows must not go on.
            try:
                cancel(call, self.config)
            except (modal.exception.Error, *OUTAGE) as error:
                context.log.warning(f"{call.object_id} goes on until the next start: {error}")
            else:
                records.settle(context.instance, context.run.run_id, stage)
            raise
        records.settle(context.instance, context.run.run_id, stage)


def explain(error: Exception) -> str:
    """What Modal refused or broke off, and what to do about it."""
    match error:
        case modal.exception.NotFoundError():
            remedy = "deploy the app with `make deploy`"
        case modal.exception.AuthError():
            remedy = "log in with `modal setup`"
        case modal.exception.FunctionTimeoutError():
            remedy = "raise CHURN_COMPUTE__MODAL__{GPU,CPU}_STAGE__TIMEOUT_SECONDS and deploy"
        case _:
            remedy = "look at the call's page on modal.com"
    return f"{type(error).__name__}: {error} ({remedy})"
